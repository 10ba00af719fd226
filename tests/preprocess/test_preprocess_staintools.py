"""StainTools in its one place: Qt left alone, failing tiles passed through and counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_breastpath.preprocess import (
    StaintoolsNormalizer,
    staintools_normalizer,
    standardize_luminosity,
)
from napari_breastpath.preprocess.staintools_compat import staintools

TARGET = [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]], [1.5, 1.0]


@pytest.mark.parametrize("before", [None, "/somewhere/plugins"])
def test_importing_it_leaves_qt_alone(before: str | None) -> None:
    program = f"""
import os, sys
before = {before!r}
for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"): os.environ.pop(name, None)
if before: os.environ["QT_QPA_PLATFORM_PLUGIN_PATH"] = before
import napari_breastpath.preprocess as room
heavy = {{"torch", "cv2", "spams", "skimage", "staintools"}} & set(sys.modules)
assert not heavy, heavy
room.StaintoolsNormalizer()
assert "cv2" in sys.modules
assert os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH") == before
assert "QT_QPA_FONTDIR" not in os.environ
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_tiles_that_fail_are_passed_through_and_counted() -> None:
    normalizer = staintools_normalizer(*TARGET)
    white = torch.full((2, 64, 64, 3), 255, dtype=torch.uint8)
    assert torch.equal(normalizer.transform_batch(white), white)
    black = np.zeros((64, 64, 3), np.uint8)
    assert np.array_equal(normalizer.transform(black), black)
    assert normalizer.to_dict()["passed_through"] == 3


@pytest.mark.parametrize("luminosity", [True, False])
def test_a_real_tile_is_what_staintools_makes_of_it(shared_data: Path, luminosity: bool) -> None:
    path = shared_data / "tissue_tiles" / "tissue-level2-4640-4649-8736-8746.png"
    tile = np.array(Image.open(path).convert("RGB"))[:256, :256]
    before = tile.copy()
    ours = StaintoolsNormalizer(luminosity).fit(tile)
    result = ours.transform(tile)
    assert np.array_equal(tile, before)
    assert ours.passed_through == 0

    theirs = staintools().StainNormalizer("vahadane")
    prepared = tile.copy()
    if luminosity:
        prepared = staintools().LuminosityStandardizer.standardize(prepared)
    theirs.fit(prepared.copy())
    difference = np.abs(result.astype(int) - theirs.transform(prepared))
    assert np.percentile(difference, 99) <= 2  # each of the four dictionaries trains for one second


def test_luminosity_standardisation_whitens_the_given_percentile(shared_data: Path) -> None:
    path = shared_data / "tissue_tiles" / "tissue-level2-4640-4649-8736-8746.png"
    tile = np.array(Image.open(path).convert("RGB"))
    bright = standardize_luminosity(tile)
    assert (bright.min(axis=-1) >= 250).mean() >= 0.04
    assert bright.mean() > tile.mean()
