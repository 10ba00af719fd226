"""The mask at a threshold that is not on disk yet: thresholded as it is looked at."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.results.halving import halve_max
from napari_breastpath.results.maps import ERASED
from napari_breastpath.results.masks import row_slices
from napari_breastpath.viewer.level_view import LevelView

if TYPE_CHECKING:
    from napari_breastpath.edits import Corrections

UInt8Array = NDArray[np.uint8]
Window = tuple[int, int, int, int]


class Peaks:
    """The highest corrected probability under every pixel of the coarser levels, in memory.

    The maximum over a threshold is the threshold of the maximum, so each level shows what the mask
    will show there once it is written: a small focus stays visible from afar.

    Parameters
    ----------
    corrections : Corrections
        Of a result whose model has one class.
    """

    def __init__(self, corrections: Corrections) -> None:
        self._corrections = corrections
        levels = corrections.result.map.probability.levels
        self.levels = [np.zeros(level.shape[-2:], np.uint8) for level in levels[1:]]

    @classmethod
    def read(cls, corrections: Corrections, stop: threading.Event) -> Self | None:
        """Read the whole map by rows of blocks; None when stopped."""
        peaks, width = cls(corrections), corrections.result.lattice.width
        for rows in row_slices(corrections.result):
            if stop.is_set():
                return None
            peaks.refresh((rows.start, 0, rows.stop - rows.start, width))
        return peaks

    def refresh(self, window: Window) -> None:
        """Read a window (row, column, height, width) of the map again."""
        rows, columns = (self._grown(window[k], window[k + 2], k) for k in (0, 1))
        values = corrected(self._corrections, rows, columns)
        row, column = rows.start, columns.start
        for level in self.levels:
            values, row, column = halve_max(values), row // 2, column // 2
            height, width = values.shape
            level[row : row + height, column : column + width] = values

    def _grown(self, start: int, length: int, axis: int) -> slice:
        """Return a span whose ends are pixels of the coarsest level, or the map's end."""
        unit, end = 2 ** len(self.levels), self._corrections.result.lattice.shape[axis]
        return slice(start // unit * unit, min(-(-(start + length) // unit) * unit, end))


def corrected(corrections: Corrections, rows: slice, columns: slice) -> UInt8Array:
    """Return the probability of a window with hands over it: 255 painted, 0 erased."""
    heat, edits = corrections.heat(rows, columns), corrections.edits(rows, columns)
    hands = np.where(edits == ERASED, 0, 255)
    return np.where(edits == 0, heat, hands).astype(np.uint8)


class PreviewLevel(LevelView):
    """One level of the mask at the corrections' threshold of the moment, for a napari layer.

    Parameters
    ----------
    corrections : Corrections
    like : zarr.Array
        The level of the mask on disk.
    peaks : ndarray of uint8, optional
        Of this level; without, it is level 0, made from what is on disk.
    """

    def __init__(self, corrections: Corrections, like: Any, peaks: UInt8Array | None) -> None:
        self._corrections, self._like, self._peaks = corrections, like, peaks

    @property
    def source(self) -> Any:
        """The level of the mask on disk."""
        return self._like

    def __getitem__(self, key: Any) -> UInt8Array:
        if self._peaks is not None:
            above: UInt8Array = (self._peaks[key] > self._corrections.threshold * 255).astype(
                np.uint8
            )
            return above
        window = key if isinstance(key, tuple) else (key,)
        spans = [*window, *[slice(None)] * (2 - len(window))]
        whole = [_span(s, n) for s, n in zip(spans, self.shape, strict=True)]
        mask = self._corrections.mask(*(slice(*span) for span in whole))
        dropped = tuple(slice(None) if isinstance(s, slice) else 0 for s in spans)
        return np.asarray(mask[dropped], np.uint8)


def _span(wanted: slice | int, length: int) -> tuple[int, int]:
    """Return the first pixel and the one after the last of a slice, or of one pixel."""
    if not isinstance(wanted, slice):
        return int(wanted), int(wanted) + 1
    start, stop, _ = wanted.indices(length)
    return start, stop


def preview_levels(corrections: Corrections, peaks: Peaks) -> Sequence[PreviewLevel]:
    """Return the levels of a layer's data, finest first."""
    stored = corrections.result.map.label("mask").levels
    coarser = [None, *peaks.levels]
    return [PreviewLevel(corrections, a, b) for a, b in zip(stored, coarser, strict=True)]
