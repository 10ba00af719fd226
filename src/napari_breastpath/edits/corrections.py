"""Corrections of one result: every change is in the journal before it is in the map."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.edits.entry import (
    EDIT,
    HAND,
    MAKERS,
    NOTES,
    REDO,
    UNDO,
    Change,
    Entry,
    UInt8Array,
)
from napari_breastpath.edits.history import History
from napari_breastpath.edits.journal import Stored
from napari_breastpath.edits.pixels import band_of, changed_blocks, model_of, put_block
from napari_breastpath.edits.state import HandState, hands_summary
from napari_breastpath.edits.stored_mask import rewrite_mask
from napari_breastpath.results import Result
from napari_breastpath.results.lock import locked
from napari_breastpath.results.masks import measured_mask, row_slices, scored_heat


class Corrections:
    """What hands do to one result, from any thread and beside other processes.

    Parameters
    ----------
    result : Result
    reader : str, by default ""
        Name that goes with what is done from now on; can be set.
    """

    def __init__(self, result: Result, reader: str = "") -> None:
        self.result, self.reader = result, reader
        self._history, self._lock = History(result), threading.RLock()
        self._threshold: float | None = None

    @classmethod
    def open(cls, result: Result, reader: str = "") -> Corrections:
        """Open the corrections of a result and apply what a crash left unapplied.

        Raises
        ------
        ResultError
            The journal is damaged, or something is to be applied and the folder cannot be written.
        """
        corrections = cls(result, reader)
        corrections.refresh()
        if corrections._history.waiting():
            with corrections._writing():
                pass
        with suppress(ResultError):  # what cannot be written now was not being written
            corrections._settle()
        corrections._mend_mask()
        return corrections

    @property
    def threshold(self) -> float:
        """At which `mask` is computed and written; the record's unless set."""
        recorded = float(self.result.record["settings"]["threshold"])
        return recorded if self._threshold is None else self._threshold

    @threshold.setter
    def threshold(self, value: float) -> None:
        if not 0 < value < 1:
            raise UsageError(f"threshold {value}", "no probability", "give one between 0 and 1")
        self._threshold = float(value)

    @property
    def log(self) -> tuple[Entry, ...]:
        """Everything that was done, oldest first."""
        return tuple(self._history.entries)

    @property
    def state(self) -> HandState:
        """Extent, rulers and review as they are now."""
        return self._history.state

    @property
    def can_undo(self) -> bool:
        """Whether an edit is in force and the result is not reviewed."""
        return bool(self._history.steps.done) and self.state.reviewed is None

    @property
    def can_redo(self) -> bool:
        """Whether the last thing done to pixels was an undo and the result is not reviewed."""
        return bool(self._history.steps.undone) and self.state.reviewed is None

    def mask(self, rows: slice, columns: slice) -> UInt8Array:
        """Return the corrected mask of a window of the map: 0 nothing, k class k."""
        band = band_of(self.result, rows, columns)
        return measured_mask(band, self.result.classes, self.threshold)

    def model(self, rows: slice, columns: slice) -> UInt8Array:
        """Return the model's own mask of a window: 0 nothing, k class k."""
        return model_of(self.result, rows, columns, self.threshold)

    def edits(self, rows: slice, columns: slice) -> UInt8Array:
        """Return what hands did in a window: 0 untouched, k painted class k, 255 erased."""
        return self.result.map.label("edits").read(rows, columns)

    def heat(self, rows: slice, columns: slice) -> UInt8Array:
        """Return `scored_heat` of a window: the summed probability of what counts as tumour."""
        return scored_heat(self.result.map.probability.read(rows, columns), self.result.classes)

    def summary(self) -> dict[str, Any]:
        """Return result.json's `edits`: {strokes, pixels, seconds, readers}."""
        edits = self.result.map.label("edits")
        counts = (edits.read(rows, slice(None)) for rows in row_slices(self.result))
        return hands_summary(self.log, sum(int(np.count_nonzero(band)) for band in counts))

    def apply(
        self,
        change: Change,
        tool: str,
        *,
        maker: str = HAND,
        seconds: float = 0.0,
        detail: Mapping[str, Any] | None = None,
    ) -> Entry | None:
        """Write a change into `edits` and `mask`; None when no edit value changes.

        Parameters
        ----------
        change : Change
        tool : str
            Name for the log.
        maker : {'hand', 'machine'}
            Who decided on the pixels.
        seconds : float, by default 0
            Work at it.
        detail : mapping, optional
            What else the log shall keep, as JSON.

        Raises
        ------
        ResultError
            The result is reviewed, a run is at work on it, or it cannot be written.
        """
        return self.apply_all((change,), tool, maker=maker, seconds=seconds, detail=detail)

    def apply_all(
        self,
        changes: Iterable[Change],
        tool: str,
        *,
        maker: str = HAND,
        seconds: float = 0.0,
        detail: Mapping[str, Any] | None = None,
    ) -> Entry | None:
        """Write several changes as one edit; they must not overlap, and one is held at a time."""
        if maker not in MAKERS:
            raise ValueError(f"maker {maker!r}")
        with self._writing():
            self.check_open()
            blocks = chain.from_iterable(changed_blocks(self.result, each) for each in changes)
            stored = self._history.journal.store(self._history.next, blocks)
            if stored is None:
                return None
            return self._do(EDIT, tool, maker, seconds, stored=stored, detail=detail)

    def undo(self) -> Entry | None:
        """Take back the last edit in force, whoever made it; None when there is none."""
        with self._writing():
            return self._step(UNDO, self._history.steps.done)

    def redo(self) -> Entry | None:
        """Do again what was undone last; None when nothing was, or edits came after it."""
        with self._writing():
            return self._step(REDO, self._history.steps.undone)

    def note(
        self,
        action: str,
        detail: Mapping[str, Any] | None = None,
        tool: str = "",
        seconds: float = 0.0,
    ) -> Entry:
        """Log what has no pixels: an extent, a ruler, a review (`NOTES`).

        Raises
        ------
        ResultError
            Its detail lacks something; or the result is reviewed and this does not reopen it.
        """
        if action not in NOTES:
            raise ValueError(f"action {action!r}")
        with self._writing():
            if action != "reopen":
                self.check_open()
            return self._do(action, tool, seconds=seconds, detail=detail)

    def refresh(self) -> tuple[Entry, ...]:
        """Read what other programs did to the result since; return it."""
        with self._lock:
            return self._history.read()

    def check_open(self) -> None:
        """Raise `ResultError` while the result is reviewed."""
        self._history.check_open()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Have the result alone, with everything of the log applied."""
        path = self.result.path
        with self._lock, _told(path), self._history.journal.alone(), locked(path) as mine:
            if not mine:
                raise ResultError(path, "a run is at work on it", "wait until it is done")
            self.refresh()
            self._replay()
            yield

    def _replay(self) -> None:
        """Cut off a line that was not finished, and apply what waits, in order."""
        if self._history.journal.drop_torn_line():
            self.result.log("edits: left out the last line of the journal, which was cut short")
        self._put_all(self._history.waiting(), "after an interruption")

    def _settle(self) -> None:
        """Apply the last entries again where the machine stopped soon after them."""
        if self._history.doubtful():
            with self._writing():
                self._put_all(self._history.doubtful(), "again, since the machine was restarted")

    def _put_all(self, entries: list[Entry], why: str) -> None:
        for entry in entries:
            self._put(entry)
        if entries:
            numbers = f"{entries[0].number} to {entries[-1].number}"
            self.result.log(f"edits: applied {numbers} of the journal {why}")

    def _mend_mask(self) -> None:
        """Bring the mask to the record's threshold where a crash left it at others."""
        marker = self._history.journal.marker
        if marker is None or (marker.is_whole and marker.threshold == self.threshold):
            return
        with _told(self.result.path):
            rewrite_mask(self.result, self.threshold)
        self.result.log(f"edits: wrote the mask anew at threshold {self.threshold:g}")

    def _step(self, action: str, steps: list[int]) -> Entry | None:
        self.check_open()
        if not steps:
            return None
        edit = self._history.entries[steps[-1] - 1]
        self._history.journal.check(edit.number)
        assert edit.window is not None
        stored = Stored(edit.pixels, edit.window)
        return self._do(action, stored=stored, of=edit.number)

    def _do(
        self,
        action: str,
        tool: str = "",
        maker: str = HAND,
        seconds: float = 0.0,
        stored: Stored | None = None,
        of: int | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Log an entry, then apply it."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        head = (self._history.next, action, tool, maker, self.reader, now, float(seconds))
        pixels, window = (stored.pixels, stored.window) if stored else (0, None)
        entry = self._history.add(Entry(*head, pixels, window, of, dict(detail or {})))
        self._put(entry)
        return entry

    def _put(self, entry: Entry) -> None:
        """Bring an entry's pixels into the map, and mark it as applied."""
        if entry.pixels:
            for block in self._history.journal.blocks(entry.of or entry.number):
                put_block(self.result, block, self.threshold, back=entry.action == UNDO)
        recorded = float(self.result.record["settings"]["threshold"])
        self._history.mark(entry, recorded, self.threshold)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in one line that the result cannot be written."""
    try:
        yield
    except OSError as error:
        cause, advice = f"cannot be written ({error})", "make room for it, or allow writing there"
        raise ResultError(path, cause, advice) from error
