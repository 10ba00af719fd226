"""Work off the main thread: one function, its progress, its end, and a way to stop it.

A `WorkerBase` of our own and not a generator `thread_worker`: superqt's generator worker takes
every `RuntimeError` (CUDA out of memory is one) for a deleted Qt object and then says nothing at
all, and a generator that is cancelled keeps its frame alive until napari exits.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from qtpy.QtCore import Signal
from superqt.utils._qthreading import WorkerBase, WorkerBaseSignals

from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.core.progress import Progress
from napari_breastpath.viewer.libraries import avoid_second_llvm

logger = logging.getLogger(__name__)
SIGNALS_PER_S = 10.0


class WorkSignals(WorkerBaseSignals):
    """What a `Work` says, received in the main thread.

    `progressed` carries a `Progress`, at most ten a second; `announced` whatever the function hands
    over early; `done` its value; `failed` one line for the user. After `done` or `failed` comes
    `finished`, always.
    """

    progressed = Signal(object)
    announced = Signal(object)
    done = Signal(object)
    failed = Signal(str)


class Work(WorkerBase):
    """One function in one thread of Qt's pool.

    Parameters
    ----------
    function : callable
        Takes this `Work`; reports through `report` and `announce`, and looks at `stop`.

    Attributes
    ----------
    stop, ended : threading.Event
        Set to stop it soon; set when the function has returned.
    """

    def __init__(self, function: Callable[[Work], Any]) -> None:
        super().__init__(SignalsClass=WorkSignals)
        self.stop, self.ended = threading.Event(), threading.Event()
        self._function: Callable[[Work], Any] | None = function
        self._reported: tuple[str, float] = ("", 0.0)

    def quit(self) -> None:
        """Ask it to stop soon."""
        self.stop.set()

    def report(self, progress: Progress) -> None:
        """Pass progress on: every new stage and its end, otherwise ten times a second."""
        stage, last = self._reported
        now = time.monotonic()
        under_way = progress.stage == stage and progress.done < progress.total
        if under_way and now - last < 1 / SIGNALS_PER_S:
            return
        self._reported = progress.stage, now
        self.progressed.emit(progress)

    def announce(self, value: Any) -> None:
        """Hand something over before the end."""
        self.announced.emit(value)

    def work(self) -> None:
        """Run the function; Qt's pool calls it."""
        function, self._function = self._function, None
        avoid_second_llvm()
        try:
            value = function(self) if function else None
        except Exception as error:  # noqa: BLE001 - whatever it is, the user gets one line
            self.failed.emit(one_line(error))
        else:
            self.done.emit(value)
        finally:
            free_gpu_cache()
            self.ended.set()


def one_line(error: Exception) -> str:
    """Return an error as the one line a user reads; an unexpected one goes to the log, too."""
    if isinstance(error, BreastPathError):
        return str(error)
    logger.error("unexpected error in a background task", exc_info=error)
    text = " ".join(str(error).split())[:300]
    return f"Unexpected {type(error).__name__}: {text}; please report it with napari's log"


def free_gpu_cache() -> None:
    """Give cached GPU memory back, where torch is in use at all."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


WorkFunction: TypeAlias = Callable[[Work], Any]
