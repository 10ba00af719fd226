"""`LiveNumbers`: what is measured follows threshold, specimen and hands at once, then is saved.

The map of the shown result is made ready in the background; from then on every move of the slider
and every edit gives new numbers within a tenth of a second. Two seconds after the last of them the
result is measured and written as ever. Until the map is ready, or where it cannot be, measuring
alone gives the numbers.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any
from weakref import ref

from psygnal import Signal
from superqt.utils import qdebounced

from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.figures import Figures, figures_of, undamaged
from napari_breastpath.viewer.in_order import InOrder
from napari_breastpath.viewer.live_ready import Advice, Ready, prepare, show_mask
from napari_breastpath.viewer.preview import Window, preview_levels
from napari_breastpath.viewer.saver import Saver

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from napari_breastpath.analyses.numbers import Numbers
    from napari_breastpath.edits import Entry
    from napari_breastpath.measure import Ellipse
    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session

logger = logging.getLogger(__name__)
ADVICE_MS = 400


class LiveNumbers(Companion):
    """Follows one session's result; `LiveNumbers.of(session)` gives it, always the same.

    Attributes
    ----------
    numbers : Numbers or None
        The latest, where they are newer than the result's; `session.numbers` tells of them.
    failed : Signal
        Emitted with one line when measuring did not work.
    ellipse : Ellipse or None
        Of the slide's longest moment axis, None until the map is ready or without a region.
    effects : DataFrame or None
        What correcting each region would change, what matters most first (`analyses.effects`).
    warning : str
        One line where the nodal category is near a limit, "" otherwise.
    advised : Signal
        Emitted with this when `effects`, `warning` and the first `ellipse` are new.
    """

    failed = Signal(str)
    advised = Signal(object)

    def __init__(self, session: Session) -> None:
        self._session = ref(session)
        self._saver = Saver(session)
        self._saver.failed.connect(self.failed.emit)
        self._queue, self._background = InOrder(), InOrder()
        self._ahead = threading.Event()
        self.numbers: Numbers | None = None
        self.ellipse: Ellipse | None = None
        self.effects: pd.DataFrame | None = None
        self.warning = ""
        self._table: tuple[Result, pd.DataFrame] | None = None
        self._ready: Ready | None = None
        self._stop = threading.Event()
        self._busy = False
        self._asked: dict[str, Any] = {}
        self._windows: list[Window] = []
        self._advise_soon = qdebounced(self._advise, timeout=ADVICE_MS)
        session.result_changed.connect(self._on_result)
        session.measured.connect(self._on_measured)
        session.edited.connect(self._on_edited)
        self._on_result(session.result)

    def _alive(self) -> Session | None:
        """Return the session while its viewer is there."""
        return self._saver.alive()

    @property
    def is_ready(self) -> bool:
        """Numbers follow at once."""
        return self._ready is not None

    @property
    def is_saved(self) -> bool:
        """Nothing is newer than what is on disk."""
        return self._saver.is_saved

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
        self._asked |= choice
        self._follow()
        self._saver.soon(when_quiet=self.is_ready, **choice)

    # ------------------------------------------------------------------ making ready
    def _on_result(self, result: Result | None) -> None:
        session = self._alive()
        corrections = session.corrections if session else None
        is_measured = result is not None and result.is_measured
        self._saver.follow(result if is_measured and corrections else None)
        self._forget()
        if not is_measured or corrections is None:
            return
        self._stop = stop = threading.Event()
        self._queue.submit(
            lambda: prepare(corrections, stop),
            lambda ready: self._on_ready(stop, ready),
            lambda line: self._on_unready(stop, line),
        )
        if not self.is_saved:
            self._saver.soon()

    def _forget(self) -> None:
        """Let go of the result that was shown."""
        self.stop()
        self._saver.forget()
        self.effects, self.warning, self.ellipse = None, "", None
        self.numbers, self._ready, self._busy = None, None, False
        self._asked, self._windows = {}, []

    def stop(self) -> None:
        """Give up what is only made ready: the window closes."""
        self._stop.set()
        self._ahead.set()

    def finish(self) -> None:
        """Write what is not written yet: the window closes, and waits for it."""
        self.stop()
        self._saver.save()

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
        self._busy, self.numbers, self.ellipse = False, numbers, numbers.ellipse
        session.numbers.emit(numbers)
        self._preview(session, ready, numbers)
        self._follow()
        self._advise_soon()

    def _on_lost(self, ready: Ready, line: str) -> None:
        """Go on by measuring alone."""
        if ready is self._ready:
            logger.warning("numbers follow only once measured: %s", line)
            self._ready, self._busy = None, False
            self._saver.soon(when_quiet=False)

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
        if entry.window is not None:
            self._windows.append(entry.window)
            self._follow()
        self._saver.soon()

    # ------------------------------------------------------------------ advice
    def _advise(self) -> None:
        """Find out where to look next and how firm the category is, once all is quiet.

        Then neighbouring thresholds: in a thread of its own, which the next move stops.
        """
        ready = self._ready
        if ready is None or self._busy:
            return
        self._ahead = stop = threading.Event()
        for work, tell in (
            (lambda: ready.advice(stop), lambda advice: self._on_advice(ready, advice)),
            (lambda: ready.live.ahead(stop), _nothing),
        ):
            self._background.submit(work, tell, logger.warning)

    def _on_advice(self, ready: Ready, advice: Advice | None) -> None:
        if advice is None or ready is not self._ready or self._busy:
            return
        self.effects, self.warning, self.ellipse = advice
        self.advised.emit(self)

    # ------------------------------------------------------------------ saving
    def save_first(self, act: Callable[[], None]) -> None:
        """Do something with the files of the result, once they hold what is on screen."""
        self._saver.first(act)

    def _on_measured(self, result: Result) -> None:
        """Take the mask on disk again; what somebody else measured is made ready anew."""
        session = self._alive()
        if session is None or session.result is None or session.result.path != result.path:
            return
        if not self._saver.is_own:
            self._on_result(result)
        elif not (self._saver.wanted or self._asked or self._windows or self._busy):
            self.numbers = None
            show_mask(session, result.map.label("mask").levels)


def _nothing(_: object) -> None:
    """Nobody waits for it."""
