"""Operations in µm, held against the same written down pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_breastpath.edits import operations

MPPS = ((2.0, 2.0), (2.0, 3.0), (0.7, 0.5))
SHAPE = (23, 31)
EIGHT = np.ones((3, 3))

masks = st.integers(0, 2**32 - 1).map(
    lambda seed: (
        ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 1.5) > 0.1
    )
)
mpps = st.sampled_from(MPPS)
lengths_um = st.integers(10, 2000).map(lambda hundredths: hundredths / 100)  # ties are exact
coordinates = st.tuples(st.floats(-4, 27), st.floats(-4, 35))


def centres(mpp: tuple[float, float], shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """(y, x) of every pixel's centre in µm, shape (n, 2)."""
    return (np.argwhere(np.ones(shape)) + 0.5) * mpp[::-1]


def distances(where: np.ndarray, mpp: tuple[float, float]) -> np.ndarray:
    """Distance in µm of every pixel to the nearest of some."""
    own, others = centres(mpp), centres(mpp)[where.ravel()]
    return np.linalg.norm(own[:, None] - others, axis=2).min(axis=1).reshape(where.shape)


@given(lengths_um, mpps)
def test_a_disc_is_what_lies_within_its_radius(radius: float, mpp: tuple) -> None:
    disc = operations.disc(radius, mpp)
    middle = np.zeros(disc.shape, bool)
    middle[disc.shape[0] // 2, disc.shape[1] // 2] = True
    near = np.argwhere(np.ones(disc.shape)) - np.argwhere(middle)
    expected = np.linalg.norm(near * mpp[::-1], axis=1) <= radius + 1e-6
    np.testing.assert_array_equal(disc.ravel(), expected)


@settings(deadline=None)
@given(masks, lengths_um, mpps)
def test_growing_and_shrinking_go_by_distance(mask: np.ndarray, um: float, mpp: tuple) -> None:
    if mask.any():
        grown = operations.grow(mask, um, mpp)
        np.testing.assert_array_equal(grown, distances(mask, mpp) <= um + 1e-6)
    if not mask.all():
        shrunk = operations.grow(mask, -um, mpp)
        np.testing.assert_array_equal(shrunk, distances(~mask, mpp) > um + 1e-6)


@settings(deadline=None)
@given(masks, st.integers(10, 800).map(lambda hundredths: hundredths / 100), mpps)
def test_smoothing_is_what_most_neighbours_are(mask: np.ndarray, um: float, mpp: tuple) -> None:
    near = operations.disc(um, mpp).astype(int)
    counts = ndimage.convolve(mask.astype(int), near, mode="constant")
    np.testing.assert_array_equal(operations.smooth(mask, um, mpp), 2 * counts > near.sum())


@given(masks, lengths_um, mpps, st.integers(1, 200))
@settings(deadline=None, max_examples=30)
def test_bands_give_the_same_as_the_whole(
    mask: np.ndarray, um: float, mpp: tuple, pixels: int
) -> None:
    whole = [operations.smooth(mask, um, mpp), operations.grow(mask, um, mpp)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "BAND_PIXELS", pixels)
        np.testing.assert_array_equal(operations.smooth(mask, um, mpp), whole[0])
        np.testing.assert_array_equal(operations.grow(mask, um, mpp), whole[1])


@settings(deadline=None)
@given(masks)
def test_holes_are_background_that_does_not_reach_the_edge(mask: np.ndarray) -> None:
    labels, _ = ndimage.label(np.pad(~mask, 1, constant_values=True))  # 4-connected
    expected = (labels != labels[0, 0])[1:-1, 1:-1]
    np.testing.assert_array_equal(operations.fill_holes(mask), expected)


@settings(deadline=None)
@given(masks, st.integers(1, 60), mpps)
def test_islands_below_an_area_go(mask: np.ndarray, pixels: int, mpp: tuple) -> None:
    kept = operations.remove_islands(mask, pixels * mpp[0] * mpp[1] / 1e6, mpp)
    expected = np.zeros_like(mask)
    labels, count = ndimage.label(mask, EIGHT)
    for label in range(1, count + 1):
        expected |= (labels == label) & ((labels == label).sum() >= pixels)
    np.testing.assert_array_equal(kept, expected)


@settings(deadline=None)
@given(st.lists(coordinates, min_size=1, max_size=5), lengths_um, mpps)
def test_a_line_is_what_lies_within_half_its_width(points: list, um: float, mpp: tuple) -> None:
    corners = np.array(points) * mpp[::-1]
    distance = np.full(SHAPE[0] * SHAPE[1], np.inf)
    for a, b in zip(corners, [*corners[1:], corners[-1]], strict=True):
        along = (centres(mpp) - a) @ (b - a) / max((b - a) @ (b - a), 1e-300)
        nearest = a + np.clip(along, 0, 1)[:, None] * (b - a)
        distance = np.minimum(distance, np.linalg.norm(centres(mpp) - nearest, axis=1))
    line = operations.line_mask(SHAPE, points, um, mpp).ravel()
    clear = abs(distance - um / 2) > 1e-6
    np.testing.assert_array_equal(line[clear], distance[clear] <= um / 2)


@settings(deadline=None)
@given(st.lists(coordinates, min_size=3, max_size=7))
def test_a_polygon_holds_the_centres_it_winds_around(points: list) -> None:
    angles = np.zeros(SHAPE[0] * SHAPE[1])
    clear = np.ones(SHAPE[0] * SHAPE[1], bool)
    for a, b in zip(points, [*points[1:], points[0]], strict=True):
        from_a, from_b = (np.array(p) - centres((1, 1)) for p in (a, b))
        cross = from_a[:, 0] * from_b[:, 1] - from_a[:, 1] * from_b[:, 0]
        angles += np.arctan2(cross, (from_a * from_b).sum(axis=1))
        clear &= (abs(cross) > 1e-6) | ((from_a * from_b).sum(axis=1) > 0)
    polygon = operations.polygon_mask(SHAPE, points).ravel()
    np.testing.assert_array_equal(polygon[clear], abs(angles[clear]) > np.pi)


@given(st.floats(0, 5), mpps, st.tuples(coordinates, coordinates))
def test_no_8_neighbours_reach_across_a_separating_line(um: float, mpp: tuple, ends: tuple) -> None:
    (y, x), (far_y, far_x) = ends
    if np.hypot(far_y - y, far_x - x) < 1:
        return
    start = (y - 99 * (far_y - y), x - 99 * (far_x - x))
    end = (far_y + 99 * (far_y - y), far_x + 99 * (far_x - x))
    line = operations.line_mask(SHAPE, [start, end], operations.separating_width(um, mpp), mpp)
    side = np.cross([*np.subtract(end, start), 0], [[*p, 0] for p in centres((1, 1)) - start])
    left = (side[:, 2] > 0).reshape(SHAPE) & ~line
    right = (side[:, 2] < 0).reshape(SHAPE) & ~line
    assert not (ndimage.binary_dilation(left, EIGHT) & right).any()


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_a_probable_disc_is_where_the_probability_is_higher(threshold: float) -> None:
    heat = np.random.default_rng(1).integers(0, 256, SHAPE).astype(np.uint8)
    found = operations.probable(heat, (10.5, 10.5), 8.0, (2.0, 3.0), threshold)
    middle = np.zeros(SHAPE, bool)
    middle[10, 10] = True
    expected = (distances(middle, (2.0, 3.0)) <= 8) & (heat / 255 > threshold)
    np.testing.assert_array_equal(found, expected)
