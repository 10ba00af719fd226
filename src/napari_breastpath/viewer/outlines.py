"""The outlines of a mask, found as it is read, which napari does in a thread of its own.

Its contours are drawn in the main thread: 60 ms for a screenful, at every move and every change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.viewer.level_view import LevelView

UInt8Array = NDArray[np.uint8]
WIDTH_PX = 2


def outlined(mask: UInt8Array, width_px: int) -> UInt8Array:
    """Return a label image whose inner pixels are 0: those with no other value nearby.

    Parameters
    ----------
    mask : ndarray of uint8, shape (y, x)
    width_px : int
        How many steps to a 4-neighbour are nearby.
    """
    highest, lowest = _spread(mask, np.maximum), mask
    for _ in range(width_px):
        lowest = _spread(lowest, np.minimum)
    return np.where(highest == lowest, 0, mask).astype(np.uint8)


def _spread(values: UInt8Array, choose: Callable[..., Any]) -> UInt8Array:
    """Return what is chosen of every pixel and its 4-neighbours."""
    found = values.copy()
    choose(found[1:], values[:-1], out=found[1:])
    choose(found[:-1], values[1:], out=found[:-1])
    choose(found[:, 1:], values[:, :-1], out=found[:, 1:])
    choose(found[:, :-1], values[:, 1:], out=found[:, :-1])
    return found


@dataclass(frozen=True, slots=True)
class Outlines(LevelView):
    """The outlines of one level of a mask, for a napari layer.

    Attributes
    ----------
    mask : array-like of uint8, shape (y, x)
        Indexed by slices when it is looked at.
    width_px : int
        As for `outlined`.
    """

    mask: Any
    width_px: int = WIDTH_PX

    @property
    def source(self) -> Any:
        """`mask`."""
        return self.mask

    def __getitem__(self, key: Any) -> UInt8Array:
        window = key if isinstance(key, tuple) else (key,)
        spans = [*window, *[slice(None)] * (2 - len(window))]
        grown, inner = zip(*map(self._grown, spans, self.shape), strict=True)
        found: UInt8Array = outlined(np.asarray(self.mask[grown]), self.width_px)[inner]
        return found

    def _grown(self, wanted: slice | int, length: int) -> tuple[slice, slice | int]:
        """Return what to read for a span or a pixel, and where in it that lies."""
        whole = wanted if isinstance(wanted, slice) else slice(wanted, wanted + 1)
        start, stop, step = whole.indices(length)
        first = max(start - self.width_px, 0)
        read = slice(first, min(stop + self.width_px, length))
        inner = slice(start - first, stop - first, step)
        return read, inner if isinstance(wanted, slice) else inner.start


def outlines(levels: Sequence[Any], width_px: int = WIDTH_PX) -> list[Outlines]:
    """Return the outlines of the levels of a mask."""
    return [Outlines(level, width_px) for level in levels]
