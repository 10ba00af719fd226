"""Work in one thread, in the order it was asked for, told of in the main thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal

from napari_breastpath.viewer.worker import one_line

Tell = Callable[[Any], None]


class InOrder(QObject):
    """Runs functions one after the other; the interpreter waits for them before it ends.

    Attributes
    ----------
    waiting : int
        How many are not told of yet.
    """

    _arrived = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="hands")
        self._outcomes: deque[tuple[Tell, Any]] = deque()
        self._arrived.connect(self.deliver, Qt.ConnectionType.QueuedConnection)

    def submit(self, work: Callable[[], Any], done: Tell, failed: Callable[[str], None]) -> None:
        """Run `work` after all that was submitted before; then tell, in the main thread."""
        self.waiting += 1
        self._pool.submit(self._run, work, done, failed)

    def _run(self, work: Callable[[], Any], done: Tell, failed: Callable[[str], None]) -> None:
        try:
            self._outcomes.append((done, work()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the user gets one line
            self._outcomes.append((failed, one_line(error)))
        self._arrived.emit()

    def deliver(self) -> None:
        """Tell of everything that has ended."""
        while self._outcomes:
            tell, value = self._outcomes.popleft()
            self.waiting -= 1
            tell(value)

    def drain(self, timeout_s: float = 60.0) -> bool:
        """Wait for everything and tell of it; True when nothing is left."""
        end = time.monotonic() + timeout_s
        while self.waiting and (left_s := end - time.monotonic()) > 0:
            with suppress(TimeoutError):
                self._pool.submit(lambda: None).result(left_s)
            self.deliver()
        return self.waiting == 0
