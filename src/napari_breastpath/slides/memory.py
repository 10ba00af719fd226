"""Memory of decoded pixels that is used again.

Reading a region writes many times what it returns: decoded tiles, the window put together from
them. In fresh memory of small pages that is a sixth of all reading
(`benchmarks/read_regions.py`): the kernel clears each page, and the processor looks each up. So it
is taken in slabs, for which NumPy asks for huge pages, and given out in rows, each again once the
last array that looks at it is gone.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Empty: TypeAlias = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]
"""What gives an array of a shape and a dtype with whatever is in it: `np.empty`, or from here."""

BYTE = np.dtype(np.uint8)
SLAB_BYTES = 8 * 2**20  # NumPy asks for huge pages from 4 MiB on
KEPT_BYTES = 32 * 2**20
SMALLEST_ROW_BYTES = 4096
STEPS = 3  # rows have one of 2**3 sizes between one power of two and the next


@dataclass(frozen=True, slots=True, eq=False)
class _Slab:
    """Memory of some rows of one size."""

    memory: NDArray[np.uint8]
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """A part of a slab, which lives as long as one of its rows."""

    slab: _Slab
    address: int


class _Lease:
    """What an array that looks at a row is based on: when it goes, the row is free again."""

    __slots__ = ("__array_interface__", "_free", "_row")

    def __init__(
        self, row: _Row, free: deque[_Row], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": dtype.str,
            "data": (row.address, False),
        }
        self._row = row
        self._free = free

    def __del__(self) -> None:
        self._free.append(self._row)


class RecycledMemory:
    """Gives arrays whose memory was used before; any thread may ask.

    There is no lock, so that a lease may end at any moment: rows are moved by single operations
    of a deque, and of two threads that find none each makes a slab.
    """

    def __init__(self) -> None:
        self._free: defaultdict[int, deque[_Row]] = defaultdict(deque)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any] = BYTE) -> NDArray[Any]:
        """Return an array with whatever was there before, as `np.empty` does."""
        row_bytes = rounded_up(math.prod(shape) * dtype.itemsize)
        if row_bytes > SLAB_BYTES:
            return np.empty(shape, dtype)
        free = self._free[row_bytes]
        try:
            row = free.pop()
        except IndexError:
            self.give_back()  # rows of sizes that are not asked for any more
            row, *others = _new_rows(row_bytes)
            free.extend(others)
        return np.asarray(_Lease(row, free, shape, dtype))

    def give_back(self, kept_bytes: int = KEPT_BYTES) -> None:
        """Let go of slabs that nobody looks at, but for so many bytes of them."""
        for free in list(self._free.values()):
            for rows in _by_slab(free):
                slab = rows[0].slab
                is_idle = len(rows) == slab.rows
                if is_idle and kept_bytes < slab.memory.nbytes:
                    continue
                kept_bytes -= slab.memory.nbytes if is_idle else 0
                free.extend(rows)


def rounded_up(size: int) -> int:
    """Return the size of the rows for `size` bytes: a page, or an eighth more at most."""
    size = max(size, SMALLEST_ROW_BYTES)
    step = 1 << (size.bit_length() - STEPS - 1)
    return -(-size // step) * step


def _new_rows(row_bytes: int) -> list[_Row]:
    """Return the rows of a new slab."""
    count = SLAB_BYTES // row_bytes
    slab = _Slab(np.empty(count * row_bytes, np.uint8), count)
    first = slab.memory.ctypes.data
    return [_Row(slab, first + k * row_bytes) for k in range(count)]


def _by_slab(free: deque[_Row]) -> list[list[_Row]]:
    """Take all rows out, and return them by their slabs."""
    slabs = defaultdict[int, list[_Row]](list)
    with suppress(IndexError):
        while True:
            row = free.popleft()
            slabs[id(row.slab)].append(row)
    return list(slabs.values())


MEMORY = RecycledMemory()
