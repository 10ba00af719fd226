"""Results for tests of the exporters: maps drawn at random, measured as a run would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from napari_breastpath.analyses.measuring import measure_result
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.core.grid import Grid
from napari_breastpath.results import Result, create_result
from napari_breastpath.results.provenance import slide_record
from napari_breastpath.slides import Slide

ONE = ({"name": "tumour", "color": [200, 0, 0], "role": "tumour"},)
THREE = (
    {"name": "glass", "color": [0, 0, 0], "role": "background"},
    {"name": "invasive", "color": [200, 0, 0], "role": "invasive"},
    {"name": "in situ µ", "color": [0, 90, 200], "role": "in_situ"},
)
MODEL_MPP, STRIDE, TILE, OVERLAP = 1.0, 2, 64, 16


def noise(shape: tuple[int, ...], seed: int, sigma: float) -> np.ndarray:
    """Smooth values around 0."""
    drawn = np.random.default_rng(seed).standard_normal(shape)
    return ndimage.gaussian_filter(drawn, (0, sigma, sigma)[-len(shape) :])


def slide_facts(width: int, height: int, bounds_offset: tuple[float, float]) -> dict[str, object]:
    return {
        "path": "/nowhere/sägewerk.mrxs",
        "width": width,
        "height": height,
        "mpp_x": 0.5,
        "mpp_y": 0.5,
        "mpp_source": "header",
        "vendor": "mirax",
        "bounds_offset": list(bounds_offset),
        "fingerprint": "f" * 64,
    }


def make_result(
    folder: Path,
    classes: tuple[dict[str, object], ...] = ONE,
    *,
    slide: Slide | None = None,
    width: int = 1403,
    height: int = 1170,
    bounds_offset: tuple[float, float] = (0.0, 0.0),
    seed: int = 3,
    grain_px: float = 4,
) -> Result:
    """Return a measured result of `slide`, or of one at 0.5 µm/px that is nowhere."""
    if slide is None:
        facts, mpp = slide_facts(width, height, bounds_offset), PixelSize(0.5, 0.5)
    else:
        facts, mpp, width, height = slide_record(slide), slide.mpp, slide.width, slide.height
    lattice = Lattice.over(width, height, mpp, MODEL_MPP)
    grid = Grid.over(lattice, TILE, OVERLAP, STRIDE)
    result = create_result(
        folder,
        {
            "slide": facts,
            "analysis": "tumour",
            "specimen": "node",
            "model": {
                "name": "drawn",
                "version": "1",
                "sha256": "ab" * 32,
                "mpp": MODEL_MPP,
                "tile_size": TILE,
                "output_stride": STRIDE,
                "classes": [dict(kind) for kind in classes],
            },
            "map_mpp": list(grid.map_lattice.mpp),
            "settings": {"threshold": 0.5, "overlap": OVERLAP, "specimen": "node"},
            "warnings": [],
            "edits": {"strokes": 0, "pixels": 0, "seconds": 0.0, "readers": []},
        },
        lattice=grid.map_lattice,
        slide_mpp=mpp,
        classes=[(kind["name"], tuple(kind["color"])) for kind in classes],
        tiles=grid.shape,
        at_least=2,
    )
    draw(result, seed, grain_px)
    result.save(status="complete")
    return measure_result(result)


def draw(result: Result, seed: int, grain_px: float) -> None:
    """Fill map, tissue and tile states: tissue is a part of the slide, the rest is 0."""
    shape = result.lattice.shape
    tissue = noise(shape, seed + 1, 30) > -0.01
    heat = noise((len(result.classes), *shape), seed, grain_px)
    values = np.clip(np.rint(128 + 50 * heat / heat.std()), 1, 255) * tissue
    result.map.probability.write(0, 0, values.astype(np.uint8))
    result.map.label("tissue").write(0, 0, tissue.astype(np.uint8))
    states = np.random.default_rng(seed).integers(1, 4, result.map.tile_state.shape)
    result.map.tile_state = states.astype(np.uint8)


def paint(result: Result, value: int) -> Result:
    """Paint a square of a class, or erase one, and measure again."""
    result.map.label("edits").write(10, 10, np.full((60, 50), value, np.uint8))
    return measure_result(result)


def label(result: Result, name: str) -> np.ndarray:
    return np.asarray(result.map.label(name).levels[0][:])


def heat(result: Result) -> np.ndarray:
    return np.asarray(result.map.probability.levels[0][:])
