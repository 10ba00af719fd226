"""Writing finished blocks in a thread of its own, a few together, each before its state."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np

from napari_breastpath.inference.grid import BoolArray
from napari_breastpath.inference.plan import Plan, States
from napari_breastpath.inference.stitch import Blocks, FloatArray, Index, quantize
from napari_breastpath.results.files import written
from napari_breastpath.results.maps import MapStore, Piece

WRITES_AHEAD = 4
# Blocks wait this long for their neighbours: nobody sees a map grow more often, and a crash loses
# no more work. Fast machines write at this many.
TOGETHER_S, TOGETHER_BLOCKS = 1.5, 32


def enlarged(mask: BoolArray, factor: int, rows: slice, columns: slice) -> BoolArray:
    """Return a window of `mask` seen on a lattice `factor` times finer."""
    coarse = mask[rows.start // factor : -(-rows.stop // factor)]
    coarse = coarse[:, columns.start // factor : -(-columns.stop // factor)]
    fine = coarse.repeat(factor, axis=0).repeat(factor, axis=1)
    top, left = rows.start % factor, columns.start % factor
    return fine[top : top + rows.stop - rows.start, left : left + columns.stop - columns.start]


class Writer:
    """Takes blended blocks, writes them, then says so in the states.

    Parameters
    ----------
    store : MapStore
    blocks : Blocks
    plan : Plan
    states : ndarray, uint8
        Tile states, kept up to date in place.
    analysed : ndarray, bool
        Where values may stand, `factor` times coarser than the map.
    factor : int
    fates : dict of (row, column) → state
        What became of the tiles so far (done or failed), kept up to date by the caller.
    """

    def __init__(
        self,
        store: MapStore,
        blocks: Blocks,
        plan: Plan,
        states: States,
        analysed: BoolArray,
        factor: int,
        fates: Mapping[Index, int],
    ) -> None:
        self._store, self._blocks, self._plan = store, blocks, plan
        self._states, self._finished = states, store.block_state
        self._analysed, self._factor, self._fates = analysed, factor, fates
        self._pending = {t: sum(b in plan.blocks for b in blocks.of_tile(t)) for t in plan.tiles}
        self._pool = ThreadPoolExecutor(1, "write")
        self._waiting: deque[Future[None]] = deque()
        self._held: dict[Index, Piece] = {}
        self._flushed = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        last = self._pool.submit(self._flush)
        self._pool.shutdown(wait=True)
        if kind is None:
            self._waiting.append(last)
            self._settle(0)

    def put(self, block: Index, probability: FloatArray) -> None:
        """Queue one block; waits when too many are queued.

        Parameters
        ----------
        block : (row, column)
        probability : ndarray, float32 (c, y, x)
            NaN where no tile gave a value.
        """
        self._settle(WRITES_AHEAD)
        self._waiting.append(self._pool.submit(self._write, block, probability))

    def _settle(self, allowed: int) -> None:
        while len(self._waiting) > allowed:
            with written(self._store.path):
                self._waiting.popleft().result()

    def _write(self, block: Index, probability: FloatArray) -> None:
        rows, columns = self._blocks.window(block)
        allowed = enlarged(self._analysed, self._factor, rows, columns)
        values = quantize(probability, allowed & ~np.isnan(probability[0]))
        if self._plan.fill:
            held = self._store.probability.read(rows, columns)
            values = np.where(held, held, values)
        self._held[block] = Piece(rows.start, columns.start, values)
        waited = time.monotonic() - self._flushed
        if len(self._held) >= TOGETHER_BLOCKS or waited >= TOGETHER_S:
            self._flush()

    def _flush(self) -> None:
        """Write the blocks that are held, then say so."""
        if self._held:
            self._store.probability.write_blocks(self._held.values())
            for block in self._held:
                self._record(block)
            self._store.tile_state = self._states
            self._store.block_state = self._finished
        self._held = {}
        self._flushed = time.monotonic()

    def _record(self, block: Index) -> None:
        for tile in self._blocks.tiles(block):
            if tile in self._pending:
                self._pending[tile] -= 1
                if self._pending[tile] == 0:
                    self._states[tile] = self._fates[tile]
        self._finished[block] = 1
