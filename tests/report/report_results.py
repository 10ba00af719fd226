"""Results for tests of reports: a small drawn slide, and foci of known place, size and heat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import html5lib
import numpy as np
import tifffile

from napari_breastpath.analyses.measuring import measure_result
from napari_breastpath.results import Result, create_result
from napari_breastpath.results.provenance import slide_record, software_versions
from napari_breastpath.slides import open_slide

MPP, MAP_MPP = 1.0, 2.0
TUMOUR = {"name": "tumour", "color": [200, 0, 0], "role": "tumour"}
TWO = (
    {"name": "invasive", "color": [200, 0, 0], "role": "invasive"},
    {"name": "in situ", "color": [0, 90, 200], "role": "in_situ"},
)
CARD = {"intended_use": "Tests.", "training_data": "None.", "metrics": {}, "licence": "CC0"}


@dataclass(frozen=True)
class Focus:
    """A rectangle in µm, its probability and its class."""

    x: float
    y: float
    width: float
    height: float
    probability: float = 0.9
    channel: int = 0


def write_slide(path: Path, width: int = 1600, height: int = 1200) -> Path:
    """Write a pink slide with a purple middle, 1 µm/px."""
    pixels = np.full((height, width, 3), (230, 190, 210), np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = (120, 70, 150)
    noise = np.random.default_rng(0).integers(0, 12, pixels.shape, np.uint8)
    per_cm = round(1e4 / MPP)
    options = {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER", "tile": (256, 256)}
    tifffile.imwrite(path, pixels - noise, **options)
    return path


def make_result(
    folder: Path,
    slide_path: Path,
    foci: tuple[Focus, ...] = (),
    *,
    specimen: str = "node",
    classes: tuple[dict[str, Any], ...] = (TUMOUR,),
    model: str = "drawn",
    **changes: Any,
) -> Result:
    """Return a measured result of a slide, with these foci on a background of 0.1."""
    with open_slide(slide_path) as slide:
        lattice, facts, mpp = slide.lattice(MAP_MPP), slide_record(slide), slide.mpp
    record = {
        "slide": facts,
        "analysis": "tumour",
        "specimen": specimen,
        "model": {
            "name": model,
            "version": "1",
            "sha256": "ab" * 32,
            "mpp": MPP,
            "classes": [dict(kind) for kind in classes],
            "card": CARD,
        },
        "map_mpp": [MAP_MPP, MAP_MPP],
        "settings": {"threshold": 0.5, "specimen": specimen, "stain": "none", "region": None},
        "warnings": [],
        "software": software_versions(),
        "timing_s": {},
        "tiles": {"total": 1, "done": 1, "skipped": 0, "failed": 0},
        "edits": {"strokes": 0, "pixels": 0, "seconds": 0.0, "readers": []},
    }
    result = create_result(
        folder / f"{slide_path.name}.tumour.breastpath",
        record | changes,
        lattice=lattice,
        slide_mpp=mpp,
        classes=[(kind["name"], tuple(kind["color"])) for kind in classes],
        tiles=(1, 1),
    )
    heat = np.full((len(classes), *lattice.shape), 0.1)
    for focus in foci:
        heat[focus.channel, _span(focus.y, focus.height), _span(focus.x, focus.width)] = (
            focus.probability
        )
    result.map.probability.write(0, 0, np.rint(255 * heat).astype(np.uint8))
    result.map.label("tissue").write(0, 0, np.ones(lattice.shape, np.uint8))
    result.log("drawn")
    result.save(status="complete")
    return measure_result(result)


def _span(start_um: float, length_um: float) -> slice:
    return slice(round(start_um / MAP_MPP), round((start_um + length_um) / MAP_MPP))


def parse(html: str) -> Any:
    """Return the page's tree; any error of syntax raises."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)


def text_of(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def body_of(html: str) -> str:
    """Return what a reader of the page reads."""
    return text_of(parse(html).find("body"))


def drawings(page: Any) -> list[Any]:
    """Return the SVG pictures of a page."""
    return list(page.iter("{http://www.w3.org/2000/svg}svg"))
