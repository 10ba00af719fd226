"""Blending overlapping tiles into blocks of the map, each finished exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.inference.grid import BoolArray, Grid

FloatArray = NDArray[np.float32]
Index = tuple[int, int]


def taper(edge: int, overlap: int) -> FloatArray:
    """Return the weights (edge, edge) of a tile: a separable ramp over the overlap, 1 inside.

    Never 0, so that a tile alone still gives its values up to its border.
    """
    ramp = np.ones(edge, np.float32)
    if overlap:
        rise = (np.arange(overlap, dtype=np.float32) + 0.5) / overlap
        ramp[:overlap] = rise
        ramp[-overlap:] = np.minimum(ramp[-overlap:], rise[::-1])
    weights: FloatArray = np.outer(ramp, ramp)
    return weights


def quantize(probability: FloatArray, known: BoolArray) -> NDArray[np.uint8]:
    """Store probabilities as uint8: 0 not inferred, else max(1, round(255·p))."""
    stored = np.clip(np.rint(probability * 255.0), 1, 255)
    values: NDArray[np.uint8] = np.where(known, stored, 0).astype(np.uint8)
    return values


@dataclass(frozen=True)
class Blocks:
    """Which map pixels each block holds, and which tiles reach into it.

    Attributes
    ----------
    grid : Grid
    chunk : int
        Edge of a block in map pixels.
    """

    grid: Grid
    chunk: int

    @property
    def shape(self) -> Index:
        """(rows, columns) of blocks."""
        rows, columns = (-(-n // self.chunk) for n in self.grid.map_lattice.shape)
        return rows, columns

    def window(self, block: Index) -> tuple[slice, slice]:
        """Return the map pixels (rows, columns) of a block."""
        rows, columns = (
            slice(k * self.chunk, min((k + 1) * self.chunk, n))
            for k, n in zip(block, self.grid.map_lattice.shape, strict=True)
        )
        return rows, columns

    def of_tile(self, tile: Index) -> Iterator[Index]:
        """Yield the blocks that a tile reaches into."""
        rows, columns = self.grid.window(*tile)
        for i in range(rows.start // self.chunk, (rows.stop - 1) // self.chunk + 1):
            for j in range(columns.start // self.chunk, (columns.stop - 1) // self.chunk + 1):
                yield i, j

    def tiles(self, block: Index) -> Iterator[Index]:
        """Yield the tiles that reach into a block."""
        rows, columns = self.grid.touching(*self.window(block))
        for r in rows:
            for c in columns:
                yield r, c

    def order(self, tiles: Iterable[Index], first: Collection[Index] = ()) -> list[Index]:
        """Sort tiles so that blocks close early: band by band of blocks, column by column.

        Those that reach into one of the blocks `first` come before all others. The order of any
        two tiles never depends on which others are run, so the sums of a block are added up alike
        in an unbroken and in a resumed run.
        """
        pitch = self.grid.map_pitch

        def place(tile: Index) -> tuple[bool, int, int, int]:
            waits = not any(block in first for block in self.of_tile(tile))
            return waits, tile[0] * pitch // self.chunk, tile[1], tile[0]

        return sorted(tiles, key=place)


@dataclass
class _Open:
    """The sums of a block in work, over the rectangle that tiles reached so far.

    A block beside one that is done waits with the few rows or columns that its neighbour's tiles
    overlap it by, so what waits hardly grows with the slide.
    """

    top: int
    left: int
    total: FloatArray
    weight: FloatArray

    @classmethod
    def over(cls, classes: int, rows: slice, columns: slice) -> _Open:
        """Return sums of nothing yet over these rows and columns of the block."""
        shape = rows.stop - rows.start, columns.stop - columns.start
        total, weight = np.zeros((classes, *shape), np.float32), np.zeros(shape, np.float32)
        return cls(rows.start, columns.start, total, weight)

    def covering(self, rows: slice, columns: slice) -> _Open:
        """Return the sums over at least these rows and columns of the block."""
        height, width = self.weight.shape
        mine = slice(self.top, self.top + height), slice(self.left, self.left + width)
        down, across = _hull(mine[0], rows), _hull(mine[1], columns)
        if (down, across) == mine:
            return self
        wider = _Open.over(len(self.total), down, across)
        window = wider.window(*mine)
        wider.total[:, *window], wider.weight[*window] = self.total, self.weight
        return wider

    def window(self, rows: slice, columns: slice) -> tuple[slice, slice]:
        """Return where rows and columns of the block lie in the sums."""
        down = slice(rows.start - self.top, rows.stop - self.top)
        across = slice(columns.start - self.left, columns.stop - self.left)
        return down, across


def _hull(one: slice, other: slice) -> slice:
    return slice(min(one.start, other.start), max(one.stop, other.stop))


class Blender:
    """Weighted sums of the blocks in work; a block is given out when its last tile came.

    Parameters
    ----------
    blocks : Blocks
    tiles : sequence of (row, column)
        Every tile that will come, in any order.
    wanted : set of (row, column)
        Blocks to blend; what tiles bring to others is dropped.
    classes : int
        Channels of the map.
    """

    def __init__(
        self, blocks: Blocks, tiles: Sequence[Index], wanted: set[Index], classes: int
    ) -> None:
        grid = blocks.grid
        self._blocks, self._wanted, self._classes = blocks, wanted, classes
        self._taper = taper(grid.map_tile, grid.overlap // grid.output_stride)
        self._awaited = Counter(b for t in tiles for b in blocks.of_tile(t) if b in wanted)
        self._open: dict[Index, _Open] = {}

    def add(self, tile: Index, probability: FloatArray | None) -> list[tuple[Index, FloatArray]]:
        """Take one tile and return the blocks that it was the last one of.

        Parameters
        ----------
        tile : (row, column)
        probability : ndarray, float32 (c, y, x), or None
            The network's answer at map resolution; None for a tile that could not be had.

        Returns
        -------
        list of (block, ndarray float32 (c, y, x))
            Finished blocks; NaN where no tile gave a value.
        """
        finished = []
        for block in self._blocks.of_tile(tile):
            if block not in self._wanted:
                continue
            if probability is not None:
                self._accumulate(tile, block, probability)
            self._awaited[block] -= 1
            if self._awaited[block] == 0:
                finished.append((block, self._close(block)))
        return finished

    def _accumulate(self, tile: Index, block: Index, probability: FloatArray) -> None:
        into, outof = [], []
        spans = zip(self._blocks.grid.window(*tile), self._blocks.window(block), strict=True)
        for mine, theirs in spans:
            start, stop = max(mine.start, theirs.start), min(mine.stop, theirs.stop)
            into.append(slice(start - theirs.start, stop - theirs.start))
            outof.append(slice(start - mine.start, stop - mine.start))
        rows, columns = into
        held = self._open.get(block) or _Open.over(self._classes, rows, columns)
        held = self._open[block] = held.covering(rows, columns)
        within, weights = held.window(rows, columns), self._taper[tuple(outof)]
        held.total[:, *within] += weights * probability[:, *outof]
        held.weight[*within] += weights

    def _close(self, block: Index) -> FloatArray:
        height, width = (side.stop - side.start for side in self._blocks.window(block))
        whole = slice(0, height), slice(0, width)
        held = self._open.pop(block, None) or _Open.over(self._classes, *whole)
        held = held.covering(*whole)
        with np.errstate(invalid="ignore"):
            mean: FloatArray = held.total / held.weight
        return mean

    @property
    def nbytes(self) -> int:
        """Bytes held by blocks in work."""
        return sum(held.total.nbytes + held.weight.nbytes for held in self._open.values())
