"""The `tumour` analysis: tissue → stain → network → probability map → regions and scores."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_breastpath.analyses.measuring import measure_result
from napari_breastpath.analyses.preparing import (
    BoolArray,
    analysed_area,
    check_slide,
    erase_map,
    find_tissue,
    finished_blocks,
    fit_stain,
    make_normalizer,
    store_tissue,
    stored_tissue,
    tissue_factor,
)
from napari_breastpath.analyses.request import Request, check_model, check_same, check_status
from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.core.geometry import Lattice
from napari_breastpath.core.memory import give_back
from napari_breastpath.core.progress import Progress, ProgressCallback
from napari_breastpath.inference import (
    Blocks,
    Grid,
    Job,
    Outcome,
    Plan,
    first_blocks,
    initial_states,
    plan_addition,
    plan_run,
    run,
    tiles_touching,
)
from napari_breastpath.inference.plan import States
from napari_breastpath.models import ModelBundle, Predictor, make_predictor
from napari_breastpath.models.second_stage import load_second_stage
from napari_breastpath.report import report_or_warning
from napari_breastpath.results import Result, create_result
from napari_breastpath.results.files import written
from napari_breastpath.results.folder import RECORD, set_aside
from napari_breastpath.results.lock import alone, claimed
from napari_breastpath.results.maps import DONE, FAILED, SKIPPED
from napari_breastpath.results.provenance import model_record, slide_record, software_versions
from napari_breastpath.slides import Slide, check_pixel_size

BRIGHT_FIELD_MPP = (0.05, 20.0)


@dataclass(frozen=True)
class Run:
    """One slide, one model, one request, and who wants to hear about it.

    `started` is called once, as soon as the result folder with its (empty) map is there.
    """

    slide: Slide
    bundle: ModelBundle
    request: Request
    progress: ProgressCallback
    stop: threading.Event | None = None
    started: Callable[[Result], None] | None = None

    @property
    def grid(self) -> Grid:
        """The tiles of the slide at the model's µm/px."""
        bundle = self.bundle
        lattice = self.slide.lattice(bundle.mpp)
        overlap = self.request.for_model(bundle).overlap
        stride, margin = bundle.output_stride, bundle.margin
        return Grid.over(lattice, bundle.tile_size, overlap, stride, margin)

    @property
    def factor(self) -> int:
        """Map pixels per tissue pixel."""
        return tissue_factor(self.grid.map_lattice.mpp_x)

    @property
    def tissue_lattice(self) -> Lattice:
        """Geometry of the tissue mask."""
        return self.grid.map_lattice.coarser(self.factor)

    @property
    def stopped(self) -> bool:
        """Someone wants this to end."""
        return self.stop is not None and self.stop.is_set()


def analyze_tumour(job: Run, out: Path, resume: bool) -> Result:
    """Analyse one slide, or go on with what an interrupted run left.

    Parameters
    ----------
    job : Run
    out : Path
        Folder that holds the result folders.
    resume : bool
        False moves an old result aside and starts anew.

    Returns
    -------
    Result
        Its `status` says whether every tissue tile was read.
    """
    check_model(job.request, job.bundle)
    check_pixel_size(job.slide, *BRIGHT_FIELD_MPP)
    load_second_stage(job.bundle)  # what it lacks is said before the work, not after it
    warnings = check_slide(job.slide, job.bundle)
    with written(out), claimed(out, *_identity(job)) as path:
        result = _open(job, path, resume, warnings)
        if job.started is not None:
            job.started(result)
        if result.status == "complete":
            result.log("already complete, nothing to do")
            return result
        predictor = _prepared(job, result)
        plan, states, analysed = _remaining(job, result)
        _reopen(result, plan)
        return _infer_and_measure(job, result, predictor, plan, states, analysed)


def _identity(job: Run) -> tuple[str, str, str]:
    return job.slide.path.absolute().name, job.request.analysis, job.slide.fingerprint


