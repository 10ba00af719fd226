"""Many slides: one after the other here, or side by side on Dask workers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_breastpath.analyses import Request, analyze_request
from napari_breastpath.core.errors import BreastPathError, PixelSizeError, UsageError
from napari_breastpath.core.progress import ProgressCallback
from napari_breastpath.slides import Slide, open_slide


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
    """Analyse one slide; an error becomes part of the answer, so that the others go on."""
    try:
        with open_task(task) as slide:
            result = analyze_request(
                slide, task.out, task.request, task.model, task.resume, progress, stop
            )
    except BreastPathError as error:
        return Done(task.slide, error=error)
    return Done(task.slide, result.path)


def run_on_cluster(
    tasks: Sequence[Task], workers: int = 1, scheduler: str | None = None
) -> Iterator[Done]:
    """Analyse slides on Dask workers and yield them as they end.

    Parameters
    ----------
    tasks : sequence of Task
    workers : int
        Local processes, where no scheduler is named; the processor's threads are shared out.
    scheduler : str, optional
        Address of a running Dask scheduler.

    Raises
    ------
    UsageError
        dask.distributed is missing, or nobody answers at that address.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        advice = 'pip install "napari-breastpath[cluster]"'
        raise UsageError("--workers", "dask.distributed is not installed", advice) from error
    local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    if not scheduler:
        tasks = [shared_out(task, workers) for task in tasks]
    try:
        client = Client(scheduler, timeout="15s") if scheduler else Client(**local)
    except OSError as error:
        raise UsageError(scheduler, "no Dask scheduler answers", "check the address") from error
    with client:
        futures = [client.submit(run_task, absolute(task), pure=False) for task in tasks]
        for future in as_completed(futures):
            yield future.result()


def shared_out(task: Task, workers: int) -> Task:
    """Return the task with its worker's share of the processor's threads."""
    threads = task.request.threads or max(1, (os.cpu_count() or 1) // workers)
    return replace(task, request=replace(task.request, threads=threads))


def absolute(task: Task) -> Task:
    """Return the task with paths that mean the same in any working directory."""
    return replace(task, slide=task.slide.resolve(), out=task.out.resolve())
