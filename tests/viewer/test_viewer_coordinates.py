"""Level-0 pixels, rasters and napari's world are one space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Labels

from napari_breastpath.core.geometry import Box, Lattice, PixelSize
from napari_breastpath.viewer import coordinates

MPP = PixelSize(0.25, 0.5)
SIZES = st.floats(0.05, 20)
POINTS = st.floats(-1e6, 1e6)


@given(x=POINTS, y=POINTS, mpp_x=SIZES, mpp_y=SIZES)
def test_world_and_back(x: float, y: float, mpp_x: float, mpp_y: float) -> None:
    mpp = PixelSize(mpp_x, mpp_y)
    back = coordinates.to_level0(coordinates.to_world([(x, y)], mpp), mpp)
    assert back == pytest.approx(np.array([(x, y)]), rel=1e-9, abs=1e-6)


def test_the_centre_of_the_first_pixel_is_the_worlds_origin() -> None:
    assert coordinates.to_world([(0.5, 0.5)], MPP).tolist() == [[0.0, 0.0]]


@given(factor=st.floats(1, 40), row=st.integers(0, 9), column=st.integers(0, 9))
def test_a_raster_lies_over_the_pixels_that_it_covers(factor: float, row: int, column: int) -> None:
    lattice = Lattice.over(1000, 1000, MPP, (MPP.x * factor, MPP.y * factor))
    arguments = coordinates.lattice_placement(lattice, MPP)
    placed = np.array(arguments["scale"]) * (row, column) + arguments["translate"]
    box = lattice.box(row, column, 1, 1)
    middle = coordinates.to_world([(box.x + box.width / 2, box.y + box.height / 2)], MPP)[0]
    assert placed == pytest.approx(middle, abs=1e-6)


def test_units_are_micrometres_everywhere() -> None:
    for arguments in (coordinates.slide_placement(MPP), coordinates.world_placement()):
        layer = Labels(np.zeros((4, 4), np.uint8), **arguments)
        assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
        assert layer.axis_labels == ("y", "x")


def test_corners_of_a_box() -> None:
    corners = coordinates.box_corners(Box(0.5, 0.5, 4, 2), MPP)
    assert corners.tolist() == [[0, 0], [0, 1], [1, 1], [1, 0]]
