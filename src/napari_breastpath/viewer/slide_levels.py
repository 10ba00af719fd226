"""The slide as napari draws it: tiles of the file decoded once, and none for a view that is gone.

napari asks for a picture each time the camera leaves what is loaded, in a thread of its own, and
waits for no answer before it moves on. A zoom from the whole slide to the cells so asks for every
level on the way. Pieces of a picture that nobody waits for any more are filled from the coarsest
level, unless they were seen before; the next picture, asked for already, has them.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from os import cpu_count
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import Level
from napari_breastpath.slides.backend import Pixels
from napari_breastpath.slides.cache import ChunkCache
from napari_breastpath.slides.pyramid import LevelArray, display_levels

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_breastpath.slides import Slide

PIECES_BYTES = 2**30
PIECE_PX = 256
# A hand that moves asks for the next picture within this time.
MOVING_S = 0.04
WHOLE = slice(None)
# Twice as fine as the screen at most: a picture of ×4 steps is 16 times the screen, and handing it
# to the graphics card stops the window.
WIDEST_STEP = 2.1
# What a viewer may enlarge before it looks blurred; OpenSeadragon's `minPixelRatio` allows 2.
SOFTEST = 1.5
Window: TypeAlias = tuple[int, int, int, int]
"""(top, bottom, left, right) in pixels of a level."""


@dataclass(eq=False)
class SlideView:
    """The levels of one slide, and the layer that shows them, once there is one."""

    slide: Slide
    pieces: ChunkCache = field(default_factory=lambda: ChunkCache(PIECES_BYTES))
    seen: set[Hashable] = field(default_factory=set)
    _layer: weakref.ReferenceType[Layer] | None = None

    @cached_property
    def levels(self) -> list[SlideLevel]:
        """The levels, finest first."""
        own = replace(self.slide, _cache=ChunkCache())  # an analysis beside it would empty it
        arrays = [LevelArray(own, *shown) for shown in drawn_levels(self.slide.levels)]
        return [SlideLevel(self, k, array) for k, array in enumerate(arrays)]

    @cached_property
    def coarsest(self) -> NDArray[Any]:
        """The coarsest level, kept: what is seen where nothing finer is known yet."""
        array = self.levels[-1].array
        return array[(WHOLE,) * array.ndim]

    def follow(self, layer: Layer) -> None:
        """Read for a layer: its pictures are given up once it asks for others."""
        self._layer = weakref.ref(layer)

    def is_wanted(self, index: int, window: Window) -> bool:
        """Tell whether the layer still waits for that window of a level."""
        layer = self._layer() if self._layer is not None else None
        if layer is None or layer.data_level != index:
            return layer is None
        (top, left), (bottom, right) = layer.corner_pixels[:, :2]
        return window == (top, bottom + 1, left, right + 1)


@dataclass(frozen=True, eq=False)
class SlideLevel:
    """One level as an array that reads when it is indexed.

    Attributes
    ----------
    view : SlideView
    index : int
        0 is the finest.
    array : LevelArray
        What reads it.
    """

    view: SlideView
    index: int
    array: LevelArray

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, 3), or (height, width) for grey slides."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 for RGB, uint16 for grey."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """3, or 2 for grey slides."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a piece; napari asks for whole ones."""
        return (PIECE_PX, PIECE_PX, 3)[: self.ndim]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a window: the slide's pixels, unless napari asks and its view is gone."""
        parts = key if isinstance(key, tuple) else (key,)
        asked = [range(n)[part] for n, part in zip(self.shape[:2], (*parts, WHOLE, WHOLE))]  # noqa: B905
        rows, columns = (
            part if isinstance(part, range) else range(part, part + 1) for part in asked
        )
        window = rows.start, rows.stop, columns.start, columns.stop
        picture = self.picture(window, passing=_napari_asks(sys._getframe(1)))
        inside = tuple(WHOLE if isinstance(part, range) else 0 for part in asked)
        return picture[(*inside, *parts[2:])]

    def __deepcopy__(self, memo: object) -> SlideLevel:
        """Return the level of a view of its own: a copied layer has its own window."""
        return SlideView(self.view.slide).levels[self.index]

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        return self[:, :].astype(dtype or self.dtype, copy=bool(copy))

    def picture(self, window: Window, passing: bool) -> NDArray[Any]:
        """Return a window; one in passing may be gone: what was not seen before is blurred then."""
        top, bottom, left, right = window
        if self.index == len(self.view.levels) - 1:
            return self.view.coarsest[top:bottom, left:right]
        out = np.empty((bottom - top, right - left, *self.shape[2:]), self.dtype)

        def fill(piece: Window) -> None:
            rows, columns = slice(*piece[:2]), slice(*piece[2:])
            target = out[rows.start - top : rows.stop - top, columns.start - left :]
            due = not passing or self._is_due(piece, window)
            pixels = self._sharp(piece) if due else self._blurred(piece)
            target[:, : columns.stop - columns.start] = pixels

        parts = list(pieces(window))
        if passing and any((self.index, piece) not in self.view.seen for piece in parts):
            _let_the_hand_move_on()
        list(_readers().map(fill, parts))
        return out

    def _is_due(self, piece: Window, window: Window) -> bool:
        return (self.index, piece) in self.view.seen or self.view.is_wanted(self.index, window)

    def _sharp(self, piece: Window) -> Pixels:
        key = (slice(*piece[:2]), slice(*piece[2:]), WHOLE)[: self.ndim]
        pixels = self.view.pieces.get((self.index, piece), lambda: self.array[key])
        self.view.seen.add((self.index, piece))
        assert pixels is not None
        return pixels

    def _blurred(self, piece: Window) -> NDArray[Any]:
        coarse, level = self.view.coarsest, self.array.level
        last = self.view.levels[-1].array.level
        y, x = (
            np.minimum((np.arange(*span) + 0.5) * here / there, size - 1).astype(int)
            for span, here, there, size in (
                (piece[:2], level.downsample_y, last.downsample_y, coarse.shape[0]),
                (piece[2:], level.downsample_x, last.downsample_x, coarse.shape[1]),
            )
        )
        return coarse[np.ix_(y, x)]


