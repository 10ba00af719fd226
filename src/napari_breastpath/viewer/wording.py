"""The words on screen, as pure functions; lengths, areas and names are said as in the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.progress import Progress
from napari_breastpath.measure.categories import CELL_RULE_NOTE
from napari_breastpath.report import wording as reported
from napari_breastpath.report.wording import NOTHING, area_mm2, category_title, length_mm

if TYPE_CHECKING:
    from napari_breastpath.models import ModelBundle
    from napari_breastpath.slides import Slide

ERROR_COLOR, WARNING_COLOR = "#e0604c", "#d9a521"
STAGES = {
    "model": "Loading the model",
    "tissue": "Finding tissue",
    "stain": "Estimating the stain",
    "inference": "Analysing",
    "measure": "Measuring",
    "write": "Writing",
}
STATUSES = reported.STATUSES | {"partial": "interrupted: Run goes on with it"}


def duration(seconds: float) -> str:
    """Return a time span as a person says it: 8 s, 2 min 05 s, 1 h 10 min."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def short_path(path: Path, home: Path | None = None) -> str:
    """Return a path with the home folder as ~."""
    home = Path.home() if home is None else home
    return str(Path("~", path.relative_to(home))) if path.is_relative_to(home) else str(path)


def progress_text(progress: Progress) -> str:
    """Return one line about a step: tiles, tiles per second, time left."""
    stage = STAGES.get(progress.stage, progress.stage.capitalize())
    if progress.stage != "inference":
        return f"{stage} …"
    parts = [f"{stage}: {progress.done:,} of {progress.total:,} tiles".replace(",", " ")]
    if progress.tiles_per_s > 0:
        parts.append(f"{progress.tiles_per_s:.1f} tiles/s")
    if progress.seconds_left is not None and progress.done:
        parts.append(f"{duration(progress.seconds_left)} left")
    return " · ".join(parts)


def slide_facts(slide: Slide) -> list[tuple[str, str]]:
    """Return what a pathologist checks first: name, size, pixel size, objective, scanner."""
    width_mm, height_mm = (
        n * mpp / 1000 for n, mpp in zip((slide.width, slide.height), slide.mpp, strict=True)
    )
    pixels = f"{slide.width:,} × {slide.height:,} px".replace(",", " ")
    power = slide.objective_power
    return [
        ("Slide", slide.path.name),
        ("Size", f"{width_mm:.1f} × {height_mm:.1f} mm ({pixels})"),
        ("Pixel size", reported.pixel_size(slide.mpp)),
        ("Objective", f"{power:g}×" if power else "not stated in the file"),
        ("Format", reported.format_name(slide.vendor) or "unknown"),
    ]


def model_line(bundle: ModelBundle) -> str:
    """Return a model's key facts in one line; its folder's name where that is another."""
    classes = ", ".join(c.name for c in bundle.classes)
    folder = "" if bundle.folder.name in (bundle.name, "bundle") else f" ({bundle.folder.name})"
    foreign = " · not run by us" if bundle.origin else ""
    return f"{bundle.name}{folder} {bundle.version} · {bundle.mpp:g} µm/px · {classes}{foreign}"


def magnification(power: float) -> str:
    """Return the magnification of a view: 10× · 1.0 µm per screen px."""
    um = 10 / power
    return (
        f"{power:.3g}× · {um:.2f} µm per screen px"
        if um < 10
        else f"{power:.2g}× · {um:.0f} µm per screen px"
    )


def seen_text(share: float | None) -> str:
    """Return how much of the tissue was looked at; less than all is never said to be 100 %."""
    if share is None:
        return "Nothing to look at yet"
    percent = 100 if share == 1 else min(round(share * 100), 99)
    return f"You have seen {percent} % of the tissue at"


def category(regions: Mapping[str, Any]) -> str:
    """Return the nodal category and what it leaves out, or why there is none."""
    name = regions.get("category")
    if not name:
        return "for lymph nodes only"
    return f"{category_title(name)} ({regions.get('note') or CELL_RULE_NOTE})"


def score_text(score: Mapping[str, Any] | None) -> str:
    """Return the slide score of the model, and of the corrected map where it differs."""
    model = (score or {}).get("model") or {}
    if model.get("value") is None:
        return NOTHING
    text = f"{model['value']:.3f} · {str(model['name']).replace('_', ' ')}"
    corrected = ((score or {}).get("corrected") or {}).get("value")
    if corrected is not None and corrected != model["value"]:
        text += f" · corrected {corrected:.3f}"
    return text + _predicted(model)


def _predicted(score: Mapping[str, Any]) -> str:
    """Return the major axis that the second stage predicts, empty where there is none."""
    axis = score.get("predicted_major_axis_mm")
    return "" if axis is None else f" · predicted major axis {length_mm(axis)}"


def extents(regions: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the longest extent; where hands measured, theirs first and the automatic one below."""
    longest, region = regions.get("longest_feret_mm"), regions.get("longest_feret_region")
    automatic = f"{length_mm(longest)}{f' · Feret, region {region}' if region else ''}"
    by_hand = regions.get("manual_longest_feret_mm")
    if by_hand is None:
        return [("Longest extent", automatic)]
    manual = f"{length_mm(by_hand)} · manual, {reported.by(regions['manual_reader'])}"
    return [("Longest extent", manual), ("Automatic", automatic)]


def manual_category(regions: Mapping[str, Any]) -> str:
    """Return the category that the manual extent gives, "" where it is the automatic one's."""
    name = regions.get("manual_category")
    return category_title(name) if name and name != regions.get("category") else ""


def headline(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the slide-level figures of a record, most important first."""
    regions, status = record.get("regions") or {}, str(record["status"])
    return [
        *extents(regions),
        ("Major axis", f"{length_mm(regions.get('slide_major_axis_mm'))} · by moments"),
        ("Tumour area", area_mm2(regions.get("total_area_mm2"))),
        ("Tissue area", area_mm2(record.get("tissue_area_mm2"))),
        ("Regions", str(regions.get("count", NOTHING))),
        ("Category", category(regions)),
        *([("By hand", by_hand)] if (by_hand := manual_category(regions)) else []),
        ("Score", score_text(record.get("score"))),
        *([("Status", STATUSES.get(status, status))] if status != "complete" else []),
    ]


def warning_lines(record: Mapping[str, Any]) -> list[str]:
    """Return what to know before trusting the figures: unread tissue, then recorded warnings."""
    unread = record.get("unread_tissue_fraction") or 0.0
    lines = [f"{unread:.1%} of the tissue was not read"] if unread > 0 else []
    return [*lines, *map(str, record.get("warnings", []))]
