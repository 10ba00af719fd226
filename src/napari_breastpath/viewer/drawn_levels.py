"""Which levels of a slide are drawn, and the pieces they are read in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import Level
from napari_breastpath.slides.pyramid import display_levels
from napari_breastpath.slides.slide import LEVEL_TOLERANCE

LEAST_PIECE_PX, LARGEST_PIECE_PX = 128, 512
# Twice as fine as the screen at most: a picture of ×4 steps is 16 times the screen, and handing it
# to the graphics card stops the window.
WIDEST_STEP = 2.1
# What a viewer may enlarge before it looks blurred; OpenSeadragon's `minPixelRatio` allows 2.
SOFTEST = 1.5
Indices: TypeAlias = NDArray[np.int64]
Window: TypeAlias = tuple[int, int, int, int]
"""(top, bottom, left, right) in pixels of a level."""


def drawn_levels(stored: tuple[Level, ...]) -> list[tuple[Level, int]]:
    """Return the levels to draw, finest first, each with the stored one to read.

    napari draws a level from one pixel of it a screen pixel on, and reads the next finer one before
    that, of a step of ×4 16 times the tiles. So every level comes a second time, `SOFTEST` times
    larger.
    """
    steps = display_levels(stored, WIDEST_STEP)
    early = [
        Level.of(round(SOFTEST * level.height), round(SOFTEST * level.width), *stored[0].shape)
        for finer, level in pairwise(steps)
        if level.downsample > SOFTEST * finer.downsample
    ]
    levels = sorted([*steps, *early], key=lambda level: level.downsample)
    return [(level, source_of(stored, level)) for level in levels]


def source_of(stored: tuple[Level, ...], level: Level) -> int:
    """Return the coarsest stored level that is sharp enough to draw another one from."""
    softest = SOFTEST * LEVEL_TOLERANCE * level.downsample
    return max(k for k, one in enumerate(stored) if k == 0 or one.downsample <= softest)


def handy(size: float) -> int:
    """Return a part or a multiple of a size that is not too small and not too large a piece."""
    if size > LARGEST_PIECE_PX:
        return round(size / -(-size // LARGEST_PIECE_PX))
    return round(size * -(-LEAST_PIECE_PX // max(1, size)))


def pieces(window: Window, shape: tuple[int, int]) -> Iterator[Window]:
    """Yield the parts of a window that lie in the same piece of that (height, width)."""
    top, bottom, left, right = window
    height, width = shape
    for row in range(top // height, -(-bottom // height)):
        for column in range(left // width, -(-right // width)):
            y, x = row * height, column * width
            yield (
                max(y, top), min(y + height, bottom),
                max(x, left), min(x + width, right),
            )  # fmt: skip


def nearest(piece: Window, here: Level, there: Level) -> tuple[Indices, Indices]:
    """Return the rows and columns of another level under the pixels of a piece of this one."""
    top, bottom, left, right = piece
    return (
        _nearest(top, bottom, here.downsample_y / there.downsample_y, there.height),
        _nearest(left, right, here.downsample_x / there.downsample_x, there.width),
    )


def _nearest(start: int, stop: int, ratio: float, size: int) -> Indices:
    middles: Indices = ((np.arange(start, stop) + 0.5) * ratio).astype(np.int64)
    return np.minimum(middles, size - 1)
