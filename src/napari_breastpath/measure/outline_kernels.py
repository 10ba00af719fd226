"""The inner loops of tracing outlines, compiled by Numba; import this module where needed.

The four pixels around a grid point are bits of a *kind*: upper left 1, upper right 2, lower left 4,
lower right 8; the bits that carry a label are set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.slides.kernels import compiled

Ints = NDArray[np.int64]
FALLING, RISING = 1 | 8, 2 | 4
PARTS = (1, 8, 2, 4)
# With the label on the right hand, an outline leaves these along x and the other corners along y.
LEAVES_ALONG_X = np.isin(np.arange(16), (8, 1, 15 - 2, 15 - 4))
IS_CORNER = np.isin(np.arange(16), (1, 2, 4, 8, 7, 11, 13, 14))
FAR = 1 << 62


@compiled
def next_change(start: NDArray[Any], end: NDArray[Any], run: int, stop: int, inside: bool) -> int:
    """Return where the runs of a row change next: the begin of `run`, or its end if inside it."""
    if run >= stop:
        return FAR
    return int(end[run]) if inside else int(start[run])


@compiled
def passed(
    start: NDArray[Any], end: NDArray[Any], run: int, stop: int, inside: bool, x: int
) -> tuple[int, bool]:
    """Return the run of a row, and whether inside it, on the right of a grid point at `x`."""
    if next_change(start, end, run, stop, inside) != x:
        return run, inside
    if not inside:
        return run, True
    return run + 1, run + 1 < stop and start[run + 1] == x


@compiled
def link(successor: Ints, kinds: Ints, one: int, other: int, along_x: bool) -> None:
    """Let an edge between two corners lead from the one that an outline leaves that way."""
    if LEAVES_ALONG_X[kinds[one]] == along_x:
        successor[one] = other
    if LEAVES_ALONG_X[kinds[other]] == along_x:
        successor[other] = one


@compiled
def store(
    found: Ints,
    at: int,
    corner: tuple[int, int, int, int, int],
    ends: tuple[int, int, int, int],
    open_x: Ints,
    open_y: Ints,
) -> None:
    """Write a corner down, and join it to those whose edges end in it.

    `open_x` (2,) holds the corners of this line that an edge goes to the right from, `open_y`
    (x, 2) those of each column that one goes down from; which of the two tells the side that the
    label is on. `ends` is what they held before this grid point.
    """
    x, kind = corner[1], corner[3]
    for k in range(5):
        found[k, at] = corner[k]
    upper_left, upper_right = kind & 1, kind >> 1 & 1
    lower_left, lower_right = kind >> 2 & 1, kind >> 3 & 1
    if upper_left != lower_left:
        link(found[5], found[3], at, ends[lower_left], True)
    else:
        open_x[lower_right] = at
    if upper_left != upper_right:
        link(found[5], found[3], at, ends[2 + upper_right], False)
    else:
        open_y[x, lower_right] = at


@compiled
def corners_at(
    four: Ints, x: int, y: int, found: Ints, count: int, open_x: Ints, open_y: Ints
) -> int:
    """Write the corners at a grid point between `four` pixels; return how many there are by now."""
    ends = (open_x[0], open_x[1], open_y[x, 0], open_y[x, 1])
    for pixel in range(4):
        label, kind, is_new = four[pixel], 0, four[pixel] > 0
        for k in range(4):
            kind |= (four[k] == label) << k
            is_new &= k >= pixel or four[k] != label
        parts = kind if kind in (FALLING, RISING) else 0
        for k in range(5):
            bits = parts & PARTS[k] if k < 4 else kind * IS_CORNER[kind]
            if is_new and bits:
                if found.shape[1]:
                    corner = (label, x, y, bits, 5 * pixel + k)
                    store(found, count, corner, ends, open_x, open_y)
                count += 1
    return count


@compiled
def corners(
    label: NDArray[np.int32],
    start: NDArray[np.int32],
    end: NDArray[np.int32],
    line: Ints,
    found: Ints,
    open_y: Ints,
) -> int:
    """Find the corners of all labels, line by line, given their runs; return how many there are.

    Parameters
    ----------
    label, start, end : ndarray of int32
        Runs in raster order.
    line : ndarray of int64, shape (height + 3,)
        The first run at or below the rows −1, 0, …, height + 1.
    found : ndarray of int64, shape (6, n)
        Out: label, x, y, kind, 5 · pixel + part and the corner that follows; not for n = 0.
    open_y : ndarray of int64, shape (width + 1, 2)
        Room to work in.
    """
    count, four, open_x = 0, np.zeros(4, np.int64), np.zeros(2, np.int64)
    for y in range(line.shape[0] - 2):
        above, middle, stop = line[y], line[y + 1], line[y + 2]
        below, in_above, in_below = middle, False, False
        while above < middle or below < stop:
            x = min(
                next_change(start, end, above, middle, in_above),
                next_change(start, end, below, stop, in_below),
            )
            four[0] = label[above] if in_above else 0
            four[2] = label[below] if in_below else 0
            above, in_above = passed(start, end, above, middle, in_above, x)
            below, in_below = passed(start, end, below, stop, in_below, x)
            four[1] = label[above] if in_above else 0
            four[3] = label[below] if in_below else 0
            level = four[0] == four[1] and four[2] == four[3]
            if not level and (four[0] != four[2] or four[1] != four[3]):
                count = corners_at(four, x, y, found, count, open_x, open_y)
    return count


@compiled
def cycles(successor: Ints, starts: Ints, order: Ints, first: Ints) -> int:
    """Write the elements of a permutation cycle after cycle, and where each one begins.

    Every cycle begins at its earliest member of `starts`, all elements in some order. Returns the
    number of cycles; `first` has room for one more.
    """
    seen, count, size = np.zeros(successor.shape[0], np.bool_), 0, 0
    for here in starts:
        if seen[here]:
            continue
        while not seen[here]:
            seen[here] = True
            order[size] = here
            size += 1
            here = successor[here]
        count += 1
        first[count] = size
    return count
