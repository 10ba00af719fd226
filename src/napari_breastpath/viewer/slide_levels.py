"""The slide as napari draws it: tiles of the file decoded once, and none for a view that is gone.

napari asks for a picture each time the camera leaves what is loaded, in a thread of its own, and
waits for no answer before it moves on. A zoom from the whole slide to the cells so asks for every
level on the way. Nothing is decoded while the hand zooms; pieces of a picture that nobody waits for
any more are filled from what was seen already, and the next picture, asked for by then, has them.
"""

from __future__ import annotations

import math
import sys
import threading
import time
import weakref
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from os import cpu_count
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QCoreApplication
from superqt.utils import ensure_main_thread

from napari_breastpath.slides.backend import Pixels
from napari_breastpath.slides.cache import ChunkCache
from napari_breastpath.slides.pyramid import LevelArray
from napari_breastpath.slides.resample import Axis, averaged, footprint
from napari_breastpath.viewer.drawn_levels import (
    Indices,
    Window,
    drawn_levels,
    handy,
    nearest,
    pieces,
    source_of,
)

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_breastpath.slides import Slide

# Tiles of the file serve several levels; pieces only those that are resampled from them.
TILES_BYTES, PIECES_BYTES = 2**29, 2**29
# A hand that moves makes its next step within this time; one that zooms for long sees levels on
# the way, this far apart.
MOVING_S, PATIENCE_S = 0.04, 0.3
# One pixel in sixteen of a finer level is shown at the least: more are a while to copy.
FINEST_FOR_BLUR = 0.24
WHOLE = slice(None)


