"""Work of the main thread in pieces, so that painting and hands get their turn in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer


class Pieces(QObject):
    """Runs pieces of work, each in a turn of the event loop of its own.

    Parameters
    ----------
    parent : QObject
        With whose end what waits is forgotten.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: deque[Callable[[], None]] = deque()
        self._turn = QTimer(self, singleShot=True, interval=0)
        self._turn.timeout.connect(self._next)

    def run(self, *pieces: Callable[[], None], at_once: bool = False) -> None:
        """Run these, in order, instead of what waits still; or `at_once`, without turns."""
        self._waiting = deque(pieces)
        while at_once and self._waiting:
            self._waiting.popleft()()
        self._turn.start()

    def _next(self) -> None:
        if self._waiting:
            self._waiting.popleft()()
            self._turn.start()
