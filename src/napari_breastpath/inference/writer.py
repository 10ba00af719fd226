"""Writing finished blocks in a thread of its own, each before its state."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np

from napari_breastpath.inference.grid import BoolArray
from napari_breastpath.inference.plan import Plan, States
from napari_breastpath.inference.stitch import Blocks, FloatArray, Index, quantize
from napari_breastpath.results.files import written
from napari_breastpath.results.maps import MapStore

WRITES_AHEAD = 4


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
    """

    def __init__(
        self,
        store: MapStore,
        blocks: Blocks,
        plan: Plan,
        states: States,
        analysed: BoolArray,
        factor: int,
    ) -> None:
        self._store, self._blocks, self._plan = store, blocks, plan
        self._states, self._finished = states, store.block_state
        self._analysed, self._factor = analysed, factor
        self._pending = {t: sum(b in plan.blocks for b in blocks.of_tile(t)) for t in plan.tiles}
        self._pool = ThreadPoolExecutor(1, "write")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)
        if kind is None:
            self._settle(0)

    def put(self, block: Index, probability: FloatArray, fates: dict[Index, int]) -> None:
        """Queue one block; waits when too many are queued.

        Parameters
        ----------
        block : (row, column)
        probability : ndarray, float32 (c, y, x)
            NaN where no tile gave a value.
        fates : dict of (row, column) → state
            What became of the tiles so far (done or failed).
        """
        self._settle(WRITES_AHEAD)
        self._waiting.append(self._pool.submit(self._write, block, probability, fates))

    def _settle(self, allowed: int) -> None:
        while len(self._waiting) > allowed:
            with written(self._store.path):
                self._waiting.popleft().result()

    def _write(self, block: Index, probability: FloatArray, fates: dict[Index, int]) -> None:
        rows, columns = self._blocks.window(block)
        allowed = enlarged(self._analysed, self._factor, rows, columns)
        values = quantize(probability, allowed & ~np.isnan(probability[0]))
        if self._plan.fill:
            held = self._store.probability.read(rows, columns)
            values = np.where(held, held, values)
        self._store.probability.write(rows.start, columns.start, values)
        self._record(block, fates)

    def _record(self, block: Index, fates: dict[Index, int]) -> None:
        for tile in self._blocks.tiles(block):
            if tile in self._pending:
                self._pending[tile] -= 1
                if self._pending[tile] == 0:
                    self._states[tile] = fates[tile]
        self._store.tile_state = self._states
        self._finished[block] = 1
        self._store.block_state = self._finished
