"""The inner loops of resampling, compiled by Numba; import this module where they are needed.

Both axes in one pass over the source, from uint8 to uint8, without the GIL: 2.4× SciPy's sparse
products with their conversions (`benchmarks/read_regions.py`). Every sum runs over its taps in the
same order, so a pixel has the same bits in whatever window it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

HALF = np.float32(0.5)
Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")


def compiled(function: Callable[Arguments, Value]) -> Callable[Arguments, Value]:
    """Return the function as machine code, kept on disk where there is a place for it."""
    try:
        fast = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's can be written
        fast = njit(nogil=True)(function)
    return cast("Callable[Arguments, Value]", fast)


@compiled
def weigh_rows(
    source: NDArray[Any], first: int, weights: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Write the weighted sum of some rows of `source` (h, n), from `first` on, into `out` (n,)."""
    for x in range(out.shape[0]):
        out[x] = weights[0] * np.float32(source[first, x])
    for tap in range(1, weights.shape[0]):
        weight = weights[tap]
        row = source[first + tap]
        for x in range(out.shape[0]):
            out[x] += weight * np.float32(row[x])


@compiled
def weigh_grey(
    row: NDArray[np.float32],
    first: NDArray[np.int64],
    weights: NDArray[np.float32],
    out: NDArray[Any],
) -> None:
    """Write the weighted sums along a row of one channel, to the nearest integer, halves up."""
    for k in range(first.shape[0]):
        total = np.float32(0)
        for tap in range(weights.shape[1]):
            total += weights[k, tap] * row[first[k] + tap]
        out[k] = total + HALF


@compiled
def weigh_rgb(
    row: NDArray[np.float32],
    first: NDArray[np.int64],
    weights: NDArray[np.float32],
    out: NDArray[Any],
) -> None:
    """Do as `weigh_grey` for interleaved red, green and blue.

    Three taps, the usual number from one level to just the next, are written out: 1.2× faster.
    """
    if weights.shape[1] == 3:
        for k in range(first.shape[0]):
            at = 3 * first[k]
            for colour in range(at, at + 3):
                total = weights[k, 0] * row[colour]
                total += weights[k, 1] * row[colour + 3]
                total += weights[k, 2] * row[colour + 6]
                out[3 * k + colour - at] = total + HALF
        return
    for k in range(first.shape[0]):
        red, green, blue = np.float32(0), np.float32(0), np.float32(0)
        at = 3 * first[k]
        for tap in range(weights.shape[1]):
            weight = weights[k, tap]
            red += weight * row[at]
            green += weight * row[at + 1]
            blue += weight * row[at + 2]
            at += 3
        out[3 * k] = red + HALF
        out[3 * k + 1] = green + HALF
        out[3 * k + 2] = blue + HALF


@compiled
def average(
    source: NDArray[Any],
    top: NDArray[np.int64],
    tall: NDArray[np.float32],
    left: NDArray[np.int64],
    wide: NDArray[np.float32],
    out: NDArray[Any],
    is_rgb: bool,
) -> None:
    """Average a window `source` (h, w·c) into `out` (rows, columns·c); c is 3 or 1.

    `top` and `tall` are first source row and weights of every output row, `left` and `wide` the
    same of the columns.
    """
    row = np.empty(source.shape[1], np.float32)
    for k in range(top.shape[0]):
        weigh_rows(source, top[k], tall[k], row)
        if is_rgb:
            weigh_rgb(row, left, wide, out[k])
        else:
            weigh_grey(row, left, wide, out[k])