def analyze_added_tissue(job: Run, result: Result, tissue: BoolArray) -> Result:
    """Infer tissue that a hand added to a finished result; remove what a hand took away.

    Pixels inferred before keep their values; only tiles that reach into newly analysed pixels run.

    Parameters
    ----------
    job : Run
        The same slide and model as the result's.
    result : Result
    tissue : ndarray, bool (y, x)
        The new tissue on `job.tissue_lattice`.

    Returns
    -------
    Result
    """
    check_same(result, job.request, job.slide, job.bundle)
    grid, factor = job.grid, job.factor
    before = analysed_area(stored_tissue(result, factor), job.tissue_lattice)
    now = analysed_area(tissue, job.tissue_lattice)
    wanted = tiles_touching(grid, tissue, factor)
    states = initial_states(wanted, np.where(wanted, result.map.tile_state, SKIPPED))
    added = tiles_touching(grid, now & ~before, factor)
    blocks = Blocks(grid, result.map.chunk)
    plan = plan_addition(blocks, wanted, added, states)
    job.progress(Progress("model", 0, 1))
    predictor = _predictor(job, result)
    with written(result.path), alone(result.path):
        _reopen(result, plan)
        store_tissue(result, tissue, factor)
        erase_map(result, before & ~now, factor)
        result.save(tissue_edited=True)
        return _infer_and_measure(job, result, predictor, plan, states, now)


def _open(job: Run, path: Path, resume: bool, warnings: list[str]) -> Result:
    """Return the result to go on with, or a new one."""
    if resume and (path / RECORD).is_file():
        result = Result.load(path)
        try:
            check_status(result)
            check_same(result, job.request, job.slide, job.bundle)
            return result
        except UsageError:
            # A run that ended before it found tissue (a wrong tissue file, say) binds nobody.
            if result.record.get("prepared", True):
                raise
    set_aside(path)
    bundle = job.bundle
    record = {
        "prepared": False,
        "slide": slide_record(job.slide),
        "analysis": job.request.analysis,
        "specimen": job.request.specimen,
        "model": model_record(bundle),
        "map_mpp": list(job.grid.map_lattice.mpp),
        "settings": job.request.for_model(bundle).settings(),
        "warnings": warnings,
        "software": software_versions(),
        "timing_s": {},
        "edits": {"strokes": 0, "pixels": 0, "seconds": 0.0, "readers": []},
    }
    return create_result(
        path,
        record,
        lattice=job.grid.map_lattice,
        slide_mpp=job.slide.mpp,
        classes=[(c.name, c.color) for c in bundle.classes],
        tiles=job.grid.shape,
        at_least=job.factor.bit_length(),
    )


def _prepared(job: Run, result: Result) -> Predictor:
    """Return the network, made while tissue and stain are found: each keeps one core busy."""
    job.progress(Progress("model", 0, 1))
    if result.record["prepared"]:
        return _predictor(job, result)
    with ThreadPoolExecutor(1, "beside") as beside:
        return _prepare(job, result, beside)


def _prepare(job: Run, result: Result, beside: ThreadPoolExecutor) -> Predictor:
    """Find tissue and stain, and write them down with device and engine of the network."""
    started, network = time.perf_counter(), beside.submit(_predictor, job, result)
    job.progress(Progress("tissue", 0, 1))
    tissue = find_tissue(job.slide, job.request, job.tissue_lattice)
    stored = beside.submit(store_tissue, result, tissue, job.factor)
    found = time.perf_counter()
    job.progress(Progress("stain", 0, 1))
    stain, warnings = fit_stain(job.slide, job.request, job.bundle, tissue, job.tissue_lattice)
    if not tissue.any():
        warnings.append("no tissue found")
    fitted = time.perf_counter()
    if not network.done():  # the first time on a machine it is converted: up to a minute
        job.progress(Progress("model", 0, 1))
    predictor = network.result()
    stored.result()
    settings = result.record["settings"] | {
        "stain_normalizer": stain,
        "device": predictor.device.name,
        "device_reason": predictor.device.reason,
        "engine": predictor.engine,
        "engine_reason": predictor.engine_reason,
        "batch_size": predictor.batch_size,
        "threads": predictor.threads,
    }
    result.save(
        prepared=True,
        settings=settings,
        warnings=result.record["warnings"] + warnings,
        timing_s=result.record["timing_s"]
        | {
            "tissue": round(found - started, 3),
            "stain": round(fitted - found, 3),
        },
    )
    return predictor


