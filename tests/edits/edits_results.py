"""Small results for tests of corrections, and a plain NumPy model of what must be on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.edits import Change, Corrections
from napari_breastpath.results import Result, create_result
from napari_breastpath.results.halving import halve_max
from napari_breastpath.results.maps import ERASED

ONE = ({"name": "tumour", "color": [200, 0, 0], "role": "tumour"},)
THREE = (
    {"name": "glass", "color": [0, 0, 0], "role": "background"},
    {"name": "invasive", "color": [200, 0, 0], "role": "invasive"},
    {"name": "in situ", "color": [0, 90, 200], "role": "in_situ"},
)
MPP = (2.0, 3.0)  # µm per map pixel in x and y


def make_result(
    folder: Path,
    shape: tuple[int, int] = (301, 277),
    classes: tuple[dict, ...] = ONE,
    heat: np.ndarray | None = None,
    seed: int = 1,
    fingerprint: str = "0" * 64,
) -> Result:
    """Return a result with pixels that are not square; random heat unless given, (c, y, x)."""
    slide_mpp = PixelSize(MPP[0] / 8, MPP[1] / 8)
    width, height = shape[1] * 8, shape[0] * 8
    record = {
        "slide": {
            "path": "nowhere.svs",
            "width": width,
            "height": height,
            "mpp_x": slide_mpp.x,
            "mpp_y": slide_mpp.y,
            "mpp_source": "user",
            "bounds_offset": [0, 0],
            "fingerprint": fingerprint,
        },
        "analysis": "tumour",
        "specimen": "unspecified",
        "model": {"name": "m", "version": "1", "sha256": "0", "classes": list(classes)},
        "map_mpp": list(MPP),
        "settings": {"threshold": 0.5},
        "warnings": [],
    }
    result = create_result(
        folder,
        record,
        lattice=Lattice.over(width, height, slide_mpp, MPP),
        slide_mpp=slide_mpp,
        classes=[(str(k["name"]), tuple(k["color"])) for k in classes],
        tiles=(1, 1),
        at_least=3,
    )
    if heat is None:
        drawn = np.random.default_rng(seed).integers(1, 256, (len(classes), *shape))
        heat = drawn.astype(np.uint8)
    result.map.probability.write(0, 0, heat)
    result.map.label("mask").write(0, 0, expected_mask(result, stored(result, "edits")))
    result.save(status="complete")
    return result


def stored(result: Result, name: str, level: int = 0) -> np.ndarray:
    """Read a label of the result anew from disk."""
    return np.asarray(Result.load(result.path).map.label(name).levels[level][:])


def expected_mask(result: Result, edits: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Lay edits over the model's mask, written down plainly."""
    heat = np.asarray(result.map.probability.levels[0][:]).astype(int)
    if len(heat) == 1:
        model = np.where(heat[0] / 255 > threshold, 1, 0)
    else:
        best = np.argmax(heat, axis=0)
        model = np.where((best == 0) | (heat.max(axis=0) == 0), 0, best + 1)
    return np.where(edits == 0, model, np.where(edits == ERASED, 0, edits)).astype(np.uint8)


def check_on_disk(result: Result, edits: np.ndarray, threshold: float = 0.5) -> None:
    """Hold `edits` and `mask` on disk against a plain array of edits, at every level."""
    for name, values in (("edits", edits), ("mask", expected_mask(result, edits, threshold))):
        for level in range(len(result.map.label(name).levels)):
            np.testing.assert_array_equal(stored(result, name, level), values, f"{name} {level}")
            values = halve_max(values)


def square(row: int, column: int, height: int, width: int, value: int) -> Change:
    """Return a change of a whole window."""
    shape = (height, width)
    return Change(row, column, np.full(shape, value, np.uint8), np.ones(shape, bool))


def opened(result: Result, reader: str = "") -> Corrections:
    """Open a result's corrections as another program would."""
    return Corrections.open(Result.load(result.path), reader)
