"""The synthetic slide: the same from every window, true to its outlines, readable as a slide."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.sample import sample_slide_path
from synthetic_layout import feret_px, make_layout
from synthetic_slide import (
    STAINS,
    SyntheticSlide,
    load_truth,
    outline_mask,
    truth_mask,
    write_slide,
)
from synthetic_slide import tissue_truth_mask as tissue_mask

SLIDES = {stain: SyntheticSlide(5, 2048, 1536, 0.5, stain) for stain in STAINS}


def lattice_of(truth: dict[str, float], mpp: float) -> Lattice:
    pixel = PixelSize(truth["mpp"], truth["mpp"])
    return Lattice.over(int(truth["width"]), int(truth["height"]), pixel, mpp)


def corner_feret_um(mask: np.ndarray, mpp_um: float) -> float:
    rows, columns = np.nonzero(mask)
    corners = np.concatenate(
        [np.stack([columns + dx, rows + dy], 1) for dx in (0, 1) for dy in (0, 1)]
    )
    return float(pdist(corners[ConvexHull(corners).vertices]).max()) * mpp_um


@settings(max_examples=15, deadline=None)
@given(x=st.integers(0, 1500), y=st.integers(0, 1200), w=st.integers(1, 300), h=st.integers(1, 300))
def test_a_window_shows_what_a_larger_one_shows(x: int, y: int, w: int, h: int) -> None:
    whole = SLIDES["A"].render(x - 7, y - 5, w + 20, h + 9)
    np.testing.assert_array_equal(SLIDES["A"].render(x, y, w, h), whole[5 : 5 + h, 7 : 7 + w])


def test_the_seed_decides() -> None:
    one, again, other = (
        SyntheticSlide(seed, 512, 384, 2.0).render(100, 80, 300, 200) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@pytest.mark.parametrize("stain", STAINS)
def test_optical_density_lies_in_the_plane_of_the_two_stains(stain: str) -> None:
    slide = SLIDES[stain]
    density = -np.log((slide.render(300, 300, 900, 900).reshape(-1, 3) + 1.0) / 246)
    density = density[density.sum(axis=1) > 0.6]
    weights = np.linalg.lstsq(slide.stain_matrix.T, density.T, rcond=None)[0]
    assert np.abs(density - weights.T @ slide.stain_matrix).mean() < 0.02


def test_nests_lie_in_tissue_apart_and_outside_the_last_piece() -> None:
    truth = load_truth(sample_slide_path())
    lattice = lattice_of(truth, 2.0)
    nests = [truth_mask({"nests": [nest]}, lattice) for nest in truth["nests"]]
    last = tissue_mask({"tissue": truth["tissue"][-1:]}, lattice)
    assert len(nests) > 3
    assert sum(nest.astype(int) for nest in nests).max() == 1
    assert (tissue_mask(truth, lattice) | ~truth_mask(truth, lattice)).all()
    assert not (truth_mask(truth, lattice) & last).any()


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("mpp_um", [1.0, 2.0, 4.0])
def test_feret_of_the_truth_mask_is_that_of_the_outline(seed: int, mpp_um: float) -> None:
    # Either end of a mask's Feret lies within half a pixel's diagonal of the outline's.
    layout = make_layout(seed, 5120, 3840, 0.5)
    for polygon in layout.nests:
        mask = outline_mask([polygon], Lattice.over(5120, 3840, PixelSize(0.5, 0.5), mpp_um))
        error_um = corner_feret_um(mask, mpp_um) - feret_px(polygon) * 0.5
        assert abs(error_um) <= math.sqrt(2) * mpp_um


def test_longest_feret_of_the_packaged_slide_is_within_one_map_pixel() -> None:
    truth = load_truth(sample_slide_path())
    feret_um = corner_feret_um(
        truth_mask({"nests": truth["nests"][:1]}, lattice_of(truth, 2.0)), 2.0
    )
    assert truth["longest_feret_mm"] > 1
    assert feret_um / 1000 == pytest.approx(truth["longest_feret_mm"], abs=0.002)


def test_a_written_slide_is_a_tiled_pyramid_with_micrometres(tmp_path: Path) -> None:
    slide = SyntheticSlide(9, 1500, 1100, 0.8, "B")
    path = write_slide(slide, tmp_path / "b.tif", quality=90)
    with tifffile.TiffFile(path) as tiff:
        pages = list(tiff.pages)
        assert [page.shape for page in pages] == [(1100, 1500, 3), (275, 375, 3)]
        assert all(page.is_tiled for page in pages)
        assert [page.is_reduced for page in pages] == [False, True]
        assert pages[0].get_resolution(unit=5) == pytest.approx((1.25, 1.25), rel=1e-6)
        written = pages[0].asarray().astype(int)
    assert np.abs(written - slide.render(0, 0, 1500, 1100)).mean() < 4
    assert load_truth(path)["nests"] == slide.truth()["nests"]


def test_the_packaged_slide_is_the_one_the_generator_draws() -> None:
    truth = load_truth(sample_slide_path())
    slide = SyntheticSlide(truth["seed"], truth["width"], truth["height"], truth["mpp"])
    stored = tifffile.imread(sample_slide_path(), key=0)[1000:1400, 1200:1700].astype(int)
    assert np.abs(stored - slide.render(1200, 1000, 500, 400)).mean() < 8
    assert slide.truth() == truth
    assert sample_slide_path().stat().st_size < 3e6
