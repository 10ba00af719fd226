"""The 28 heatmap features against the winner's definition, written out with scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import block_reduce, label, regionprops

from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure import (
    CHALLENGE_MINIMUM_AXIS_PX,
    FEATURE_NAMES,
    heatmap_features,
    slide_score,
)


def longest_axis(mask):
    return max((region.axis_major_length for region in regionprops(label(mask))), default=0.0)


def literal(heat, whole=1):
    """The winner's features of a heatmap whose 1.0 is stored as `whole`."""
    found = {}
    for factor in (4, 16, 64, 256):
        small = block_reduce(heat, (factor, factor), np.mean) / whole
        for t in (0.5, 0.9):
            found[f"{factor}_major_axis_t{t}"] = longest_axis(small > t) * factor
            tissue = (small > 0).sum()
            found[f"{factor}_tumor_ratio_t{t}"] = (small > t).sum() / tissue if tissue else 0.0
        found |= {f"{factor}_{n}": getattr(np, n)(small) for n in ("max", "mean", "std")}
    return found


def smooth(shape, seed, sigma=12.0):
    """A map with foci over both thresholds and empty borders."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma)
    heat = 1 / (1 + np.exp(-5 * noise / (noise.std() or 1)))
    heat[:, : shape[1] // 4] = 0
    return heat


@pytest.mark.parametrize("shape", [(700, 530), (512, 256), (257, 1), (3, 1100)])
def test_equal_to_the_winners_definition(shape):
    heat = smooth(shape, seed=1)
    assert heatmap_features(heat) == pytest.approx(literal(heat), rel=1e-9, abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 99), st.floats(0, 8))
def test_equal_to_the_winners_definition_on_any_map(height, width, seed, sigma):
    heat = smooth((height, width), seed, sigma) if sigma > 0.5 else np.zeros((height, width))
    assert heatmap_features(heat) == pytest.approx(literal(heat), rel=1e-9, abs=1e-9)


def test_names_are_those_of_the_contract():
    parts = "major_axis_t0.5, major_axis_t0.9, tumor_ratio_t0.5, tumor_ratio_t0.9, max, mean, std"
    names = tuple(f"{s}_{part}" for s in (4, 16, 64, 256) for part in parts.split(", "))
    assert names == FEATURE_NAMES
    assert tuple(heatmap_features(np.zeros((10, 10)))) == names
    assert len(names) == 28


def test_stored_bytes_stand_for_their_255ths_in_memory_and_in_zarr():
    stored = np.rint(smooth((900, 700), seed=3) * 255).astype(np.uint8)
    from_bytes = heatmap_features(stored)
    # Not the features of stored / 255: there, blocks that lie on 0.9 exactly would be rounded.
    assert from_bytes == pytest.approx(literal(stored.astype(float), 255), rel=1e-9)
    assert from_bytes == heatmap_features(zarr.array(stored, chunks=(256, 256)))


def test_a_map_of_many_bands_is_read_by_rows_and_gives_the_same():
    wide = np.rint(np.tile(smooth((300, 900), seed=4), (3, 20)) * 255).astype(np.uint8)
    read = []

    class Rows:
        shape, dtype = wide.shape, wide.dtype

        def __getitem__(self, rows):
            read.append(rows.stop - rows.start)
            return wide[rows]

    assert heatmap_features(Rows()) == pytest.approx(literal(wide.astype(float), 255), rel=1e-9)
    assert len(read) > 1
    assert sum(read) == len(wide)


@pytest.mark.parametrize(("value", "ratio"), [(0.5, 0.0), (0.5 + 1e-6, 1.0)])
def test_the_threshold_is_strict(value, ratio):
    assert heatmap_features(np.full((512, 512), value))["4_tumor_ratio_t0.5"] == ratio


def test_bytes_on_the_threshold_are_not_over_it():
    on = np.full((4, 4), 229, np.uint8)
    on[:2] = 230  # mean 229.5 / 255 = 0.9
    assert heatmap_features(on)["4_tumor_ratio_t0.9"] == 0.0
    on[0, 0] = 231
    assert heatmap_features(on)["4_tumor_ratio_t0.9"] == 1.0


def test_what_was_never_inferred_counts_as_the_zero_stored_for_it():
    heat = smooth((256, 256), seed=5)
    assert heatmap_features(np.where(heat == 0, np.nan, heat)) == heatmap_features(heat)


def test_the_challenges_minimum_axis_is_an_option():
    heat = np.zeros((1024, 1024))
    heat[:, :64], heat[:400, 512:516] = 1, 1
    plain = heatmap_features(heat)
    assert plain["4_major_axis_t0.9"] > CHALLENGE_MINIMUM_AXIS_PX
    heat[:, :64] = 0
    short = heatmap_features(heat)["4_major_axis_t0.9"]
    assert 400 < short < CHALLENGE_MINIMUM_AXIS_PX
    cut = heatmap_features(heat, minimum_axis_px=CHALLENGE_MINIMUM_AXIS_PX)
    assert cut["4_major_axis_t0.9"] == 0.0
    assert cut["4_max"] == 1.0


def test_the_slide_score_is_the_maximum_of_the_sixteenth_map():
    heat = smooth((700, 530), seed=6)
    score = slide_score(heatmap_features(heat))
    assert score.name == "max_of_1/16_map"
    assert score.value == pytest.approx(block_reduce(heat, (16, 16), np.mean).max())


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 4)), np.zeros((2, 4, 4)), np.full((4, 4), 7.0), np.full((4, 4), -0.1)]
)
def test_maps_without_sense_are_refused(bad):
    with pytest.raises(UsageError, match="probability"):
        heatmap_features(bad)
