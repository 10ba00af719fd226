"""The tiles of a slide at a model's µm/px: where each is read and where it lands in the map."""

from __future__ import annotations

from dataclasses import dataclass

from napari_breastpath.core.geometry import Box, Lattice


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
    margin : int
        Input pixels around a tile that are read with it.
    """

    lattice: Lattice
    map_lattice: Lattice
    tile: int
    overlap: int
    margin: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.tile:
            raise ValueError(f"overlap {self.overlap} px does not fit tiles of {self.tile} px")
        if self.tile % self.output_stride or self.overlap % self.output_stride:
            raise ValueError(f"tile and overlap must be multiples of {self.output_stride} px")

    @classmethod
    def over(
        cls, lattice: Lattice, tile: int, overlap: int, output_stride: int, margin: int = 0
    ) -> Grid:
        """Return the grid over a model input lattice."""
        return cls(lattice, lattice.coarser(output_stride), tile, overlap, margin)

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
        """Return where a tile lies, in level-0 pixels."""
        pitch = self.tile - self.overlap
        return self.lattice.box(row * pitch, column * pitch, self.tile, self.tile)

    def read_box(self, row: int, column: int) -> Box:
        """Return what is read for a tile, in level-0 pixels: the tile and its margin."""
        pitch, edge = self.tile - self.overlap, self.tile + 2 * self.margin
        corner = row * pitch - self.margin, column * pitch - self.margin
        return self.lattice.box(*corner, edge, edge)

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
