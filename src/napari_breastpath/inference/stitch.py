"""Blending overlapping tiles into blocks of the map, each finished exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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

    def order(self, tiles: Iterable[Index]) -> list[Index]:
        """Sort tiles so that blocks close early: band by band of blocks, column by column.

        The order of any two tiles never depends on which others are run, so the sums of a block
        are added up alike in an unbroken and in a resumed run.
        """
        pitch = self.grid.map_pitch
        return sorted(tiles, key=lambda t: (t[0] * pitch // self.chunk, t[1], t[0]))


@dataclass
class _Open:
    """The sums of a block in work, down to the lowest row that a tile reached so far.

    Blocks of the next band wait with the few rows that this band's tiles overlap them by, so what
    waits hardly grows with the slide's width.
    """

    total: FloatArray
    weight: FloatArray

    def extended(self, rows: int) -> _Open:
        """Return the sums with at least that many rows."""
        missing = rows - self.weight.shape[0]
        if missing <= 0:
            return self
        below = ((0, missing), (0, 0))
        return _Open(np.pad(self.total, ((0, 0), *below)), np.pad(self.weight, below))


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
        held = self._open.get(block) or self._empty(block, 0)
        held = self._open[block] = held.extended(into[0].stop)
        weights = self._taper[tuple(outof)]
        held.total[:, *into] += weights * probability[:, *outof]
        held.weight[*into] += weights

    def _empty(self, block: Index, height: int) -> _Open:
        columns = self._blocks.window(block)[1]
        shape = height, columns.stop - columns.start
        return _Open(np.zeros((self._classes, *shape), np.float32), np.zeros(shape, np.float32))

    def _close(self, block: Index) -> FloatArray:
        rows = self._blocks.window(block)[0]
        held = self._open.pop(block, None) or self._empty(block, 0)
        held = held.extended(rows.stop - rows.start)
        with np.errstate(invalid="ignore"):
            mean: FloatArray = held.total / held.weight
        return mean

    @property
    def nbytes(self) -> int:
        """Bytes held by blocks in work."""
        return sum(held.total.nbytes + held.weight.nbytes for held in self._open.values())
