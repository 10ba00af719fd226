"""Which part of the slide is meant: all of it, what is on screen, or the selected shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.geometry import Box, PixelSize
from napari_breastpath.viewer.coordinates import to_level0

WHOLE, VIEW, SHAPES = "whole slide", "what I see", "selected shapes"
PLACES = (WHOLE, VIEW, SHAPES)
AREAS = ("polygon", "rectangle", "ellipse")
ELLIPSE_CORNERS = 64


def view_corners(
    center: Sequence[float], zoom: float, canvas: Sequence[float]
) -> NDArray[np.float64]:
    """Return the (y, x) world µm of the top-left and bottom-right corners of the view.

    Parameters
    ----------
    center : sequence of float
        The camera's centre, (…, y, x) in world µm.
    zoom : float
        Canvas pixels per world µm.
    canvas : sequence of float
        Height and width of the canvas in pixels.
    """
    middle, half = np.asarray(center[-2:], float), np.asarray(canvas, float) / (2 * zoom)
    return np.stack([middle - half, middle + half])


def view_box(corners: NDArray[np.float64], mpp: PixelSize, width: int, height: int) -> Box:
    """Return the part of a `width` × `height` slide within two world corners.

    Raises
    ------
    UsageError
        Nothing of the slide is in view.
    """
    (left, top), (right, bottom) = to_level0(corners, mpp)
    seen = Box(left, top, right - left, bottom - top).intersection(Box(0, 0, width, height))
    if seen is None:
        raise UsageError("What I see", "the slide is out of view", "move it into view first")
    return seen


def ellipse_outline(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points on the ellipse that napari keeps as the four corners of its bounding box."""
    center = corners.mean(axis=0)
    one, two = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, None]
    outline: NDArray[np.float64] = center + np.cos(angle) * one + np.sin(angle) * two
    return outline


def selected_outlines(layer: Any) -> list[NDArray[np.float64]]:
    """Return the outlines, (y, x) in world µm, of a Shapes layer's selected areas."""
    chosen = sorted(layer.selected_data)
    shapes = [(layer.shape_type[i], np.asarray(layer.data[i], float)[:, -2:]) for i in chosen]
    areas = [ellipse_outline(d) if kind == "ellipse" else d for kind, d in shapes if kind in AREAS]
    return [np.stack([layer.data_to_world(point) for point in area])[:, -2:] for area in areas]


def polygons(
    outlines: Sequence[NDArray[np.float64]], mpp: PixelSize
) -> list[list[tuple[float, float]]]:
    """Return outlines in world µm as polygons, (x, y) in level-0 pixels.

    Raises
    ------
    UsageError
        There are none.
    """
    if not outlines:
        advice = "draw one in a Shapes layer and select it (or choose another place)"
        raise UsageError("Selected shapes", "no area is selected", advice)
    return [[(float(x), float(y)) for x, y in to_level0(o, mpp)] for o in outlines]
