"""The inner loops of stain normalisation and growth, compiled by Numba; import where needed.

They hold no GIL and start no threads: OpenMP's barriers, on a processor that others use too, made
the same table take 16 s instead of 0.5.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.slides.kernels import compiled

# Set in every entry of a table that is known, so that black is not 0.
KNOWN = 1 << 24


@compiled
def stain_amount(first: float, second: float, is_smaller: bool) -> float:
    """Return the concentration that two candidates leave: never below zero."""
    amount = min(first, second) if is_smaller else max(first, second)
    return max(amount, 0.0)


@compiled
def new_colour(
    colour: int,
    planes: NDArray[np.float64],
    offsets: NDArray[np.float64],
    is_smaller: bool,
    target: NDArray[np.float64],
) -> int:
    """Return 65536·r + 256·g + b of a colour with its stains exchanged, and `KNOWN`.

    Each of the four candidates k is planes[k, 0, r] + planes[k, 1, g] + planes[k, 2, b] +
    offsets[k]; a channel becomes 255·exp(−s·W), truncated as in StainTools.
    """
    red, green, blue = colour >> 16, colour >> 8 & 255, colour & 255
    joint_h = planes[0, 0, red] + planes[0, 1, green] + planes[0, 2, blue] + offsets[0]
    joint_e = planes[1, 0, red] + planes[1, 1, green] + planes[1, 2, blue] + offsets[1]
    alone_h = planes[2, 0, red] + planes[2, 1, green] + planes[2, 2, blue] + offsets[2]
    alone_e = planes[3, 0, red] + planes[3, 1, green] + planes[3, 2, blue] + offsets[3]
    haematoxylin = stain_amount(joint_h, alone_h, is_smaller)
    eosin = stain_amount(joint_e, alone_e, is_smaller)
    packed = KNOWN >> 24
    for channel in range(3):
        density = haematoxylin * target[0, channel] + eosin * target[1, channel]
        packed = packed << 8 | int(min(255.0, 255.0 * math.exp(-density)))
    return packed


@compiled
def recolour(
    pixels: NDArray[np.uint8],
    table: NDArray[np.uint32],
    planes: NDArray[np.float64],
    offsets: NDArray[np.float64],
    is_smaller: bool,
    target: NDArray[np.float64],
    out: NDArray[np.uint8],
) -> None:
    """Write the new colours of (n, 3) pixels into `out`; those met first go into `table` (2²⁴,).

    Several threads may share a table: whoever writes an entry writes the same.
    """
    for k in range(pixels.shape[0]):
        red, green, blue = int(pixels[k, 0]), int(pixels[k, 1]), int(pixels[k, 2])
        colour = red << 16 | green << 8 | blue
        packed = int(table[colour])
        if packed == 0:
            packed = new_colour(colour, planes, offsets, is_smaller, target)
            table[colour] = packed
        out[k, 0] = packed >> 16 & 255
        out[k, 1] = packed >> 8 & 255
        out[k, 2] = packed & 255


@compiled
def distance_along_rows(mask: NDArray[np.bool_], distance: NDArray[np.int32]) -> None:
    """Write how many pixels each one (y, x) is from the nearest True of its row, else 2³⁰."""
    height, width = mask.shape
    for y in range(height):
        since = 1 << 30
        for x in range(width):
            since = 0 if mask[y, x] else min(since + 1, 1 << 30)
            distance[y, x] = since
        for x in range(width - 1, -1, -1):
            since = 0 if mask[y, x] else min(since + 1, distance[y, x])
            distance[y, x] = since
