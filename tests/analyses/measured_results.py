"""Small results with pieces, unread tissue and edits, and the plain way to measure them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.measure import find_regions, heatmap_features, merge_regions
from napari_breastpath.preprocess import tissue_pieces
from napari_breastpath.results import Result, create_result
from napari_breastpath.results.masks import (
    Band,
    corrected_heat,
    measured_mask,
    scored_heat,
)

ONE = ({"name": "tumour", "color": [200, 0, 0], "role": "tumour"},)
THREE = (
    {"name": "glass", "color": [0, 0, 0], "role": "background"},
    {"name": "invasive", "color": [200, 0, 0], "role": "invasive"},
    {"name": "in situ", "color": [0, 90, 200], "role": "in_situ"},
)
MPP = (4.0, 5.0)  # µm per map pixel in x and y
STEP = 8
TISSUE_FACTOR = 2  # map pixels of 4 µm per tissue pixel of 8 µm


def smooth_heat(rng, channels, shape):
    """Return fields with foci of all sizes, 0 nowhere, uint8 (c, y, x)."""
    noise = rng.standard_normal((channels, *shape))
    fields = ndimage.gaussian_filter(noise, (0, 3, 3))
    return np.clip(128 + 90 * fields / fields.std(), 1, 255).astype(np.uint8)


def write_edits(result, rng, classes):
    """Paint and erase some windows."""
    edits = np.zeros(result.lattice.shape, np.uint8)
    for value in (*range(1, classes + 1), 255):
        y, x = (int(rng.integers(0, n - 20)) for n in edits.shape)
        edits[y : y + 20, x : x + 17] = value
    result.map.label("edits").write(0, 0, edits)


def make_result(folder: Path, classes=ONE, shape=(331, 277), seed=0, edited=True) -> Result:
    """Return a result on pixels that are not square: two pieces, a part of one of them unread."""
    rng = np.random.default_rng(seed)
    slide_mpp = PixelSize(MPP[0] / STEP, MPP[1] / STEP)
    height, width = shape[0] * STEP, shape[1] * STEP
    record = {
        "slide": {"width": width, "height": height, "fingerprint": "0" * 64},
        "analysis": "tumour",
        "specimen": "node",
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
    tissue = np.zeros(shape, np.uint8)
    tissue[20:140, 30:250] = tissue[220:320, 10:260] = 1
    heat = smooth_heat(rng, len(classes), shape) * tissue
    heat[:, 60:70, 90:130] = 0
    result.map.label("tissue").write(0, 0, tissue)
    result.map.probability.write(0, 0, heat)
    if edited:
        write_edits(result, rng, len(classes))
    result.save(status="complete")
    return result


def level_0(array):
    """Return level 0 of a pyramid."""
    return np.asarray(array.levels[0][:])


def plain_regions(result: Result, threshold: float) -> pd.DataFrame:
    """Measure with whole rasters: mask, unread and pieces each as large as the map."""
    heat, edits = level_0(result.map.probability), level_0(result.map.label("edits"))
    tissue = level_0(result.map.label("tissue")) > 0
    mask = measured_mask(Band(slice(0, len(edits)), heat, edits), result.classes, threshold)
    coarse = result.map.label("tissue").read(slice(None), slice(None), 1) > 0
    pieces = tissue_pieces(coarse, result.lattice.coarser(TISSUE_FACTOR).mpp)
    pieces = pieces.repeat(TISSUE_FACTOR, 0).repeat(TISSUE_FACTOR, 1)
    height, width = edits.shape
    return merge_regions(
        find_regions(
            mask == k + 1,
            result.lattice.mpp,
            heat[k],
            kind["name"],
            step=(result.lattice.step_x, result.lattice.step_y),
            pieces=pieces[:height, :width],
            unread=tissue & (heat.max(axis=0) == 0),
            edited=edits != 0,
            specimen=result.record["specimen"],
        )
        for k, kind in enumerate(result.classes)
        if kind["role"] != "background"
    ).table


def plain_features(result: Result) -> pd.DataFrame:
    """Return the features of the model's and of the corrected heat, from whole rasters."""
    heat, edits = level_0(result.map.probability), level_0(result.map.label("edits"))
    band = Band(slice(0, len(edits)), heat, edits)
    rows = scored_heat(heat, result.classes), corrected_heat(band, result.classes)
    index = pd.Index(["model", "corrected"], name="row")
    return pd.DataFrame([heatmap_features(row) for row in rows], index=index)
