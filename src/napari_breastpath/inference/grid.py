"""The tiles of a slide at a model's µm/px: where each is read and where it lands in the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import Box, Lattice

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Grid:
    """Overlapping square tiles over a slide, anchored at its origin.

    Attributes
    ----------
    lattice : Lattice
        The model's input raster over the slide.
    map_lattice : Lattice
        The map, `output_stride` times coarser.
    tile, overlap : int
        Edge of a tile and what it shares with the next, in model input pixels; multiples of the
        output stride.
    """

    lattice: Lattice
    map_lattice: Lattice
    tile: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.tile:
            raise ValueError(f"overlap {self.overlap} px does not fit tiles of {self.tile} px")
        if self.tile % self.output_stride or self.overlap % self.output_stride:
            raise ValueError(f"tile and overlap must be multiples of {self.output_stride} px")

    @classmethod
    def over(cls, lattice: Lattice, tile: int, overlap: int, output_stride: int) -> Grid:
        """Return the grid over a model input lattice."""
        return cls(lattice, lattice.coarser(output_stride), tile, overlap)

    @property
    def output_stride(self) -> int:
        """Model input pixels per map pixel, along an edge."""
        return round(self.map_lattice.step_x / self.lattice.step_x)

    @property
    def map_tile(self) -> int:
        """Edge of a tile in map pixels."""
        return self.tile // self.output_stride

    @property
    def map_pitch(self) -> int:
        """Map pixels from one tile to the next."""
        return (self.tile - self.overlap) // self.output_stride

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of tiles; the last ones may reach beyond the slide."""
        pitch = self.tile - self.overlap
        rows, columns = (max(1, -(-(n - self.overlap) // pitch)) for n in self.lattice.shape)
        return rows, columns

    def box(self, row: int, column: int) -> Box:
        """Return where a tile is read, in level-0 pixels."""
        pitch = self.tile - self.overlap
        return self.lattice.box(row * pitch, column * pitch, self.tile, self.tile)

    def window(self, row: int, column: int) -> tuple[slice, slice]:
        """Return the map pixels (rows, columns) of a tile, clipped to the map."""
        return (
            slice(row * self.map_pitch, min(row * self.map_pitch + self.map_tile, self._map[0])),
            slice(
                column * self.map_pitch,
                min(column * self.map_pitch + self.map_tile, self._map[1]),
            ),
        )

    @property
    def _map(self) -> tuple[int, int]:
        return self.map_lattice.shape

    def touching(self, rows: slice, columns: slice) -> tuple[range, range]:
        """Return the tile rows and columns that reach into a window of the map."""
        spans = zip((rows, columns), self.shape, strict=True)
        first_last = [
            range(
                max(0, (span.start - self.map_tile) // self.map_pitch + 1),
                min(count, -(-span.stop // self.map_pitch)),
            )
            for span, count in spans
        ]
        return first_last[0], first_last[1]


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
