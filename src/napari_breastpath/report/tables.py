"""The tables of a report: regions, model, settings, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from napari_breastpath.report.overview import extent_text
from napari_breastpath.report.wording import (
    NOTHING,
    area_mm2,
    category_title,
    format_name,
    fraction,
    length_mm,
    micrometres,
    pixel_size,
    setting,
)
from napari_breastpath.results import Result
from napari_breastpath.results.folder import LOG

MAX_REGIONS: Final = 25
FLAGS: Final = {
    "touches_edge": "at the slide's edge",
    "touches_unread": "beside unread tissue",
    "below_cell_size": "below cell size",
    "edited": "corrected by hand",
}
SETTINGS: Final = (
    ("stain", "Stain normalisation"),
    ("tissue", "Tissue detection"),
    ("threshold", "Probability threshold"),
    ("specimen", "Specimen"),
    ("region", "Part of the slide (level-0 px)"),
    ("overlap", "Tile overlap (px)"),
    ("device", "Device"),
    ("engine", "Engine"),
    ("batch_size", "Tiles a batch"),
    ("threads", "Threads"),
    ("stain_normalizer", "Stain, source and target"),
)

Rows = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RegionRow:
    """One region as the page shows it; texts with units left to the table's head."""

    number: int
    kind: str
    piece: str
    longest: str
    shortest: str
    major: str
    area: str
    highest: str
    mean: str
    category: str
    remarks: str


def region_rows(result: Result, most: int = MAX_REGIONS) -> list[RegionRow]:
    """Return the `most` longest regions."""
    rows: list[dict[str, Any]] = result.regions.head(most).to_dict("records")  # type: ignore[assignment]
    return [_region_row(row) for row in rows]


def _region_row(row: Mapping[str, Any]) -> RegionRow:
    return RegionRow(
        number=int(row["region_id"]),
        kind=str(row["class"]),
        piece=str(int(row["piece"])) if row["piece"] else NOTHING,
        longest=extent_text(dict(row)),
        shortest=length_mm(row["feret_min_mm"]),
        major=length_mm(row["major_axis_mm"]),
        area=area_mm2(row["area_mm2"]),
        highest=fraction(row["max_probability"]),
        mean=fraction(row["mean_probability"]),
        category=category_title(row["category"]) if row["category"] else NOTHING,
        remarks=", ".join(words for flag, words in FLAGS.items() if row[flag]) or NOTHING,
    )


def class_areas(result: Result) -> Rows:
    """Return the area of every class, where there are several."""
    areas = result.record["regions"]["areas_mm2"]
    return [(name, area_mm2(area)) for name, area in areas.items()] if len(areas) > 1 else []


def model_rows(result: Result) -> Rows:
    """Return the digest of the model's card."""
    model = result.record["model"]
    card = model.get("card") or {}
    known = [
        ("Intended use", card.get("intended_use")),
        ("Trained on", card.get("training_data")),
        ("Measured", setting(card["metrics"]) if card.get("metrics") else None),
        ("Licence", card.get("licence")),
        ("Authors", ", ".join(card.get("authors") or [])),
    ]
    classes = ", ".join(f"{c['name']} ({c['role'].replace('_', ' ')})" for c in model["classes"])
    return [
        ("Name", f"{model['name']} {model['version']}"),
        *([("Origin", f"not run by us: {card['origin']}")] if card.get("origin") else []),
        ("Classes", classes),
        ("Resolution", f"{model['mpp']:g} µm/px"),
        *((name, text) for name, text in known if text),
    ]


def settings_rows(result: Result) -> Rows:
    """Return the settings that the numbers follow from; what is not listed by name comes last."""
    settings = {k: v for k, v in result.record["settings"].items() if v is not None}
    named = [(title, setting(settings[key])) for key, title in SETTINGS if key in settings]
    rest = sorted(settings.keys() - dict(SETTINGS).keys() - {"analysis"})
    return [*named, *((key.replace("_", " ").capitalize(), setting(settings[key])) for key in rest)]


def provenance_rows(result: Result) -> Rows:
    """Return what identifies slide, model and run."""
    slide, record = result.record["slide"], result.record
    software = ", ".join(f"{name} {version}" for name, version in record["software"].items())
    return [
        ("Slide file", slide_name(result)),
        ("Slide fingerprint (SHA-256)", slide["fingerprint"]),
        ("Slide size", f"{slide['width']} × {slide['height']} px"),
        ("Pixel size", pixel_size(result.slide_mpp)),
        ("Format, read by", f"{format_name(slide['vendor'])}, {slide['reader']}"),
        ("Model weights (SHA-256)", record["model"]["sha256"]),
        ("Probability map", micrometres(*record["map_mpp"])),
        ("Tiles", _tiles(record["tiles"])),
        ("Analysed", analysed_at(result)),
        ("Seconds", setting(record.get("timing_s", {}))),
        ("Software", software),
    ]


def _tiles(tiles: Mapping[str, int]) -> str:
    done, skipped, failed = (tiles[name] for name in ("done", "skipped", "failed"))
    return f"{done} inferred, {skipped} without tissue, {failed} unread"


def slide_name(result: Result) -> str:
    """Return the slide's file name; its folders are left out, for they may name a patient."""
    return Path(result.record["slide"]["path"].replace("\\", "/")).name


def analysed_at(result: Result) -> str:
    """Return when the run began, UTC, from the first line of its log."""
    try:
        with (result.path / LOG).open(encoding="utf-8") as log:
            stamp = log.readline().split(" ", 1)[0]
        return f"{pd.Timestamp(stamp):%Y-%m-%d %H:%M} UTC"
    except (OSError, ValueError):
        return "unknown"
