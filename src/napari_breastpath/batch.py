"""Many slides: one after the other here, or side by side on Dask workers."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_breastpath.analyses import Request, analyze_request
from napari_breastpath.core.errors import BreastPathError, PixelSizeError, UsageError, unexpected
from napari_breastpath.core.progress import ProgressCallback
from napari_breastpath.slides import Slide, open_slide

POLL_S = 0.5


@dataclass(frozen=True)
class Task:
    """One slide to analyse, as plain values that travel to any worker.

    Attributes
    ----------
    slide, out : Path
    request : Request
    model : str or None
    resume : bool
    mpp : (x, y) or None
        µm/px given by the user.
    magnification : float or None
    only_missing : bool
        Use `mpp` or `magnification` only where the slide names no pixel size.
    """

    slide: Path
    out: Path
    request: Request
    model: str | None = None
    resume: bool = True
    mpp: tuple[float, float] | None = None
    magnification: float | None = None
    only_missing: bool = False


@dataclass(frozen=True)
class Done:
    """What became of one slide.

    Attributes
    ----------
    slide : Path
    result : Path or None
        The result folder; None where there is none.
    error : BreastPathError or None
        Neither a result nor an error: the slide was not begun.
    """

    slide: Path
    result: Path | None = None
    error: BreastPathError | None = None


def open_task(task: Task) -> Slide:
    """Open a task's slide with the pixel size its user gave, if it is due."""
    if task.only_missing:
        try:
            return open_slide(task.slide)
        except PixelSizeError:
            if task.mpp is None and task.magnification is None:
                raise
    return open_slide(task.slide, mpp=task.mpp, magnification=task.magnification)


def run_task(task: Task, progress: ProgressCallback | None = None, stop: Any = None) -> Done:
    """Analyse one slide; an error becomes part of the answer, so that the others go on.

    `stop` is anything with `is_set()`; a slide that it comes before is not begun.
    """
    if stop is not None and stop.is_set():
        return Done(task.slide)
    try:
        with open_task(task) as slide:
            result = analyze_request(
                slide, task.out, task.request, task.model, task.resume, progress, stop
            )
    except BreastPathError as error:
        return Done(task.slide, error=error)
    except Exception as fault:  # noqa: BLE001 - whatever one slide does, the others go on
        return Done(task.slide, error=unexpected(task.slide, fault))
    return Done(task.slide, result.path)


def run_on_cluster(
    tasks: Sequence[Task],
    workers: int = 1,
    scheduler: str | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Done]:
    """Analyse slides on Dask workers and yield them as they end.

    Parameters
    ----------
    tasks : sequence of Task
    workers : int
        Local processes, where no scheduler is named; the processor's threads are shared out.
    scheduler : str, optional
        Address of a running Dask scheduler.
    stop : threading.Event, optional
        Set it to stop the workers after the batches in work.

    Raises
    ------
    UsageError
        dask.distributed is missing, or nobody answers at that address.
    """
    try:
        from distributed import Client, Event
    except ImportError as error:
        advice = 'pip install "napari-breastpath[cluster]"'
        raise UsageError("--workers", "dask.distributed is not installed", advice) from error
    local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0"}
    if not scheduler:
        tasks = [shared_out(task, workers) for task in tasks]
    try:
        with _deaf_to_interrupts():
            client = Client(scheduler, timeout="15s") if scheduler else Client(**local)
    except OSError as error:
        raise UsageError(scheduler, "no Dask scheduler answers", "check the address") from error
    with client:
        end = Event(client=client)
        running = {
            client.submit(run_task, absolute(task), None, end, pure=False): task for task in tasks
        }
        for future in _as_they_end(running, stop, end):
            yield _answer(future, running[future].slide)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Let the processes started meanwhile ignore Ctrl-C: it is meant for the one above them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _answer(future: Any, slide: Path) -> Done:
    """Return what a worker answered, or that it was lost."""
    lost = future.exception()
    return Done(slide, error=unexpected(slide, lost)) if lost else future.result()


def _as_they_end(futures: Iterable[Any], stop: threading.Event | None, end: Any) -> Iterator[Any]:
    """Yield futures as they end, and tell the workers to end when `stop` is set."""
    from distributed import wait

    left = set(futures)
    while left:
        if stop is not None and stop.is_set():
            end.set()
        try:
            ended = wait(left, timeout=POLL_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue
        left -= ended
        yield from ended


def shared_out(task: Task, workers: int) -> Task:
    """Return the task with its worker's share of the processor's threads."""
    threads = task.request.threads or max(1, (os.cpu_count() or 1) // workers)
    return replace(task, request=replace(task.request, threads=threads))


def absolute(task: Task) -> Task:
    """Return the task with paths that mean the same in any working directory."""
    return replace(task, slide=task.slide.resolve(), out=task.out.resolve())
