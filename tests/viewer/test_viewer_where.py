"""Which part of the slide is meant by what is on screen or selected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.layers import Shapes

from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.viewer import where
from napari_breastpath.viewer.coordinates import world_placement

MPP = PixelSize(0.5, 0.25)


@given(st.floats(1, 500), st.floats(1, 500), st.floats(0.05, 20), st.integers(50, 2000))
def test_the_view_is_as_large_as_the_canvas(y: float, x: float, zoom: float, size: int) -> None:
    corners = where.view_corners((0.0, y, x), zoom, (size, 2 * size))
    assert np.allclose(corners.mean(axis=0), (y, x))
    assert np.allclose((corners[1] - corners[0]) * zoom, (size, 2 * size))


def test_the_view_is_clipped_to_the_slide() -> None:
    box = where.view_box(np.array([[-100.0, -100.0], [50.0, 100.0]]), MPP, 1000, 1000)
    assert (box.x, box.y) == (0, 0)
    assert (box.width, box.height) == pytest.approx((200.5, 200.5))


def test_a_slide_out_of_view_is_said() -> None:
    with pytest.raises(UsageError, match="out of view"):
        where.view_box(np.array([[-100.0, -100.0], [-50.0, -50.0]]), MPP, 1000, 1000)


def test_selected_areas_become_polygons_of_the_slide() -> None:
    square = np.array([[0.0, 0.0], [0.0, 10.0], [10.0, 10.0], [10.0, 0.0]])
    layer = Shapes(
        [square, square, square[:2]],
        shape_type=["rectangle", "ellipse", "line"],
        **world_placement(),
    )
    layer.selected_data = {0, 1, 2}
    rectangle, ellipse = where.polygons(where.selected_outlines(layer), MPP)
    assert np.allclose(rectangle[2], (20.5, 40.5))
    radius = np.hypot(*(np.array(ellipse) - (10.5, 20.5)).T * np.array([[0.5], [0.25]]))
    assert np.allclose(radius, 5)


def test_shapes_in_pixels_of_another_layer_are_where_they_are_seen() -> None:
    layer = Shapes([np.array([[0, 0], [0, 1], [1, 1], [1, 0]])], scale=(50, 50), translate=(5, 5))
    layer.selected_data = {0}
    ((first, *_),) = where.polygons(where.selected_outlines(layer), PixelSize(1, 1))
    assert first == (5.5, 5.5)


def test_nothing_selected_is_said() -> None:
    with pytest.raises(UsageError, match="no area is selected; draw one"):
        where.polygons([], MPP)
