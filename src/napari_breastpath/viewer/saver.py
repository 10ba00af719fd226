"""`Saver`: what numbers followed is measured and written, and what could not be is kept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from weakref import ref

from psygnal import Signal
from superqt.utils import qdebounced

from napari_breastpath.analyses.by_hand import is_behind
from napari_breastpath.edits import read_log
from napari_breastpath.viewer import jobs
from napari_breastpath.viewer.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_breastpath.edits import Entry
    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session
    from napari_breastpath.viewer.worker import WorkFunction

logger = logging.getLogger(__name__)
MEASURING = "Measuring"
QUIET_MS, WAIT_MS = 2000, 350


class Saver:
    """Measures and writes one session's result in the background, once hands are still.

    Attributes
    ----------
    wanted : dict
        `threshold` and `specimen` that are not written yet; what failed stays here and is tried
        again with the next thing that somebody does.
    is_own : bool
        `session.measured` is being emitted for what was written here.
    failed : Signal
        Emitted with one line when measuring or writing did not work.
    """

    failed = Signal(str)

    def __init__(self, session: Session) -> None:
        self._session = ref(session)
        self._runner = Runner.of(session)
        self.is_own = False
        self._left: Result | None = None
        self.forget()
        self._soon = qdebounced(self.save, timeout=WAIT_MS)
        self._when_quiet = qdebounced(self.save, timeout=QUIET_MS)
        self._runner.changed.connect(self._on_runner)

    def forget(self) -> None:
        """Have nothing to write: another result is shown."""
        self.wanted: dict[str, Any] = {}
        self._saving = self._gave_up = False
        self._then: list[Callable[[], None]] = []

    def alive(self) -> Session | None:
        """Return the session while its viewer is there."""
        session = self._session()
        return None if session is None or session._viewer() is None else session

    @property
    def is_saved(self) -> bool:
        """Nothing is newer than what is on disk."""
        session = self.alive()
        if self.wanted or self._saving:
            return False
        if session is None or session.result is None or session.corrections is None:
            return True
        return not is_unsaved(session.result, session.corrections.log)

    def soon(self, when_quiet: bool = True, **wanted: Any) -> None:
        """Write soon what hands did and what is `wanted`; `when_quiet` after two seconds."""
        self._gave_up = False
        self.wanted |= wanted
        (self._when_quiet if when_quiet else self._soon)()

    def first(self, act: Callable[[], None]) -> None:
        """Do something with the files of the result, once they hold what is on screen."""
        if self.is_saved:
            act()
            return
        self._then.append(act)
        self.save()

    def save(self) -> None:
        """Measure and write as was asked for last, unless something else is under way."""
        session = self.alive()
        result = session.result if session else None
        if result is None or not self._runner.idle or self.is_saved:
            return
        wanted, work, self._saving = self.wanted, self._job(result), True
        self._runner.start(
            MEASURING, work, self._on_saved, lambda line: self._on_failed(result, wanted, line)
        )

    def follow(self, result: Result | None) -> None:
        """Write what is left of the result that was shown before; this one is shown now."""
        left, self._left = self._left, result
        if left is None or (result is not None and result.path == left.path):
            return
        if not left.path.exists() or not self._runner.idle:
            return
        if self.wanted or is_unsaved(left, read_log(left)):
            self._runner.start(MEASURING, self._job(left), _nothing, logger.warning)

    def _job(self, result: Result) -> WorkFunction:
        """Return the work that writes what is newer than a result's files."""
        wanted, self.wanted = self.wanted, {}
        pixels = is_behind(result, read_log(result))
        job = jobs.measure if wanted or pixels else jobs.record_hands
        return job(result.path, wanted.get("threshold"), wanted.get("specimen"))

    def _is_shown(self, result: Result) -> bool:
        session = self.alive()
        shown = session.result if session else None
        return shown is not None and shown.path == result.path

    def _on_failed(self, result: Result, wanted: dict[str, Any], line: str) -> None:
        # Not again before somebody does something: the disk may be full.
        if self._is_shown(result):
            self._then, self._saving, self._gave_up = [], False, True
            self.wanted = wanted | self.wanted
        self.failed.emit(line)

    def _on_saved(self, result: Result) -> None:
        """Show what was measured, unless another result is shown by now."""
        session = self.alive()
        if session is None or not self._is_shown(result):
            return
        session.result, self._left, self._saving = result, result, False
        self.is_own = True
        try:
            session.measured.emit(result)
        finally:
            self.is_own = False
        if not self.is_saved:
            self._when_quiet()
            return
        acts, self._then = self._then, []
        for act in acts:
            act()

    def _on_runner(self) -> None:
        if self._runner.idle and not (self._gave_up or self._saving or self.is_saved):
            self._soon()


def is_unsaved(result: Result, log: tuple[Entry, ...]) -> bool:
    """Tell whether a journal is longer than the record knows."""
    return len(log) > (result.record.get("edits") or {}).get("entries", 0)


def _nothing(_: object) -> None:
    """Nobody waits for it."""
