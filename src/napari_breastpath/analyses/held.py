"""A result's map in memory, made ready so that its runs at any threshold are found at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.analyses.following import Window
from napari_breastpath.analyses.scanning import (
    ClassRuns,
    band_of_class,
    class_values,
    joined_runs,
    piece_runs,
)
from napari_breastpath.core.progress import Progress, ProgressCallback
from napari_breastpath.measure import Runs, coarse_sums, stored_sums
from napari_breastpath.measure.runs import band_runs, joined, label_runs, row_bands
from napari_breastpath.measure.values import RunValues, band_values
from napari_breastpath.results import Result
from napari_breastpath.results.masks import (
    Band,
    corrected_heat,
    corrected_mask,
    measured_mask,
    row_slices,
    scored_heat,
)

UInt8Array: TypeAlias = NDArray[np.uint8]
COLUMNS_AT_ONCE = 4096
BAND_PIXELS = 1 << 21
THREADS = 2
FINE_PX, COARSE_PX = 4, 16


class BlockSums:
    """Sums of a uint8 map (y, x) over blocks of 4 × 4 and of 16 × 16 px, on which scores rest.

    Attributes
    ----------
    fine : ndarray of uint16
    coarse : ndarray of int64
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.fine = np.zeros([-(-n // FINE_PX) for n in shape], np.uint16)
        self.coarse = np.zeros([-(-n // COARSE_PX) for n in shape], np.int64)

    def put(self, window: Window, heat: UInt8Array) -> None:
        """Let a window of whole blocks of 16 px, at the map's end cut ones, have other values."""
        sums = stored_sums(heat)
        self.fine[_blocks(window, FINE_PX)] = sums
        self.coarse[_blocks(window, COARSE_PX)] = coarse_sums(sums)


class HeldMap:
    """Map and edits of a result in memory; made by `load`.

    Attributes
    ----------
    result : Result
    edits : ndarray of uint8, shape (y, x)
        0 untouched, k painted class k, 255 erased.
    model : ndarray of uint8, shape (y, x)
        One class: its stored probabilities. Several: the likeliest class, 0 none; the probabilities
        stay on disk then.
    unread, pieces : Runs
        Tissue that no tile gave a value for; the pieces of the tissue.
    model_sums, corrected_sums : BlockSums
        Of the scored heat, without and with edits.
    """

    def __init__(self, result: Result) -> None:
        shape = result.lattice.shape
        self.result, self.edits = result, np.zeros(shape, np.uint8)
        self.model, self.values = np.zeros(shape, np.uint8), class_values(result.classes)
        self.unread = self.pieces = joined([], shape)
        self.model_sums, self.corrected_sums = BlockSums(shape), BlockSums(shape)

    @classmethod
    def load(
        cls, result: Result, stop: threading.Event | None, progress: ProgressCallback
    ) -> HeldMap | None:
        """Read a result's map, edits and tissue; None when told to stop meanwhile."""
        held, unread = cls(result), np.zeros(result.lattice.shape, np.uint8)
        windows = list(_windows(result))
        for done, window in enumerate(windows):
            if stop is not None and stop.is_set():
                return None
            held._read(window, unread)
            progress(Progress("measure", done + 1, len(windows)))
        held.unread, held.pieces = label_runs(unread), piece_runs(result)
        return held

    @property
    def has_threshold(self) -> bool:
        """Whether the model has one class."""
        return len(self.result.classes) == 1

    def _read(self, window: Window, unread: UInt8Array) -> None:
        at = window.rows, window.columns
        heat = self._heat(window)
        self.edits[at] = self.result.map.label("edits").read(*at)
        tissue = self.result.map.label("tissue").read(*at)
        unread[at] = (tissue > 0) & ~heat.any(axis=0)
        untouched = Band(window.rows, heat, np.zeros(heat.shape[1:], np.uint8))
        one = self.has_threshold
        self.model[at] = heat[0] if one else measured_mask(untouched, self.result.classes, 0.5)
        self.model_sums.put(window, scored_heat(heat, self.result.classes))
        self.corrected_sums.put(window, self._corrected(window, heat))

    def _heat(self, window: Window) -> UInt8Array:
        return self.result.map.probability.read(window.rows, window.columns)

    def _corrected(self, window: Window, heat: UInt8Array) -> UInt8Array:
        band = Band(window.rows, heat, self.edits[window.rows, window.columns])
        return corrected_heat(band, self.result.classes)

    def put(self, window: Window, edits: UInt8Array) -> None:
        """Let a window have other edits; sums of blocks are brought up to date where it lies."""
        self.edits[window.rows, window.columns] = edits
        height, width = self.edits.shape
        whole = Window(_wider(window.rows, height), _wider(window.columns, width))
        at = whole.rows, whole.columns
        heat = self.model[at][None] if self.has_threshold else self._heat(whole)
        self.corrected_sums.put(whole, self._corrected(whole, heat))

    def mask(self, rows: slice, columns: slice, level: int) -> UInt8Array:
        """Return the corrected mask of a window: 0 nothing, k class k.

        Parameters
        ----------
        rows, columns : slice
            May have steps.
        level : int
            Stored probabilities above it belong to the one class.
        """
        model, edits = self.model[rows, columns], self.edits[rows, columns]
        mask = (model > level).view(np.uint8) if self.has_threshold else model
        return corrected_mask(mask, edits)

    def runs(self, rows: slice, level: int) -> Runs:
        """Return the runs of the corrected mask in some rows, labelled by class."""
        return band_runs(self.mask(rows, slice(None), level), rows.start, self.edits.shape[0])

    def edited_runs(self, rows: slice) -> Runs:
        """Return the runs of edited pixels in some rows."""
        return band_runs((self.edits[rows] != 0).view(np.uint8), rows.start, self.edits.shape[0])

    def all_edited_runs(self) -> Runs:
        """Return the runs of all edited pixels."""
        shape = self.edits.shape
        return joined([self.edited_runs(rows) for rows in row_bands(shape, BAND_PIXELS)], shape)

    def values_along(self, value: int, runs: Runs) -> RunValues:
        """Return the probabilities of a class along runs that lie in few rows."""
        top, bottom = (int(runs.row[0]), int(runs.row[-1]) + 1) if len(runs) else (0, 0)
        return band_values(self._channel(value, slice(top, bottom)), runs, top)

    def _channel(self, value: int, rows: slice) -> UInt8Array:
        if self.has_threshold:
            return self.model[rows]
        heat = self._heat(Window(rows, slice(None)))
        return np.asarray(heat[value - 1])

    def classes(self, level: int) -> dict[int, ClassRuns]:
        """Return the runs of every class at a grey level, found in two threads."""
        shape = self.edits.shape
        with ThreadPoolExecutor(THREADS) as pool:
            bands = list(pool.map(partial(self._band, level), row_bands(shape, BAND_PIXELS)))
        return {value: joined_runs([band[value] for band in bands], shape) for value in self.values}

    def _band(self, level: int, rows: slice) -> dict[int, ClassRuns]:
        runs = self.runs(rows, level)
        return {
            value: band_of_class(runs, value, self._channel(value, rows), rows.start)
            for value in self.values
        }


def _windows(result: Result) -> Iterator[Window]:
    width = result.lattice.width
    for rows in row_slices(result):
        for left in range(0, width, COLUMNS_AT_ONCE):
            yield Window(rows, slice(left, min(left + COLUMNS_AT_ONCE, width)))


def _wider(span: slice, size: int) -> slice:
    """Return a span grown to whole blocks of 16 px."""
    start, stop = span.start // COARSE_PX, -(-span.stop // COARSE_PX)
    return slice(start * COARSE_PX, min(stop * COARSE_PX, size))


def _blocks(window: Window, px: int) -> tuple[slice, slice]:
    """Return the blocks of px × px map pixels of a window that begins at one."""
    spans = window.rows, window.columns
    rows, columns = (slice(s.start // px, -(-s.stop // px)) for s in spans)
    return rows, columns
