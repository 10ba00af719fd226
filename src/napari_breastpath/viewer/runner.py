"""One piece of background work at a time per window, so that nothing writes to a result twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from qtpy.QtCore import QObject, Signal

from napari_breastpath.core.errors import UsageError
from napari_breastpath.viewer.worker import Work, WorkFunction

IDLE, RUNNING, CANCELLING = "idle", "running", "cancelling"
Handler = Callable[[Any], None]
_runners: WeakKeyDictionary[Any, Runner] = WeakKeyDictionary()


class Runner(QObject):
    """Starts, watches and stops background work for one viewer.

    Attributes
    ----------
    state : str
        `idle`, `running` or `cancelling`; `changed` is emitted when it changes.
    task : str
        What is being done, "" when idle.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.state, self.task = IDLE, ""
        self._work: Work | None = None

    @classmethod
    def of(cls, session: Any) -> Runner:
        """Return the one of a session, made on first use."""
        if session not in _runners:
            _runners[session] = cls()
        return _runners[session]

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        return self.state == IDLE

    def check_idle(self, task: str) -> None:
        """Raise a `UsageError` about `task` where something is under way already."""
        if not self.idle:
            raise UsageError(task, f"{self.task.lower()} is under way", "wait for it or cancel it")

    def start(
        self,
        task: str,
        function: WorkFunction,
        done: Handler,
        failed: Callable[[str], None],
        progressed: Handler | None = None,
        announced: Handler | None = None,
    ) -> Work:
        """Run `function` in a thread; the handlers are called in the main thread.

        Raises
        ------
        UsageError
            Something is under way already.
        """
        self.check_idle(task)
        work = self._work = Work(function)
        work.done.connect(self._last(work, done))
        work.failed.connect(self._last(work, failed))
        for signal, handler in ((work.progressed, progressed), (work.announced, announced)):
            if handler is not None:
                signal.connect(self._heard(work, handler))
        self._set(RUNNING, task)
        work.start()
        return work

    def _heard(self, work: Work, handler: Handler) -> Handler:
        """Return `handler`, deaf once the work has been let go (the window may be gone)."""
        return lambda value: handler(value) if self._work is work else None

    def _last(self, work: Work, handler: Handler) -> Handler:
        """Return `handler` for a message that ends the work: idle first, so it may start more."""

        def conclude(value: Any) -> None:
            if self._work is work:
                self._work = None
                self._set(IDLE, "")
                handler(value)

        return conclude

    def cancel(self) -> None:
        """Ask the work to stop; it ends after the batch that is being computed."""
        if self._work is not None and self.state == RUNNING:
            self._work.quit()
            self._set(CANCELLING, self.task)

    def stop_and_let_go(self, timeout_s: float = 60.0) -> bool:
        """Stop the work, wait for its thread and hear no more of it; True when it has ended."""
        work, self._work = self._work, None
        if work is None:
            return True
        work.quit()
        self._set(IDLE, "")
        return work.ended.wait(timeout_s)

    def _set(self, state: str, task: str) -> None:
        self.state, self.task = state, task
        self.changed.emit()
