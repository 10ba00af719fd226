"""What is known of an image, asked at the centres of a tile's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import PixelSize

Floats: TypeAlias = NDArray[np.float32]
Coordinates: TypeAlias = NDArray[np.float64]
# Beyond it exp(−a·d) is below 1/1000 of any use.
NEGLIGIBLE = 1e-3
# Larger rasters are compressed, by chunks.
PACKED_PX, CHUNK_PX = 4_000_000, 512


class Truth(Protocol):
    """What a sample is known to be, wherever one asks."""

    is_soft: bool
    """Values may be interpolated; else they are labels."""

    def at(self, ys: Coordinates, xs: Coordinates) -> tuple[NDArray[Any], Floats]:
        """Return (values, weights), each (len(ys), len(xs)), at level-0 coordinates."""
        ...


@dataclass(frozen=True, eq=False)
class RasterTruth:
    """Labels on a raster over the image: class numbers, or nuclei.

    Attributes
    ----------
    values : array of int (y, x)
        0 nothing, k class k or nucleus k, 255 of classes erased by hand.
    step : (x, y)
        Level-0 pixels per pixel of `values`.
    weight : array of float32 (y, x), optional
        How much each pixel counts, 0 not at all; all 1 by default.
    """

    values: Any
    step: tuple[float, float]
    weight: Any = None
    is_soft = False

    @classmethod
    def packed(
        cls, values: NDArray[Any], step: tuple[float, float], weight: Floats | None = None
    ) -> Self:
        """Return the truth with large rasters compressed: a hundred slides fit into memory."""
        return cls(_packed(values), step, None if weight is None else _packed(weight))

    def at(self, ys: Coordinates, xs: Coordinates) -> tuple[NDArray[Any], Floats]:
        """Return the nearest labels; weight 0 beyond the raster."""
        rows, columns = (
            np.floor(each / step).astype(np.int64)
            for each, step in zip((ys, xs), self.step[::-1], strict=True)
        )
        height, width = self.values.shape
        inside = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
        place = rows.clip(0, height - 1), columns.clip(0, width - 1)
        known = inside.astype(np.float32)
        if self.weight is not None:
            known *= _taken(self.weight, *place)
        return np.where(inside, _taken(self.values, *place), 0), known


def _taken(array: Any, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[Any]:
    """Return some rows and columns of an array, of which only their window is read."""
    top, left = rows.min(), columns.min()
    window = np.asarray(array[top : rows.max() + 1, left : columns.max() + 1])
    return window[np.ix_(rows - top, columns - left)]


def _packed(raster: NDArray[Any]) -> Any:
    """Return a raster, compressed in memory by chunks where it is large."""
    if raster.size <= PACKED_PX:
        return raster
    import zarr

    return zarr.create_array(zarr.storage.MemoryStore(), data=raster, chunks=(CHUNK_PX, CHUNK_PX))


@dataclass(frozen=True, eq=False)
class PointTruth:
    """Heat exp(−a·d) around points, d the distance in µm to the nearest one.

    Attributes
    ----------
    points : ndarray, float64 (n, 2)
        x, y in level-0 pixels.
    mpp : PixelSize
    decay_per_um : float
        a.
    size : (width, height)
        Of the image, level-0 pixels; beyond it nothing is known.
    """

    points: Coordinates
    mpp: PixelSize
    decay_per_um: float
    size: tuple[int, int]
    is_soft = True

    def at(self, ys: Coordinates, xs: Coordinates) -> tuple[Floats, Floats]:
        """Return the heat, 1 on a point."""
        known = np.outer((ys >= 0) & (ys < self.size[1]), (xs >= 0) & (xs < self.size[0]))
        square = np.full(known.shape, np.inf)
        reach = -np.log(NEGLIGIBLE) / self.decay_per_um
        for x, y in self._near(ys, xs, reach):
            dy, dx = (ys - y) * self.mpp.y, (xs - x) * self.mpp.x
            np.minimum(square, dy[:, None] ** 2 + dx[None, :] ** 2, out=square)
        heat = np.exp(-self.decay_per_um * np.sqrt(square))
        heat[heat < NEGLIGIBLE] = 0
        return heat.astype(np.float32), known.astype(np.float32)

    def _near(self, ys: Coordinates, xs: Coordinates, reach_um: float) -> Coordinates:
        x, y = self.points.reshape(-1, 2).T
        margin_x, margin_y = reach_um / self.mpp.x, reach_um / self.mpp.y
        near_x = (x > xs.min() - margin_x) & (x < xs.max() + margin_x)
        near_y = (y > ys.min() - margin_y) & (y < ys.max() + margin_y)
        near: Coordinates = self.points[near_x & near_y]
        return near


@dataclass(frozen=True, eq=False)
class ClassTruth:
    """One class for the whole image.

    Attributes
    ----------
    value : int
        Class number from 1.
    size : (width, height)
    """

    value: int
    size: tuple[int, int]
    is_soft = False

    def at(self, ys: Coordinates, xs: Coordinates) -> tuple[NDArray[Any], Floats]:
        """Return the class everywhere on the image."""
        known = np.outer((ys >= 0) & (ys < self.size[1]), (xs >= 0) & (xs < self.size[0]))
        return np.where(known, self.value, 0), known.astype(np.float32)
