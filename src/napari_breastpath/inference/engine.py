"""The engine: read ahead → stain → network → blend → write, tile by tile in a fixed order.

Reading, network and writing each run in threads of their own, blending in the caller's; what waits
between them is bounded, so memory does not grow with the slide.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import InferenceError, SlideError
from napari_breastpath.core.progress import Progress, ProgressCallback, ignore_progress
from napari_breastpath.inference.ahead import ahead, threads
from napari_breastpath.inference.grid import BoolArray, Grid
from napari_breastpath.inference.plan import Plan, States
from napari_breastpath.inference.stitch import Blender, Blocks, FloatArray, Index
from napari_breastpath.inference.writer import Writer
from napari_breastpath.models import OutOfMemory, Predictor
from napari_breastpath.results.maps import DONE, FAILED, MapStore
from napari_breastpath.slides import Slide

if TYPE_CHECKING:
    import torch

TileArray = NDArray[np.uint8]
Column: TypeAlias = tuple[Index, ...]
# Read ahead of the network, for each of its streams.
BATCHES_AHEAD = 3
# Tiles read in one piece, at most: none waits long for the others.
LONGEST_COLUMN = 4


class Normalizer(Protocol):
    """Anything that brings a batch of tiles to the model's stain, from any number of threads."""

    def transform_batch(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the batch, uint8 (n, h, w, 3), normalised."""
        ...


@dataclass(frozen=True)
class Job:
    """Everything one run needs.

    Attributes
    ----------
    slide : Slide
    grid : Grid
    store : MapStore
    predictor : Predictor
    analysed : ndarray, bool (y, x)
        Where the map may hold values, on the map lattice made `factor` times coarser.
    factor : int
    states : ndarray, uint8 (rows, columns)
        Tile states at the start of the run.
    normalizer : Normalizer or None
        None: tiles go to the network as they are.
    """

    slide: Slide
    grid: Grid
    store: MapStore
    predictor: Predictor
    analysed: BoolArray
    factor: int
    states: States
    normalizer: Normalizer | None = None

    @property
    def blocks(self) -> Blocks:
        """Blocks of the map under this grid."""
        return Blocks(self.grid, self.store.chunk)


@dataclass
class Outcome:
    """What a run did.

    Attributes
    ----------
    states : ndarray, uint8
        Tile states now.
    batch_size : int
        The smallest batch that had to be used.
    stopped : bool
        It was told to stop before the last tile.
    failures : list of str
        One line per tile that could not be had.
    seconds : dict
        Wall-clock seconds waited for pixels (`read_wait`), in stain normalisation (`normalize`)
        and in the network (`network`); of streams side by side, each counts for its share.
    """

    states: States
    batch_size: int
    stopped: bool = False
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def spend(self, stage: str, since: float, streams: int = 1) -> None:
        """Add the time since `since` (perf_counter) to a stage; from any thread."""
        seconds = (time.perf_counter() - since) / streams
        with self._lock:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def shrink(self, batch_size: int) -> None:
        """Use no larger batches from now on; from any thread."""
        with self._lock:
            self.batch_size = min(self.batch_size, batch_size)

    def take(self, tile: Tile, answered: bool) -> int:
        """Return the state of a tile, and write down why one failed."""
        if answered:
            return DONE
        row, column = tile.index
        self.failures.append(f"tile row {row}, column {column}: {tile.error}")
        return FAILED


@dataclass
class Tile:
    """One tile on its way: its pixels, uint8 (h, w, 3), or why there are none."""

    index: Index
    pixels: TileArray | None = None
    error: str = ""


Answer: TypeAlias = tuple[Tile, FloatArray | None]


def read_tile(slide: Slide, grid: Grid, index: Index) -> Tile:
    """Read one tile and its margin at the model's µm/px; white off the slide."""
    box = grid.read_box(*index)
    try:
        pixels = slide.read(box.x, box.y, box.width, box.height, mpp=grid.lattice.mpp)
    except SlideError as error:
        return Tile(index, error=str(error))
    return Tile(index, pixels)


def read_column(slide: Slide, grid: Grid, column: Column) -> list[Tile]:
    """Read tiles that lie one below the other in one piece, or one by one where that fails.

    What they share is averaged once, and fewer threads wait for each other to decode it: a seventh
    to a quarter of a run whose network takes no time (`benchmarks/around_network.py`). The pixels
    are the same, bit for bit.
    """
    first, last = grid.read_box(*column[0]), grid.read_box(*column[-1])
    height = last.y + last.height - first.y
    try:
        pixels = slide.read(first.x, first.y, first.width, height, mpp=grid.lattice.mpp)
    except SlideError:
        return [read_tile(slide, grid, index) for index in column]
    edge, pitch = grid.tile + 2 * grid.margin, grid.tile - grid.overlap
    return [Tile(index, pixels[k * pitch :][:edge]) for k, index in enumerate(column)]


def columns_of(tiles: Iterable[Index], longest: int) -> Iterator[Column]:
    """Yield tiles, in their order, together with those that come next and lie below."""
    column: list[Index] = []
    for index in tiles:
        if column and (len(column) == longest or index != (column[-1][0] + 1, column[-1][1])):
            yield tuple(column)
            column = []
        column.append(index)
    if column:
        yield tuple(column)


def run(
    job: Job,
    plan: Plan,
    progress: ProgressCallback = ignore_progress,
    stop: threading.Event | None = None,
) -> Outcome:
    """Infer the tiles of `plan` and write its blocks.

    Parameters
    ----------
    job : Job
    plan : Plan
    progress : callable
        Called in this thread after every batch.
    stop : threading.Event, optional
        Set it to end the run after the batch in work; finished blocks stay.

    Returns
    -------
    Outcome

    Raises
    ------
    InferenceError
        The network cannot be run at all.
    ResultError
        A block cannot be written.
    """
    states = job.states.copy()
    outcome = Outcome(states, job.predictor.batch_size)
    blender = Blender(job.blocks, plan.tiles, plan.blocks, job.predictor.classes)
    fates: dict[Index, int] = {}
    started = time.perf_counter()
    size, streams = job.predictor.batch_size, job.predictor.streams
    with (
        threads(_readers(), "read") as readers,
        threads(streams, "network") as networks,
        Writer(job.store, job.blocks, plan, states, job.analysed, job.factor, fates) as writer,
    ):
        read, longest = partial(read_column, job.slide, job.grid), min(size, LONGEST_COLUMN)
        columns = columns_of(plan.tiles, longest)
        read_ahead = ahead(readers, read, columns, BATCHES_AHEAD * size * streams, len)
        batches = _batches(chain.from_iterable(read_ahead), size, outcome)
        # `streams` more than the one whose answers are blended, so that none of them waits.
        for answers in ahead(networks, partial(_infer, job, outcome), batches, streams):
            if stop is not None and stop.is_set():
                outcome.stopped = True
                break
            for tile, probability in answers:
                fates[tile.index] = outcome.take(tile, probability is not None)
                for block, values in blender.add(tile.index, probability):
                    writer.put(block, values)
            rate = len(fates) / (time.perf_counter() - started)
            progress(Progress("inference", len(fates), len(plan.tiles), rate))
    return outcome


def _readers() -> int:
    return min(16, max(2, os.cpu_count() or 1))


def _batches(tiles: Iterator[Tile], size: int, outcome: Outcome) -> Iterator[list[Tile]]:
    started = time.perf_counter()
    while batch := list(islice(tiles, size)):
        outcome.spend("read_wait", started)
        yield batch
        started = time.perf_counter()


def _infer(job: Job, outcome: Outcome, batch: list[Tile]) -> list[Answer]:
    """Return each tile's probabilities, None for one that is unreadable or not a number."""
    readable = [tile.pixels for tile in batch if tile.pixels is not None]
    answers = iter(_predict(job, np.stack(readable), outcome) if readable else [])
    results: list[Answer] = []
    for tile in batch:
        answer = next(answers) if tile.pixels is not None else None
        if answer is not None and not np.isfinite(answer).all():
            answer, tile.error = None, "the network gave NaN"
        results.append((tile, None if answer is None else _as_map(job.grid, answer)))
    return results


def _as_map(grid: Grid, answer: FloatArray) -> FloatArray:
    """Return a tile's answer (c, y, x); what a classifier says of it holds for all its pixels."""
    if answer.ndim == 3:
        return answer
    return np.broadcast_to(answer[:, None, None], (*answer.shape, grid.map_tile, grid.map_tile))


def _predict(job: Job, pixels: TileArray, outcome: Outcome) -> Iterator[FloatArray]:
    """Yield one answer a tile; out of memory halves the batch, for good, and goes on."""
    start = 0
    while start < len(pixels):
        size = outcome.batch_size
        piece = pixels[start : start + size]
        try:
            answers = _forward(job, _padded(piece, size), outcome)
        except _no_memory() as error:
            if size == 1:
                device, advice = (
                    job.predictor.device.name,
                    "close other programs or use --device cpu",
                )
                raise InferenceError(device, "no memory for a single tile", advice) from error
            outcome.shrink(size // 2)
            continue
        yield from answers[: len(piece)]
        start += size


def _no_memory() -> tuple[type[Exception], ...]:
    """Return what the network, and what the stain on the same device, raise for lack of memory."""
    import torch

    return OutOfMemory, MemoryError, torch.OutOfMemoryError


def _padded(pixels: TileArray, size: int) -> TileArray:
    """Fill a batch up to `size` with white tiles: its size never changes, nor do its results."""
    missing = size - len(pixels)
    filler = np.full((missing, *pixels.shape[1:]), 255, np.uint8)
    return np.concatenate([pixels, filler]) if missing else pixels


def _forward(job: Job, pixels: TileArray, outcome: Outcome) -> FloatArray:
    import torch

    started = time.perf_counter()
    batch = torch.from_numpy(pixels).to(job.predictor.device.name)
    if job.normalizer is not None:
        batch = job.normalizer.transform_batch(batch)
        outcome.spend("normalize", started, job.predictor.streams)
        started = time.perf_counter()
    answers: FloatArray = np.asarray(job.predictor.predict(batch))
    outcome.spend("network", started, job.predictor.streams)
    return answers
