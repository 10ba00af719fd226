"""Geometry is the only arithmetic of space: it must agree with itself at every scale."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_breastpath.core.errors import SlideError
from napari_breastpath.core.geometry import Box, Lattice, Level, PixelSize, output_stride

SIZES = st.integers(1, 200_000)
MPP = st.floats(0.05, 20)


@pytest.mark.parametrize(
    ("mpp", "stride"), [(0.25, 8), (0.5, 4), (1.0, 2), (1.5, 2), (2.0, 1), (3.5, 1), (0.499, 8)]
)
def test_output_stride_is_the_smallest_power_of_two_that_reaches_two_micrometres(
    mpp: float, stride: int
) -> None:
    assert output_stride(mpp) == stride


@given(SIZES, SIZES, MPP, MPP, MPP)
def test_a_lattice_covers_the_slide_and_nothing_more(
    width: int, height: int, mpp_x: float, mpp_y: float, mpp: float
) -> None:
    lattice = Lattice.over(width, height, PixelSize(mpp_x, mpp_y), mpp)
    for pixels, step, size in (
        (lattice.width, lattice.step_x, width),
        (lattice.height, lattice.step_y, height),
    ):
        assert pixels * step >= size - 1e-5 * step
        assert (pixels - 1) * step < size


@given(SIZES, SIZES, MPP, st.integers(0, 6))
def test_coarser_lattices_are_the_lattices_of_coarser_pixels(
    width: int, height: int, mpp: float, k: int
) -> None:
    fine = Lattice.over(width, height, PixelSize(0.25, 0.25), mpp)
    coarse = Lattice.over(width, height, PixelSize(0.25, 0.25), mpp * 2**k)
    assert fine.coarser(2**k).shape == coarse.shape


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 99), st.integers(1, 99), MPP)
def test_the_window_of_a_box_is_the_box_of_the_window(
    row: int, column: int, height: int, width: int, mpp: float
) -> None:
    lattice = Lattice.over(10_000, 9_000, PixelSize(0.3, 0.4), mpp)
    rows, columns = lattice.window(lattice.box(row, column, height, width))
    assert rows.start == min(row, lattice.height)
    assert rows.stop == min(row + height, lattice.height)
    assert columns == slice(min(column, lattice.width), min(column + width, lattice.width))


def test_boxes_that_only_touch_share_nothing() -> None:
    box = Box(0, 0, 10, 10)
    assert box.intersection(Box(10, 0, 5, 5)) is None
    assert box.intersection(Box(8, 8, 5, 5)) == Box(8, 8, 2, 2)


def test_a_level_takes_its_downsample_from_the_shapes() -> None:
    level = Level.of(768, 575, 2967, 2220)
    assert level.downsample == pytest.approx(3.862, abs=0.001)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_pixel_size_is_positive_and_finite(bad: float) -> None:
    with pytest.raises(ValueError, match="not a pixel size"):
        PixelSize(bad, 0.5)


def test_an_error_is_one_line_whatever_it_quotes() -> None:
    error = SlideError("a.svs", "broken\n  header", "export it again")
    assert str(error) == "a.svs: broken header; export it again"