@dataclass(eq=False)
class SlideView:
    """The levels of one slide, and the layer that shows them, once there is one."""

    slide: Slide
    tiles: ChunkCache = field(default_factory=lambda: ChunkCache(TILES_BYTES))
    pieces: ChunkCache = field(default_factory=lambda: ChunkCache(PIECES_BYTES))
    seen: set[Hashable] = field(default_factory=set)
    _layer: weakref.ReferenceType[Layer] | None = None

    @cached_property
    def levels(self) -> list[SlideLevel]:
        """The levels, finest first."""
        shown = drawn_levels(self.slide.levels)
        return [SlideLevel(self, k, LevelArray(self._own, *one)) for k, one in enumerate(shown)]

    @cached_property
    def stored(self) -> list[LevelArray]:
        """The levels of the file."""
        return [LevelArray(self._own, level, k) for k, level in enumerate(self.slide.levels)]

    @cached_property
    def coarsest(self) -> NDArray[Any]:
        """The coarsest level, kept: what is seen where nothing finer is known yet."""
        array = self.levels[-1].array
        return array[(WHOLE,) * array.ndim]

    @cached_property
    def _own(self) -> Slide:
        """The slide with other tiles in memory: an analysis beside it would empty its own."""
        return replace(self.slide, _cache=self.tiles)

    def is_decoded(self, source: int, rows: Indices, columns: Indices) -> bool:
        """Tell whether the tiles of a stored level under some of its pixels are in memory."""
        height, width = self.slide.backend.chunks[source]
        return all(
            (source, row, column) in self.tiles
            for row in range(rows[0] // height, rows[-1] // height + 1)
            for column in range(columns[0] // width, columns[-1] // width + 1)
        )

    def follow(self, layer: Layer) -> None:
        """Read for a layer: its pictures are given up once it asks for others."""
        self._layer = weakref.ref(layer)

    def let_the_hand_rest(self, index: int, window: Window) -> None:
        """Wait while the layer is zoomed and waits for that window, not for long."""
        zoom, end = None, time.monotonic() + PATIENCE_S
        while self.is_wanted(index, window) and zoom != self._zoom() and time.monotonic() < end:
            zoom = self._zoom()
            _let_the_window_draw(end - time.monotonic())
            time.sleep(MOVING_S)

    def _zoom(self) -> float | None:
        layer = self._layer() if self._layer is not None else None
        return None if layer is None else float(layer.scale_factor)

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

    @cached_property
    def piece(self) -> tuple[int, int]:
        """(height, width) of a piece: what a tile of the file gives, if that is a handy size."""
        slide, level = self.view.slide, self.array.level
        source = source_of(slide.levels, level)
        stored, (tall, wide) = slide.levels[source], slide.backend.chunks[source]
        return (
            handy(tall * stored.downsample_y / level.downsample_y),
            handy(wide * stored.downsample_x / level.downsample_x),
        )

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a piece; napari asks for whole ones."""
        return (*self.piece, 3)[: self.ndim]

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

        parts = list(pieces(window, self.piece))
        # Without asynchronous slicing the window waits too.
        is_async = threading.current_thread() is not threading.main_thread()
        if passing and is_async and not self._is_seen(window):
            self.view.let_the_hand_rest(self.index, window)
        list(_readers().map(fill, parts))
        return out

    def _is_due(self, piece: Window, window: Window) -> bool:
        return (self.index, piece) in self.view.seen or self.view.is_wanted(self.index, window)

    def _is_seen(self, window: Window) -> bool:
        seen = self.view.seen
        return all((self.index, piece) in seen for piece in pieces(window, self.piece))

    def _sharp(self, piece: Window) -> Pixels:
        inside = (slice(*piece[:2]), slice(*piece[2:]), WHOLE)[: self.ndim]
        if self.array.level in self.view.slide.levels:
            pixels: Pixels | None = self.array[inside]
        else:
            pixels = self.view.pieces.get((self.index, piece), lambda: self.array[inside])
        self.view.seen.add((self.index, piece))
        assert pixels is not None
        return pixels

    def _blurred(self, piece: Window) -> NDArray[Any]:
        """Return the nearest pixels of the decoded level that is most like this one."""
        for source in self._alike:
            rows, columns = nearest(piece, self.array.level, self.view.slide.levels[source])
            if self.view.is_decoded(source, rows, columns):
                return _spread(self.view.stored[source], rows, columns)
        rows, columns = nearest(piece, self.array.level, self.view.levels[-1].array.level)
        return _spread(self.view.coarsest, rows, columns)

    @cached_property
    def _alike(self) -> list[int]:
        """The stored levels not much finer, the one nearest in scale first."""
        here = self.array.level.downsample
        ratios = [level.downsample / here for level in self.view.slide.levels]
        near = [k for k, ratio in enumerate(ratios) if ratio >= FINEST_FOR_BLUR]
        return sorted(near, key=lambda k: abs(math.log(ratios[k])))


def _spread(level: Any, rows: Indices, columns: Indices) -> NDArray[Any]:
    """Return the pixels of a level at all pairs of ascending rows and columns."""
    top, left = rows[0], columns[0]
    inside = slice(top, rows[-1] + 1), slice(left, columns[-1] + 1), WHOLE
    window: NDArray[Any] = level[inside[: level.ndim]]
    if len(window) > len(rows):
        return window.take(rows - top, axis=0).take(columns - left, axis=1)
    return window.take(columns - left, axis=1).take(rows - top, axis=0)


def _napari_asks(asker: FrameType) -> bool:
    """Tell whether a picture is asked for to be drawn; all others must get the slide's pixels."""
    return str(asker.f_globals.get("__name__")).startswith("napari.layers.")


def _let_the_window_draw(patience_s: float) -> None:
    """Wait until the event loop has done what waits there, the drawing first of all."""
    if QCoreApplication.instance() is not None:
        with suppress(TimeoutError):
            ensure_main_thread(_nothing)().result(patience_s)


def _nothing() -> None:
    """Do nothing, in the main thread."""


@cache
def load_resampling(channels: int, dtype: np.dtype[Any]) -> threading.Thread:
    """Load the compiled loops of resampling beside the window, which takes a second or more."""
    thread = threading.Thread(target=_resample_once, args=(channels, dtype), name="resampling")
    thread.start()
    return thread


def _resample_once(channels: int, dtype: np.dtype[Any]) -> None:
    half = footprint(Axis(0, 1, 2.0), 1.0)
    averaged(np.zeros((2, 2, channels), dtype), half, half)


@cache
def _readers() -> ThreadPoolExecutor:
    """Return the threads that decode, one a processor, shared by all slides."""
    return ThreadPoolExecutor(cpu_count() or 1, "slide-view")
