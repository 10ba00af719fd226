"""Area means on a grid whose weights never depend on the window that is read.

The edges of an output pixel follow from its index on the whole grid, so that one large read cut
into pieces and many small reads of the same grid give the same bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import SNAP, snap
from napari_breastpath.slides.backend import Pixels

# Grid positions are multiples of this part of an output pixel: sums with an index stay exact.
QUANTUM = 2.0**-20


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
    taken_as_is = stop - start == axis.count and bool(np.all(edges == np.rint(edges)))
    weights = None if taken_as_is else area_weights(edges, start, stop)
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


def resample(source: Pixels, rows: Footprint, columns: Footprint) -> Pixels:
    """Return the area means of `source` (h, w, channels), cut at the footprints' starts."""
    image: NDArray[Any] = source
    if rows.weights is not None:
        image = average_rows(rows.weights, image)
    if columns.weights is not None:
        image = average_rows(columns.weights, image.transpose(1, 0, 2)).transpose(1, 0, 2)
    return image if image.dtype == source.dtype else rounded(image, source.dtype)


def average_rows(weights: Any, image: NDArray[Any]) -> NDArray[np.float32]:
    """Return weights @ image over the first axis; each output sums its taps in the same order."""
    flat = np.ascontiguousarray(image, dtype=np.float32).reshape(image.shape[0], -1)
    averaged: NDArray[np.float32] = (weights @ flat).reshape(-1, *image.shape[1:])
    return averaged


def rounded(image: NDArray[np.float32], dtype: np.dtype[Any]) -> Pixels:
    """Return the nearest integers (halves up) in C order; area means never leave the range."""
    image += np.float32(0.5)
    return image.astype(dtype, order="C")
