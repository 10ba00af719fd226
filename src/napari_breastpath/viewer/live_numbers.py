"""`LiveNumbers`: what is measured follows threshold, specimen and hands at once, then is saved.

The map of the shown result is made ready in the background; from then on every move of the slider
and every edit gives new numbers within a tenth of a second. Two seconds after the last of them the
result is measured and written as ever. Until the map is ready, or where it cannot be, measuring
alone gives the numbers.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Self, cast
from weakref import ref

from psygnal import Signal
from superqt.utils import qdebounced

from napari_breastpath.analyses.by_hand import is_behind
from napari_breastpath.edits import read_log
from napari_breastpath.viewer import jobs
from napari_breastpath.viewer.figures import Figures, figures_of, undamaged
from napari_breastpath.viewer.in_order import InOrder
from napari_breastpath.viewer.layers import MEASURED
from napari_breastpath.viewer.live_ready import Ready, prepare, show_mask
from napari_breastpath.viewer.preview import Window, preview_levels
from napari_breastpath.viewer.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from napari_breastpath.analyses.live import Numbers
    from napari_breastpath.edits import Entry
    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session
    from napari_breastpath.viewer.worker import WorkFunction

logger = logging.getLogger(__name__)
MEASURING = "Measuring"
QUIET_MS, WAIT_MS, ADVICE_MS = 2000, 350, 400


class LiveNumbers:
    """Follows one session's result; `LiveNumbers.of(session)` gives it, always the same.

    Attributes
    ----------
    numbers : Numbers or None
        The latest, where they are newer than the result's; `session.numbers` tells of them.
    failed : Signal
        Emitted with one line when measuring did not work.
    effects : DataFrame or None
        What correcting each region would change, what matters most first (`analyses.effects`).
    warning : str
        One line where the nodal category is near a limit, "" otherwise.
    advised : Signal
        Emitted with this when `effects` and `warning` are new.
    """

    failed = Signal(str)
    advised = Signal(object)

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return the one of a session, made on first use."""
        if cls not in session.companions:
            session.companions[cls] = cls(session)
        return cast(Self, session.companions[cls])

    def __init__(self, session: Session) -> None:
        self._session = ref(session)
        self._runner = Runner.of(session)
        self._queue, self._background = InOrder(), InOrder()
        self._ahead = threading.Event()
        self.numbers: Numbers | None = None
        self.effects: pd.DataFrame | None = None
        self.warning = ""
        self._table: tuple[Result, pd.DataFrame] | None = None
        self._left: Result | None = None
        self._ready: Ready | None = None
        self._stop = threading.Event()
        self._busy = self._is_own = self._saving = self._gave_up = False
        self._asked: dict[str, Any] = {}
        self._unsaved: dict[str, Any] = {}
        self._windows: list[Window] = []
        self._when_saved: list[Callable[[], None]] = []
        self._advise_soon = qdebounced(self._advise, timeout=ADVICE_MS)
        self._save_soon = qdebounced(self.save, timeout=WAIT_MS)
        self._save_when_quiet = qdebounced(self.save, timeout=QUIET_MS)
        session.result_changed.connect(self._on_result)
        session.measured.connect(self._on_measured)
        session.edited.connect(self._on_edited)
        self._runner.changed.connect(self._on_runner)
        self._on_result(session.result)

    def _alive(self) -> Session | None:
        """Return the session while its viewer is there."""
        session = self._session()
        return None if session is None or session._viewer() is None else session

    @property
    def is_ready(self) -> bool:
        """Numbers follow at once."""
        return self._ready is not None

    @property
    def is_saved(self) -> bool:
        """Nothing is newer than what is on disk."""
        session = self._alive()
        if session is None or session.result is None or session.corrections is None:
            return not (self._unsaved or self._saving)
        behind = is_unsaved(session.result, session.corrections.log)
        return not (self._unsaved or self._saving or behind)

    def figures(self) -> Figures | None:
        """Return what is to be shown now; None without a result.

        Raises
        ------
        ResultError
            It is not measured, or its record or a table is damaged.
        """
        session = self._alive()
        result = session.result if session else None
        if session is None or result is None:
            return None
        with undamaged(result):
            if self._table is None or self._table[0] is not result:
                self._table = result, result.regions
            return figures_of(result, self._table[1], session.corrections, self.numbers)

    def want(self, **choice: Any) -> None:
        """Ask for a `threshold` or a `specimen`; the latest counts."""
        self._gave_up = False
        self._asked |= choice
        self._unsaved |= choice
        self._follow()
        (self._save_when_quiet if self.is_ready else self._save_soon)()

    # ------------------------------------------------------------------ making ready
    def _on_result(self, result: Result | None) -> None:
        if self._left is not None and (result is None or result.path != self._left.path):
            self._save_left()
        self._forget()
        session = self._alive()
        corrections = session.corrections if session else None
        if result is None or result.status not in MEASURED or corrections is None:
            return
        self._left = result
        self._stop = stop = threading.Event()
        self._queue.submit(
            lambda: prepare(corrections, stop),
            lambda ready: self._on_ready(stop, ready),
            lambda line: self._on_unready(stop, line),
        )
        if not self.is_saved:
            self._save_when_quiet()

    def _forget(self) -> None:
        """Let go of the result that was shown."""
        self.stop()
        self.effects, self.warning = None, ""
        self.numbers, self._ready = None, None
        self._busy = self._saving = self._gave_up = False
        self._asked, self._unsaved, self._windows = {}, {}, []
        self._when_saved = []

    def stop(self) -> None:
        """Give up what is only made ready: the window closes."""
        self._stop.set()
        self._ahead.set()

    def finish(self) -> None:
        """Write what is not written yet: the window closes, and waits for it."""
        self.stop()
        self.save()

    def _on_ready(self, stop: threading.Event, ready: Ready | None) -> None:
        if ready is None or stop is not self._stop:
            return
        self._ready = ready
        # Edits may have come between reading the map and now.
        self._follow()
        self._advise_soon()

    def _on_unready(self, stop: threading.Event, line: str) -> None:
        if stop is self._stop:
            logger.warning("numbers follow only once measured: %s", line)

    # ------------------------------------------------------------------ following
    def _follow(self) -> None:
        """Have numbers made for the latest wishes, one go at a time."""
        ready = self._ready
        if ready is None or self._busy or not (self._asked or self._windows):
            return
        self._ahead.set()
        asked, windows = self._asked, self._windows
        self._asked, self._windows, self._busy = {}, [], True
        self._queue.submit(
            lambda: ready.numbers(asked, windows),
            lambda numbers: self._on_numbers(ready, numbers),
            lambda line: self._on_lost(ready, line),
        )

    def _on_numbers(self, ready: Ready, numbers: Numbers) -> None:
        session = self._alive()
        if session is None or ready is not self._ready:
            return
        self._busy, self.numbers = False, numbers
        session.numbers.emit(numbers)
        self._preview(session, ready, numbers)
        self._follow()
        self._advise_soon()

    def _on_lost(self, ready: Ready, line: str) -> None:
        """Go on by measuring alone."""
        if ready is self._ready:
            logger.warning("numbers follow only once measured: %s", line)
            self._ready, self._busy = None, False
            self._save_soon()

    def _preview(self, session: Session, ready: Ready, numbers: Numbers) -> None:
        """Show the mask at the threshold of the numbers, while another one is on disk."""
        if ready.peaks is None or session.result is None:
            return
        ready.corrections.threshold = numbers.threshold
        if session.result.record["settings"]["threshold"] == numbers.threshold:
            show_mask(session, ready.corrections.result.map.label("mask").levels)
        else:
            show_mask(session, preview_levels(ready.corrections, ready.peaks))

    def _on_edited(self, entry: Entry) -> None:
        self._gave_up = False
        if entry.window is not None:
            self._windows.append(entry.window)
            self._follow()
        self._save_when_quiet()

    # ------------------------------------------------------------------ advice
    def _advise(self) -> None:
        """Find out where to look next and how firm the category is, once all is quiet."""
        ready = self._ready
        if ready is None or self._busy:
            return
        self._queue.submit(
            ready.advice, lambda advice: self._on_advice(ready, advice), logger.warning
        )

    def _on_advice(self, ready: Ready, advice: tuple[pd.DataFrame, str]) -> None:
        if ready is not self._ready or self._busy:
            return
        self.effects, self.warning = advice
        self.advised.emit(self)
        # Neighbouring thresholds, in a thread of their own, which the next move stops.
        self._ahead.clear()
        self._background.submit(lambda: ready.live.ahead(self._ahead), _nothing, logger.warning)

    # ------------------------------------------------------------------ saving
    def save_first(self, act: Callable[[], None]) -> None:
        """Do something with the files of the result, once they hold what is on screen."""
        if self.is_saved:
            act()
            return
        self._when_saved.append(act)
        self.save()

    def save(self) -> None:
        """Measure and write as was asked for last, unless something else is under way."""
        session = self._alive()
        result = session.result if session else None
        if session is None or result is None or not self._runner.idle or self.is_saved:
            return
        work, self._saving = self._job(result), True
        self._runner.start(MEASURING, work, self._on_saved, self._on_failed)

    def _job(self, result: Result) -> WorkFunction:
        """Return the work that writes what is newer than a result's files."""
        wanted, self._unsaved = self._unsaved, {}
        pixels = is_behind(result, read_log(result))
        job = jobs.measure if wanted or pixels else jobs.record_hands
        return job(result.path, wanted.get("threshold"), wanted.get("specimen"))

    def _save_left(self) -> None:
        """Write what is not written yet of a result that is shown no more."""
        left, self._left = self._left, None
        if left is None or not left.path.exists() or not self._runner.idle:
            return
        if self._unsaved or is_unsaved(left, read_log(left)):
            self._runner.start(MEASURING, self._job(left), _nothing, logger.warning)

    def _on_failed(self, line: str) -> None:
        # Not again before somebody does something: the disk may be full.
        self._when_saved, self._saving, self._gave_up = [], False, True
        self.failed.emit(line)

    def _on_saved(self, result: Result) -> None:
        """Show what was measured, unless another result is shown by now."""
        session = self._alive()
        shown = session.result if session else None
        if session is None or shown is None or shown.path != result.path:
            return
        session.result, self._left, self._saving = result, result, False
        self._is_own = True
        try:
            session.measured.emit(result)
        finally:
            self._is_own = False
        if not self.is_saved:
            self._save_when_quiet()
            return
        acts, self._when_saved = self._when_saved, []
        for act in acts:
            act()

    def _on_measured(self, result: Result) -> None:
        """Take the mask on disk again; what somebody else measured is made ready anew."""
        session = self._alive()
        if session is None or session.result is None or session.result.path != result.path:
            return
        if not self._is_own:
            self._on_result(result)
        elif not (self._unsaved or self._asked or self._windows or self._busy):
            self.numbers = None
            show_mask(session, result.map.label("mask").levels)

    def _on_runner(self) -> None:
        if self._runner.idle and not (self._gave_up or self._saving or self.is_saved):
            self._save_soon()


def is_unsaved(result: Result, log: tuple[Entry, ...]) -> bool:
    """Tell whether a journal is longer than the record knows."""
    return len(log) > (result.record.get("edits") or {}).get("entries", 0)


def _nothing(_: object) -> None:
    """Nobody waits for it."""
