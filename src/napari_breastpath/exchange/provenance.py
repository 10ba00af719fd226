"""What each exported number rests on, besides what made the regions: hands, review, software."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_breastpath.exchange.geojson import result_provenance
from napari_breastpath.results import Result


def edited_text(edits: Mapping[str, Any] | None) -> str:
    """Return `no`, or how many strokes changed how many map pixels."""
    pixels = (edits or {}).get("pixels") or 0
    return f"{(edits or {}).get('strokes', 0)} strokes, {pixels} map px" if pixels else "no"


def export_provenance(result: Result) -> dict[str, str]:
    """Return `result_provenance` and what happened to a result since, as strings.

    Returns
    -------
    dict
        Besides: `edited`, `readers`, `manual_longest_feret_mm` with `manual_reader` (where somebody
        measured by hand), `reviewed_by` and `reviewed_at` (where somebody signed), `software`.
    """
    record = result.record
    edits, regions = record.get("edits") or {}, record.get("regions") or {}
    reviewed, software = record.get("reviewed") or {}, record.get("software") or {}
    facts = {
        "edited": edited_text(edits),
        "readers": "; ".join(edits.get("readers") or []),
        "manual_longest_feret_mm": regions.get("manual_longest_feret_mm"),
        "manual_reader": regions.get("manual_reader"),
        "reviewed_by": reviewed.get("reader"),
        "reviewed_at": reviewed.get("time"),
        "software": ", ".join(f"{name} {version}" for name, version in software.items()),
    }
    known = {name: str(value) for name, value in facts.items() if value not in (None, "")}
    return result_provenance(result) | known
