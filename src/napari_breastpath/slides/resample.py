"""Area means on a grid whose weights never depend on the window that is read.

The edges of an output pixel follow from its index on the whole grid, so that one large read cut
into pieces and many small reads of the same grid give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import SNAP, snap
from napari_breastpath.slides.backend import Pixels

# Grid positions are multiples of this part of an output pixel: sums with an index stay exact.
QUANTUM = 2.0**-20
STRIP_ROWS = 128
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
    weights : scipy.sparse.csr_array or None
        (count, stop − start) float32, rows sum to one; None where pixels are taken as they are.
    """

    start: int
    stop: int
    weights: Any


def footprint(axis: Axis, downsample: float) -> Footprint:
    """Return which pixels of a level with that downsample the axis averages."""
    edges = axis.edges(downsample)
    start, stop = math.floor(edges[0]), math.ceil(edges[-1])
    weights = None if axis.is_stored(downsample) else area_weights(edges, start, stop)
    return Footprint(start, stop, weights)


def area_weights(edges: NDArray[np.float64], start: int, stop: int) -> Any:
    """Return the share of each source pixel in each output pixel as a sparse matrix."""
    from scipy.sparse import csr_array

    left, right = edges[:-1, None], edges[1:, None]
    taps = int(np.max(np.ceil(right) - np.floor(left)))
    pixel = np.floor(left) + np.arange(taps)
    overlap = np.clip(np.minimum(right, pixel + 1) - np.maximum(left, pixel), 0, None)
    share = (overlap / (right - left)).astype(np.float32)
    # Taps beyond an output pixel's right edge have weight zero: they may point anywhere inside.
    columns = np.clip(pixel - start, 0, stop - start - 1).astype(np.int32)
    rows = np.arange(0, share.size + 1, taps, dtype=np.int32)
    return csr_array((share.ravel(), columns.ravel(), rows), shape=(len(share), stop - start))


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
    wide = footprint(columns, downsample_x)
    if rows.is_stored(downsample_y) and columns.is_stored(downsample_x):
        tall = footprint(rows, downsample_y)
        source = read((tall.start, tall.stop), (wide.start, wide.stop))
        return source if source.flags.writeable else source.copy()
    strips = []
    # Strips keep what is read and averaged in the processor's cache: three times as fast.
    for start in range(0, rows.count, STRIP_ROWS):
        part = rows.part(start, min(start + STRIP_ROWS, rows.count))
        tall = footprint(part, downsample_y)
        source = read((tall.start, tall.stop), (wide.start, wide.stop))
        strips.append(mean_of_strip(source, tall, wide))
    return cast("Pixels", np.concatenate(strips))


def mean_of_strip(strip: Pixels, tall: Footprint, wide: Footprint) -> Pixels:
    """Return the area means of (h, w, channels); every sum runs over its taps in the same order."""
    flat: NDArray[Any] = strip.reshape(len(strip), -1)
    if tall.weights is not None:
        flat = tall.weights @ flat.astype(np.float32)
    if wide.weights is not None:
        across = np.ascontiguousarray(flat.T, dtype=np.float32).reshape(strip.shape[1], -1)
        flat = (wide.weights @ across).reshape(-1, len(flat)).T
    if flat.dtype != strip.dtype:
        flat = rounded(flat, strip.dtype)
    # Turned back as a matrix first: copying three dimensions at once is far slower.
    return np.ascontiguousarray(flat).reshape(len(flat), -1, strip.shape[2])


def rounded(means: NDArray[np.float32], dtype: np.dtype[Any]) -> Pixels:
    """Return the nearest integers, halves up; area means never leave the range."""
    means += np.float32(0.5)
    return means.astype(dtype)