def _remaining(job: Run, result: Result) -> tuple[Plan, States, BoolArray]:
    """Return what is still to do, the tile states to start from and the area to fill."""
    tissue = stored_tissue(result, job.factor)
    wanted = tiles_touching(job.grid, tissue, job.factor)
    before, finished = result.map.tile_state, finished_blocks(result, tissue, job.factor)
    if lost := int(result.map.block_state.sum()) - int(finished.sum()):
        result.log(f"{lost} finished blocks are damaged and inferred again")
    blocks, order = Blocks(job.grid, result.map.chunk), result.record["settings"].get("order")
    first = first_blocks(blocks, tissue, job.factor) if order == "coarse" else ()
    plan = plan_run(blocks, wanted, before, finished, first)
    return plan, initial_states(wanted, before), analysed_area(tissue, job.tissue_lattice)


def _reopen(result: Result, plan: Plan) -> None:
    """Mark blocks unfinished before they are touched: a crash then redoes them whole."""
    state = result.map.block_state
    for block in plan.blocks:
        state[block] = 0
    result.map.block_state = state
    result.save(status="partial")


def _predictor(job: Run, result: Result) -> Predictor:
    """Return the network, on the device and engine that the result already names, if any."""
    started = time.perf_counter()
    settings, timing = result.record["settings"], result.record["timing_s"]
    wanted = (settings[name] for name in ("device", "engine", "batch_size", "threads"))
    predictor = make_predictor(job.bundle, *wanted)
    timing["model"] = round(time.perf_counter() - started, 3)
    return predictor


def _infer_and_measure(
    job: Run,
    result: Result,
    predictor: Predictor,
    plan: Plan,
    states: States,
    analysed: BoolArray,
) -> Result:
    settings = result.record["settings"]
    total = int((states != SKIPPED).sum())
    result.log(
        f"inferring {len(plan.tiles)} of {total} tiles in {len(plan.blocks)} blocks; "
        f"{plan.again} of them again, around unfinished blocks"
    )
    result.map.tile_state = states
    outcome = Outcome(states, settings["batch_size"])
    started = time.perf_counter()
    if plan.tiles:
        give_back()  # what finding the tissue needed (`benchmarks/memory.py`)
        normalizer = make_normalizer(job.request, job.bundle, settings["stain_normalizer"])
        work = Job(
            job.slide,
            job.grid,
            result.map,
            predictor,
            analysed,
            job.factor,
            states,
            normalizer,
        )
        outcome = run(work, plan, job.progress, job.stop)
        _warn(result, outcome, getattr(normalizer, "passed_through", 0))
    _record_run(result, outcome, time.perf_counter() - started)
    if not outcome.stopped:
        started = time.perf_counter()
        job.progress(Progress("measure", 0, 1))
        measure_result(result)
        _finish(result, outcome, time.perf_counter() - started)
        report_or_warning(result, job.slide)
    return result


def _warn(result: Result, outcome: Outcome, passed_through: int) -> None:
    """Add to the record what a reader should know of the run."""
    warnings = list(result.record["warnings"])
    if outcome.batch_size < result.record["settings"]["batch_size"]:
        warnings.append(f"out of memory: batches of {outcome.batch_size} tiles instead")
    if passed_through:
        warnings.append(
            f"{passed_through} tiles were too pale for StainTools, inferred as they are"
        )
    result.save(warnings=warnings)


def _record_run(result: Result, outcome: Outcome, seconds: float) -> None:
    """Write down what the run did: tiles, times, failures."""
    count = {name: int((outcome.states == s).sum()) for name, s in _TILE_COUNTS.items()}
    timing = result.record["timing_s"]
    spent = {"inference": seconds} | outcome.seconds
    for stage, value in spent.items():
        timing[stage] = round(timing.get(stage, 0.0) + value, 3)
    tiles = {"total": outcome.states.size, **count}
    result.save(tiles=tiles, timing_s=timing)
    for line in outcome.failures:
        result.log(f"unread {line}")
    result.log(f"{'stopped' if outcome.stopped else 'inferred'}: {count['done']} tiles done")


_TILE_COUNTS = {"done": DONE, "skipped": SKIPPED, "failed": FAILED}


def _finish(result: Result, outcome: Outcome, seconds: float) -> None:
    failed, done = (result.record["tiles"][name] for name in ("failed", "done"))
    timing = result.record["timing_s"] | {"measure": round(seconds, 3)}
    if failed and not done:
        result.save(status="failed", timing_s=timing)
        first = outcome.failures[0] if outcome.failures else "see run.log"
        raise ResultError(result.path, f"no tile could be inferred ({first})", "check the slide")
    result.save(status="incomplete" if failed else "complete", timing_s=timing)
