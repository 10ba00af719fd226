"""Area means on a grid whose weights never depend on the window that is read.

The edges of an output pixel follow from its index on the whole grid, so that one large read cut
into pieces and many small reads of the same grid give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import SNAP, snap
from napari_breastpath.slides.backend import Pixels

# Grid positions are multiples of this part of an output pixel: sums with an index stay exact.
QUANTUM = 2.0**-20
RGB = 3
ReadWindow: TypeAlias = Callable[[tuple[int, int], tuple[int, int]], Pixels]


def quantised(value: float) -> float:
    """Return `value` rounded to a multiple of `QUANTUM`."""
    return round(value / QUANTUM) * QUANTUM


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of an output raster.

    Pixel k covers level-0 [(first + k)·step, (first + k + 1)·step).

    Attributes
    ----------
    first : float
        Position of pixel 0 in output pixels, counted from the slide's origin.
    count : int
        Number of pixels.
    step : float
        Level-0 pixels per output pixel.
    """

    first: float
    count: int
    step: float

    @classmethod
    def covering(cls, start: float, size: float, step: float) -> Axis:
        """Return the axis from level-0 `start` with round(size / step) pixels, at least one."""
        return cls(quantised(start / step), max(1, round(quantised(size / step))), step)

    def part(self, start: int, stop: int) -> Axis:
        """Return pixels `start` to `stop` of this axis."""
        return Axis(self.first + start, stop - start, self.step)

    def is_stored(self, downsample: float) -> bool:
        """Tell whether the axis has exactly the pixels of a level with that downsample."""
        return snap(self.step / downsample) == 1.0 and snap(self.first).is_integer()

    def edges(self, downsample: float) -> NDArray[np.float64]:
        """Return the `count` + 1 pixel edges in pixels of a level with that downsample."""
        edges = (self.first + np.arange(self.count + 1)) * snap(self.step / downsample)
        nearest = np.rint(edges)
        snapped: NDArray[np.float64] = np.where(np.abs(edges - nearest) < SNAP, nearest, edges)
        return snapped


@dataclass(frozen=True, slots=True)
class Footprint:
    """The source pixels [start, stop) that an axis needs, and how they are averaged.

    Attributes
    ----------
    start, stop : int
        In pixels of the level, may lie outside it.
    first : ndarray of int64, shape (count,)
        The first source pixel of every output pixel, counted from `start`.
    weights : ndarray of float32, shape (count, taps)
        Share of each source pixel from there on in the output pixel; rows sum to one.
    """

    start: int
    stop: int
    first: NDArray[np.int64]
    weights: NDArray[np.float32]


@lru_cache(maxsize=256)
def footprint(axis: Axis, downsample: float) -> Footprint:
    """Return which pixels of a level with that downsample the axis averages.

    Kept for the regions of the same row or column.
    """
    edges = axis.edges(downsample)
    start, stop = math.floor(edges[0]), math.ceil(edges[-1])
    left, right = edges[:-1, None], edges[1:, None]
    taps = int(np.max(np.ceil(right) - np.floor(left)))
    # All output pixels have as many taps: at the end, those of weight zero come first.
    first = np.minimum(np.floor(left), stop - taps)
    pixel = first + np.arange(taps)
    overlap = np.clip(np.minimum(right, pixel + 1) - np.maximum(left, pixel), 0, None)
    share = (overlap / (right - left)).astype(np.float32)
    return Footprint(start, stop, (first[:, 0] - start).astype(np.int64), share)


def area_means(
    read: ReadWindow, rows: Axis, columns: Axis, downsample_y: float, downsample_x: float
) -> Pixels:
    """Return the area means of an output raster.

    Parameters
    ----------
    read : callable
        Gives (h, w, channels) of the level for the spans [start, stop) of its rows and columns.
    rows, columns : Axis
        The output raster.
    downsample_y, downsample_x : float
        Of the level.

    Returns
    -------
    ndarray
        (rows.count, columns.count, channels), C order.
    """
    tall, wide = footprint(rows, downsample_y), footprint(columns, downsample_x)
    source = read((tall.start, tall.stop), (wide.start, wide.stop))
    if rows.is_stored(downsample_y) and columns.is_stored(downsample_x):
        return source if source.flags.writeable else source.copy()
    return averaged(source, tall, wide)


def averaged(source: Pixels, tall: Footprint, wide: Footprint) -> Pixels:
    """Return the area means of (h, w, channels), to the nearest integer, halves up."""
    from napari_breastpath.slides.kernels import average

    height, _, channels = source.shape
    shape = len(tall.first), len(wide.first), channels
    out = np.empty(shape, source.dtype)
    # One type of array, so that Numba compiles once: C order, and read-only as cached chunks are.
    flat = np.ascontiguousarray(source).reshape(height, -1)
    flat.setflags(write=False)
    into = out.reshape(shape[0], -1)
    average(flat, tall.first, tall.weights, wide.first, wide.weights, into, channels == RGB)
    return out
