"""Numbers that follow the threshold and the hands, from a map that is held in memory."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.analyses.following import MeasuredClass, Window, ellipse_of, spliced
from napari_breastpath.analyses.held import BlockSums, HeldMap
from napari_breastpath.analyses.numbers import Numbers
from napari_breastpath.analyses.scanning import frame_of
from napari_breastpath.analyses.scoring import score_of, second_stage
from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.progress import ProgressCallback, ignore_progress
from napari_breastpath.measure import (
    Around,
    region_table,
    slide_features,
    stored_features,
    summarise,
)
from napari_breastpath.measure.categories import check_specimen
from napari_breastpath.results import Result

if TYPE_CHECKING:
    from napari_breastpath.models.second_stage import SecondStage

UInt8Array = NDArray[np.uint8]
KEPT = 64
AHEAD = 8


@dataclass(frozen=True)
class _State:
    """The regions of every class, by value in the mask, at a grey level."""

    level: int
    classes: dict[int, MeasuredClass]


class LiveMeasurement:
    """A result's numbers at any threshold and after any edit; made by `prepare`.

    They equal those that `measure_result` writes. From any thread; nothing is written to disk.
    Holds 2 bytes per map pixel, and what is measured.

    Attributes
    ----------
    result : Result
    """

    def __init__(self, held: HeldMap, specimen: str, stage: SecondStage | None) -> None:
        self.result, self._held, self._stage = held.result, held, stage
        self._specimen = str(check_specimen(specimen))
        self._frame, self._lock = frame_of(held.result), threading.RLock()
        self._around = Around(held.pieces, held.unread, held.all_edited_runs())
        self._threshold = float(held.result.record["settings"]["threshold"])
        self._known: OrderedDict[int, Numbers] = OrderedDict()
        self._version = 0
        self._score = self._scores()
        self._state = self._measured(self._level(self._threshold))

    @classmethod
    def prepare(
        cls,
        result: Result,
        specimen: str | None = None,
        stop: threading.Event | None = None,
        progress: ProgressCallback | None = None,
    ) -> LiveMeasurement | None:
        """Read a result's map and measure it at the recorded threshold, best in the background.

        Parameters
        ----------
        result : Result
        specimen : {'node', 'primary', 'unspecified'}, optional
            By default the one recorded.
        stop : threading.Event, optional
            Set it to abandon; it is looked at after every few million pixels.
        progress : callable, optional
            Is given a `Progress` of the stage `measure`.

        Returns
        -------
        LiveMeasurement or None
            None when stopped.
        """
        held = HeldMap.load(result, stop, progress or ignore_progress)
        if held is None or (stop is not None and stop.is_set()):
            return None
        specimen = result.record["specimen"] if specimen is None else specimen
        return cls(held, specimen, second_stage(result))

    @property
    def threshold(self) -> float:
        """At which was measured last."""
        return self._threshold

    @property
    def specimen(self) -> str:
        """What the slide shows: node, primary or unspecified."""
        return self._specimen

    @property
    def has_threshold(self) -> bool:
        """Whether the model has one class; others have no threshold to follow."""
        return self._held.has_threshold

    @property
    def roles(self) -> dict[str, str]:
        """Role of every class by name."""
        return {kind["name"]: kind["role"] for kind in self.result.classes}

    def at(self, threshold: float) -> Numbers:
        """Return the numbers at a threshold, which is the current one from now on.

        Parameters
        ----------
        threshold : float
            0..1. Models of several classes have none: theirs is the recorded one.

        Raises
        ------
        UsageError
            Out of range, or another threshold for a model of several classes.
        """
        self._level(threshold)
        with self._lock:
            self._threshold = threshold
            return self._known_at(threshold)

    def peek(self, threshold: float) -> Numbers:
        """Return the numbers at a threshold and leave the current one as it is.

        As `ahead`, this keeps nobody else from asking.
        """
        level = self._level(threshold)
        if level != self._state.level:
            self._foresee(level, self._version)
        with self._lock:
            return self._known_at(threshold)

    def _known_at(self, threshold: float) -> Numbers:
        level = self._level(threshold)
        if level not in self._known:
            state = self._state if self._state.level == level else self._measured(level)
            if level == self._level(self._threshold):
                self._state = state  # what edits go on from
            self._keep(level, self._numbers(state))
        self._known.move_to_end(level)
        return replace(self._known[level], threshold=threshold)

    def ahead(self, stop: threading.Event | None = None, reach: int = AHEAD) -> None:
        """Measure the grey levels next to the current one, nearest first, for `at` to have them.

        For a background thread: the lock is not held meanwhile. Ends when told to stop, or when
        the pixels are edited.
        """
        version, level = self._version, self._level(self._threshold)
        if not self._held.has_threshold:
            return
        for near in (level + sign * k for k in range(1, reach + 1) for sign in (1, -1)):
            if self._version != version or (stop is not None and stop.is_set()):
                return
            if 0 <= near < 255:
                self._foresee(near, version)

    def _foresee(self, level: int, version: int) -> None:
        """Measure at a grey level without the lock, and keep it unless pixels changed meanwhile."""
        if level in self._known:
            return
        numbers = self._numbers(self._measured(level))
        with self._lock:
            if self._version == version:
                self._keep(level, numbers)

    def edited(self, row: int, column: int, edits: UInt8Array) -> Numbers:
        """Return the numbers after a window of the edits got new values.

        Only the regions that touch the window, grown by a pixel, are measured again.

        Parameters
        ----------
        row, column : int
            Map pixel of the window's corner.
        edits : ndarray of uint8, shape (h, w)
            0 untouched, k painted class k, 255 erased. What lies beyond the map is left out.
        """
        window, inside = self._inside(row, column, edits)
        with self._lock:
            level = self._level(self._threshold)
            state = self._state if self._state.level == level else self._measured(level)
            self._version += 1
            self._known.clear()
            if inside.size:
                self._put(window, inside)
                self._state = _State(level, self._again(state, window))
            return self.at(self._threshold)

    def with_specimen(self, specimen: str) -> Numbers:
        """Return the numbers of another kind of specimen."""
        with self._lock:
            self._specimen = str(check_specimen(specimen))
            self._version += 1
            self._known.clear()
            return self.at(self._threshold)

    def mask(self, rows: slice, columns: slice, step: int = 1) -> UInt8Array:
        """Return the corrected mask at the current threshold, every `step`-th pixel of a window."""
        height, width = self._held.edits.shape
        every = slice(*rows.indices(height)[:2], step), slice(*columns.indices(width)[:2], step)
        return self._held.mask(*every, self._level(self._threshold)).copy()

    def _level(self, threshold: float) -> int:
        """Return the grey level over which pixels are in the mask: v > 255·t as for v > ⌊255·t⌋."""
        if not 0 <= threshold <= 1:
            raise UsageError(f"threshold {threshold}", "no probability", "give one within 0..1")
        recorded = float(self.result.record["settings"]["threshold"])
        if not self._held.has_threshold and threshold != recorded:
            raise UsageError("threshold", "the model has several classes", "leave it as it is")
        return math.floor(threshold * 255)

    def _keep(self, level: int, numbers: Numbers) -> None:
        self._known[level] = numbers
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def _measured(self, level: int) -> _State:
        classes = self._held.classes(level)
        of = {k: MeasuredClass.of(found, self._frame, self._around) for k, found in classes.items()}
        return _State(level, of)

    def _numbers(self, state: _State) -> Numbers:
        names = self._held.values
        classes = [(names[value], part.columns) for value, part in state.classes.items()]
        table, order = region_table(classes, self._specimen)
        summary = summarise(table, self._specimen, self.roles)
        at = np.flatnonzero(table["major_axis_mm"] == summary["slide_major_axis_mm"])
        parts = list(state.classes.values())
        ellipse = ellipse_of(parts, int(order[at[0]]), self._frame) if len(at) else None
        return Numbers(state.level / 255, table, summary, self._score, ellipse)

    def _scores(self) -> dict[str, Any]:
        sums = {"model": self._held.model_sums, "corrected": self._held.corrected_sums}
        return {kind: score_of(self._features(part), self._stage) for kind, part in sums.items()}

    def _features(self, sums: BlockSums) -> Mapping[str, float]:
        """Return the features that the score needs: all 28 only where there is a second stage."""
        if self._stage is None:
            return slide_features(sums.coarse)
        return stored_features(sums.fine.astype(np.int64))

    def _put(self, window: Window, edits: UInt8Array) -> None:
        self._held.put(window, edits)
        assert self._around.edited is not None
        fresh = self._held.edited_runs(window.rows)
        self._around = replace(self._around, edited=spliced(self._around.edited, fresh, window))
        corrected = score_of(self._features(self._held.corrected_sums), self._stage)
        self._score = self._score | {"corrected": corrected}

    def _again(self, state: _State, window: Window) -> dict[int, MeasuredClass]:
        fresh = self._held.runs(window.rows, state.level)
        return {
            value: part.edited(
                window,
                fresh.take(fresh.label == value),
                partial(self._held.values_along, value),
                self._frame,
                self._around,
            )
            for value, part in state.classes.items()
        }

    def _inside(self, row: int, column: int, edits: UInt8Array) -> tuple[Window, UInt8Array]:
        """Return the part of a window that lies in the map."""
        height, width = self._held.edits.shape
        top, left = min(max(row, 0), height), min(max(column, 0), width)
        bottom = max(min(row + edits.shape[0], height), top)
        right = max(min(column + edits.shape[1], width), left)
        window = Window(slice(top, bottom), slice(left, right))
        return window, edits[top - row : bottom - row, left - column : right - column]
