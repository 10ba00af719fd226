"""What hands measured and signed, as result.json says it: the manual extent and the review."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from napari_breastpath.edits import Entry, HandState, folded, hands_summary, read_log
from napari_breastpath.edits.journal import waited_for
from napari_breastpath.measure.categories import nodal_category
from napari_breastpath.results import Result
from napari_breastpath.results.files import written
from napari_breastpath.results.folder import RECORD, REPORT, REPORT_PDF

MANUAL = "manual_"


def manual_extent(state: HandState, specimen: str) -> dict[str, Any]:
    """Return what goes beside the automatic extent into `regions` of result.json.

    Parameters
    ----------
    state : HandState
    specimen : {'node', 'primary', 'unspecified'}
        Only a node gets a category.

    Returns
    -------
    dict
        Empty without a manual extent; else `manual_longest_feret_mm`, its ends `manual_feret_x1` …
        `manual_feret_y2` in level-0 px, `manual_category` (None where none is due),
        `manual_reader` and `manual_time` (ISO 8601, UTC).
    """
    extent = state.extent
    if extent is None:
        return {}
    ends = {f"{MANUAL}feret_{name}": getattr(extent, name) for name in ("x1", "y1", "x2", "y2")}
    category = nodal_category(extent.length_mm) if specimen == "node" else None
    return {
        "manual_longest_feret_mm": extent.length_mm,
        **ends,
        "manual_category": category,
        "manual_reader": extent.reader,
        "manual_time": extent.time,
    }


def hands_record(
    log: tuple[Entry, ...], regions: Mapping[str, Any], specimen: str, edited_px: int
) -> dict[str, Any]:
    """Return `regions`, `edits` and `reviewed` of result.json as a log says.

    Parameters
    ----------
    log : tuple of Entry
    regions : mapping
        What was measured; an earlier manual extent in it is replaced.
    specimen : {'node', 'primary', 'unspecified'}
    edited_px : int
        Map pixels that are edited now.
    """
    state = folded(log)
    automatic = {name: value for name, value in regions.items() if not name.startswith(MANUAL)}
    signed = state.reviewed
    return {
        "regions": automatic | manual_extent(state, specimen),
        "edits": hands_summary(log, edited_px) | {"entries": len(log)},
        "reviewed": signed and {"reader": signed.reader, "time": signed.time},
    }


def is_behind(result: Result, log: Iterable[Entry]) -> bool:
    """Tell whether pixels were edited since the result was measured."""
    known = (result.record.get("edits") or {}).get("entries") or 0
    return any(entry.pixels for entry in log if entry.number > known)


def recording(result: Result) -> AbstractContextManager[None]:
    """Let nobody else write a result's record and tables until the block ends: waits for them."""
    return waited_for(result.path / RECORD)


def record_hands(result: Result) -> Result:
    """Bring the record up to the journal where only notes came; an outdated report is removed."""
    record, log = result.record, read_log(result)
    if is_behind(result, log):
        return result
    edited_px = (record.get("edits") or {}).get("pixels", 0)
    changes = hands_record(log, record["regions"], record["specimen"], edited_px)
    if all(record.get(name) == value for name, value in changes.items()):
        return result
    with written(result.path), recording(result):
        for outdated in (REPORT, REPORT_PDF):
            (result.path / outdated).unlink(missing_ok=True)
        result.save(**changes)
    return result
