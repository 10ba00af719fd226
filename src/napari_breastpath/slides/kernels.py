"""The inner loops of resampling, compiled by Numba; import this module where they are needed.

Both axes in one pass over the source, from uint8 to uint8, without the GIL, beside SciPy's sparse
products, Pillow and scikit-image in `benchmarks/resample.py`. Every sum runs over its taps in the
same order, so a pixel has the same bits in whatever window it is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

HALF = np.float32(0.5)
LANES, COLOURS = 4, 3
INTEGER = ir.IntType(32)
FLOATS, INTEGERS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(INTEGER, LANES)
BYTES = ir.VectorType(ir.IntType(8), LANES)
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


@intrinsic  # type: ignore[untyped-decorator]
def weigh_pixel(_: Any, row: Any, at: Any, weights: Any, taps: Any, out: Any, to: Any) -> Any:
    """Write a weighted sum of pixels, to the nearest integer, halves up.

    From `taps` pixels of `row` (float32, interleaved), the first at index `at`, into `out` (uint8)
    from index `to` on. A vector of four is read and written where three values are meant: both
    arrays need one more, and pixels are to be written from left to right. Of a loop Numba makes no
    vectors here: it leaves red, green and blue apart.
    """
    if any(array.layout != "C" or array.ndim != 1 for array in (row, weights, out)):
        return None
    return types.void(row, types.intp, weights, types.intp, out, types.intp), _write_pixel


def _write_pixel(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    def start(argument: int, index: Any) -> Any:
        array = context.make_array(signature.args[argument])
        return builder.gep(array(context, builder, arguments[argument]).data, [index])

    _, at, _, taps, _, to = arguments
    total = cgutils.alloca_once_value(builder, ir.Constant(FLOATS, None))
    with cgutils.for_range(builder, taps) as loop:
        weight = _spread(builder, builder.load(start(2, loop.index)))
        index = builder.add(at, builder.mul(loop.index, ir.Constant(loop.index.type, COLOURS)))
        pixel = builder.load(builder.bitcast(start(0, index), FLOATS.as_pointer()), align=4)
        share = builder.fmul(weight, pixel)
        builder.store(builder.fadd(builder.load(total), share), total)
    rounded = builder.fadd(builder.load(total), ir.Constant(FLOATS, [0.5] * LANES))
    samples = builder.trunc(builder.fptosi(rounded, INTEGERS), BYTES)
    builder.store(samples, builder.bitcast(start(4, to), BYTES.as_pointer()), align=1)
    return context.get_dummy_value()


def _spread(builder: Any, value: Any) -> Any:
    """Return a vector that has `value` in each lane."""
    nothing = ir.Constant(FLOATS, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(INTEGER, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(INTEGERS, None))


@compiled
def weigh_rgb(
    row: NDArray[np.float32],
    first: NDArray[np.int64],
    weights: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    """Do as `weigh_grey` for interleaved red, green and blue.

    `row` and `out` have one value more than pixels need, which is passed over. Constant numbers of
    taps, the usual two and three, let the compiler write them out.
    """
    if weights.shape[1] == 2:
        for k in range(first.shape[0]):
            weigh_pixel(row, 3 * first[k], weights[k], 2, out, 3 * k)
    elif weights.shape[1] == 3:
        for k in range(first.shape[0]):
            weigh_pixel(row, 3 * first[k], weights[k], 3, out, 3 * k)
    else:
        for k in range(first.shape[0]):
            weigh_pixel(row, 3 * first[k], weights[k], weights.shape[1], out, 3 * k)


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
    row = np.zeros(source.shape[1] + 1, np.float32)
    line = np.empty(out.shape[1] + 1, out.dtype)
    for k in range(top.shape[0]):
        weigh_rows(source, top[k], tall[k], row[:-1])
        if is_rgb:
            weigh_rgb(row, left, wide, line)
            for x in range(out.shape[1]):  # Numba copies slices far more slowly
                out[k, x] = line[x]
        else:
            weigh_grey(row, left, wide, out[k])