def drawn_levels(stored: tuple[Level, ...]) -> list[tuple[Level, int | None]]:
    """Return the levels to draw, finest first, each with the stored one to read, if not the finer.

    napari draws a level from one pixel of it a screen pixel on, and reads the next finer one before
    that, of a step of ×4 16 times the tiles. So every stored level comes a second time, `SOFTEST`
    times larger.
    """
    base, steps = stored[0], display_levels(stored, WIDEST_STEP)
    sizes = [(round(level.height * SOFTEST), round(level.width * SOFTEST)) for level in stored]
    early = [(Level.of(*size, *base.shape), k) for k, size in enumerate(sizes)][1:]
    return sorted([*((level, None) for level in steps), *early], key=lambda one: one[0].downsample)


def pieces(window: Window) -> Iterator[Window]:
    """Yield the parts of a window that lie in the same square of `PIECE_PX`."""
    top, bottom, left, right = window
    for row in range(top // PIECE_PX, -(-bottom // PIECE_PX)):
        for column in range(left // PIECE_PX, -(-right // PIECE_PX)):
            y, x = row * PIECE_PX, column * PIECE_PX
            yield (
                max(y, top), min(y + PIECE_PX, bottom),
                max(x, left), min(x + PIECE_PX, right),
            )  # fmt: skip


def _napari_asks(asker: FrameType) -> bool:
    """Tell whether a picture is asked for to be drawn; all others must get the slide's pixels."""
    return str(asker.f_globals.get("__name__")).startswith("napari.layers.")


def _let_the_hand_move_on() -> None:
    """Wait a little, unless the window waits too (napari without asynchronous slicing)."""
    if threading.current_thread() is not threading.main_thread():
        time.sleep(MOVING_S)


@cache
def _readers() -> ThreadPoolExecutor:
    """Return the threads that decode, one a processor, shared by all slides."""
    return ThreadPoolExecutor(cpu_count() or 1, "slide-view")
