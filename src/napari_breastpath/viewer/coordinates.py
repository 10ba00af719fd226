"""Where things are in napari's world: µm, with the centre of level-0 pixel (0, 0) at 0.

Besides `slides`, the only place that converts. Level-0 coordinates count from the *outer corner* of
pixel (0, 0), napari puts the *centre* of a layer's pixel 0 at its `translate`, so
world µm = (coordinate − 0.5) · µm/px, and a raster of coarser pixels starts half the difference in
pixel size further.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_breastpath.core.geometry import Box, Lattice, PixelSize

UNITS = ("um", "um")
AXES = ("y", "x")


def placement(raster_mpp: tuple[float, float], slide_mpp: PixelSize) -> dict[str, Any]:
    """Return napari's layer arguments for a raster over a slide.

    Parameters
    ----------
    raster_mpp : (float, float)
        µm per pixel of the raster's level 0 in x and y.
    slide_mpp : PixelSize
        µm per level-0 pixel of the slide.

    Returns
    -------
    dict
        `scale`, `translate` (y, x in µm), `units` and `axis_labels`.
    """
    (mpp_x, mpp_y), (slide_x, slide_y) = raster_mpp, slide_mpp
    return {
        "scale": (mpp_y, mpp_x),
        "translate": ((mpp_y - slide_y) / 2, (mpp_x - slide_x) / 2),
        "units": UNITS,
        "axis_labels": AXES,
    }


def slide_placement(mpp: PixelSize) -> dict[str, Any]:
    """Return napari's layer arguments for the slide itself."""
    return placement((mpp.x, mpp.y), mpp)


def lattice_placement(lattice: Lattice, slide_mpp: PixelSize) -> dict[str, Any]:
    """Return napari's layer arguments for a map, mask or tissue raster."""
    return placement(lattice.mpp, slide_mpp)


def world_placement() -> dict[str, Any]:
    """Return napari's layer arguments for shapes and points that are given in world µm."""
    return {"scale": (1.0, 1.0), "translate": (0.0, 0.0), "units": UNITS, "axis_labels": AXES}


def to_world(points: ArrayLike, mpp: PixelSize) -> NDArray[np.float64]:
    """Return (n, 2) level-0 (x, y) as (n, 2) world (y, x) in µm."""
    level0 = np.asarray(points, dtype=float).reshape(-1, 2)
    world: NDArray[np.float64] = ((level0 - 0.5) * (mpp.x, mpp.y))[:, ::-1]
    return world


def to_level0(points: ArrayLike, mpp: PixelSize) -> NDArray[np.float64]:
    """Return (n, 2) world (y, x) in µm as (n, 2) level-0 (x, y)."""
    world = np.asarray(points, dtype=float).reshape(-1, 2)
    level0: NDArray[np.float64] = world[:, ::-1] / (mpp.x, mpp.y) + 0.5
    return level0


def box_corners(box: Box, mpp: PixelSize) -> NDArray[np.float64]:
    """Return the four corners of a box as world (y, x) in µm, clockwise from the top left."""
    left, top, right, bottom = box.x, box.y, box.right, box.bottom
    return to_world([(left, top), (right, top), (right, bottom), (left, bottom)], mpp)
