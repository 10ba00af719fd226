"""Which tiles of a grid hold tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.grid import Grid

__all__ = ["BoolArray", "Grid", "tiles_touching", "window_sums"]

BoolArray = NDArray[np.bool_]


def window_sums(
    mask: BoolArray,
    tops: NDArray[np.int64],
    bottoms: NDArray[np.int64],
    lefts: NDArray[np.int64],
    rights: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Count true pixels in the windows rows [tops, bottoms) × columns [lefts, rights)."""
    table = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(mask, axis=0, dtype=np.int64), axis=1, out=table[1:, 1:])
    lines = table[bottoms] - table[tops]
    counts: NDArray[np.int64] = lines[:, rights] - lines[:, lefts]
    return counts


def tiles_touching(grid: Grid, mask: BoolArray, factor: int) -> BoolArray:
    """Return which tiles hold a true pixel of `mask`.

    Parameters
    ----------
    grid : Grid
    mask : ndarray, bool (y, x)
        On `grid.map_lattice.coarser(factor)`.
    factor : int
        Map pixels per mask pixel, along an edge.

    Returns
    -------
    ndarray, bool (rows, columns)
        Shape `grid.shape`.
    """
    edges = []
    for count, pixels, size in zip(grid.shape, mask.shape, grid.map_lattice.shape, strict=True):
        starts = np.arange(count) * grid.map_pitch
        stops = np.minimum(starts + grid.map_tile, size)
        edges += [starts // factor, np.minimum(-(-stops // factor), pixels)]
    return window_sums(mask, *edges) > 0
