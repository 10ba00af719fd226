"""What each command does: call the library, print, return an exit code."""

from __future__ import annotations

import json
import signal
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_breastpath.cli import hands
from napari_breastpath.cli.models import models
from napari_breastpath.cli.scoring import evaluate, fit_score
from napari_breastpath.cli.terminal import Reporter, complain, summary
from napari_breastpath.cli.training import train
from napari_breastpath.core.errors import BreastPathError, ResultError, UsageError, unexpected

if TYPE_CHECKING:
    from napari_breastpath.batch import Done, Task
    from napari_breastpath.results import Result

OK, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


def analyze(args: Namespace) -> int:
    """Analyse every slide; one that fails does not keep the others from being done."""
    from napari_breastpath.analyses import Request

    request = Request(
        analysis=args.analysis,
        stain=args.stain,
        tissue=args.tissue,
        threshold=args.threshold,
        specimen=args.specimen,
        device=args.device,
        engine=args.engine,
        region=args.region,
    )
    tasks = [_task(path, args, request) for path in args.slides]
    with interruptible() as stop:
        done = _run(tasks, args, stop)
        codes = [_report(item, args.json, args.debug) for item in done]
    return INTERRUPTED if stop.is_set() and any(codes) else max(codes, default=OK)


def _task(path: Path, args: Namespace, request: Any) -> Task:
    from napari_breastpath.batch import Task

    return Task(
        slide=path,
        out=args.out,
        request=request,
        model=args.model,
        resume=not args.no_resume,
        mpp=args.mpp,
        magnification=args.magnification,
        only_missing=len(args.slides) > 1,
    )


def _run(tasks: list[Task], args: Namespace, stop: threading.Event) -> Iterator[Done]:
    from napari_breastpath.batch import run_on_cluster, run_task

    if args.scheduler or args.workers > 1:
        yield from run_on_cluster(tasks, args.workers, args.scheduler, stop)
        return
    for task in tasks:
        reporter = Reporter(task.slide.name)
        try:
            yield run_task(task, reporter, stop)
        finally:
            reporter.close()


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C or SIGTERM sets; the second one ends the program."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in wanted}

    def ask(number: int, frame: object) -> None:
        stop.set()
        complain("stopping after the batch in work; run the same command again to go on")
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in wanted:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(done: Done, as_json: bool, debug: bool = False) -> int:
    """Say what became of one slide, and return its exit code."""
    from napari_breastpath.results import load_result

    if done.error is not None and debug:
        raise done.error
    if done.error is not None:
        complain(done.error)
        if as_json:
            line = {"slide": str(done.slide), "status": "failed", "error": str(done.error)}
            print(json.dumps(line), flush=True)
        return WRONG_USAGE if isinstance(done.error, UsageError) else FAILED
    if done.result is None:
        return FAILED
    result = load_result(done.result)
    if as_json:
        print(json.dumps({"result": str(result.path)} | result.record), flush=True)
    elif "regions" in result.record:
        print("\n".join(summary(result)), flush=True)
    return _status_code(done, result)


def _status_code(done: Done, result: Result) -> int:
    if result.status == "incomplete":
        unread = 100 * result.record["unread_tissue_fraction"]
        cause = f"{unread:.2f} % of the tissue could not be read"
        complain(f"{done.slide}: {cause}; see run.log, run again to retry")
    return OK if result.status == "complete" else FAILED


def measure(args: Namespace) -> int:
    """Measure a result again."""
    from napari_breastpath.analyses import measure_result
    from napari_breastpath.edits import Corrections
    from napari_breastpath.models import load_model
    from napari_breastpath.report import report_or_warning
    from napari_breastpath.results import load_result

    result = load_result(args.result)
    if result.status == "partial":
        raise ResultError(result.path, "the run was interrupted", "run `breastpath analyze` again")
    model = load_model(args.model) if args.model else None
    Corrections.open(result)  # a crash may have left strokes that are not in the map
    measure_result(result, args.threshold, args.specimen, model)
    report_or_warning(result)
    print("\n".join(summary(result)))
    return OK


def import_file(args: Namespace) -> int:
    """Bring annotations or labels into a result and measure it again."""
    from napari_breastpath.analyses import importing
    from napari_breastpath.report import report_or_warning
    from napari_breastpath.results import load_result

    result = load_result(args.result)
    done = importing.import_file(result, args.file, args.what, dict(args.classes or ()))
    report_or_warning(result)
    print(f"imported       {done.count} {done.things} as {done.what}, {done.pixels} map pixels")
    print("\n".join(summary(result)))
    for note in done.notes:
        complain(f"{args.file}: {note}")
    return OK


def export(args: Namespace) -> int:
    """Write a result in a foreign format."""
    from napari_breastpath.exchange.export import export_result
    from napari_breastpath.results import load_result

    options = {"fractional": args.fractional, "objects": args.objects}
    result = load_result(args.result)
    export_result(result, args.to, args.out, **options)
    hands.warn_if_behind(result)
    print(args.out)
    return OK


def report(args: Namespace) -> int:
    """Write the report of every result, and one worklist of several."""
    from napari_breastpath.report import write_worklist
    from napari_breastpath.report.worklist import WORKLIST

    done = [_write_report(path, args) for path in args.results]
    results = [result for result, _ in done if result is not None]
    if results and (len(args.results) > 1 or args.patients):
        page = args.out / WORKLIST if args.out else None
        print(write_worklist(results, page, args.patients))
    return max(code for _, code in done)


def _write_report(path: Path, args: Namespace) -> tuple[Result | None, int]:
    """Return the result, None where it is none, and the exit code of its report."""
    from napari_breastpath.report import write_report
    from napari_breastpath.results import load_result

    result = None
    try:
        result = load_result(path)
        print(write_report(result, args.pdf, args.with_label))
        hands.warn_if_behind(result)
    except BreastPathError as error:
        complain(error)
        return result, WRONG_USAGE if isinstance(error, UsageError) else FAILED
    return result, OK


def doctor(args: Namespace) -> int:
    """Print what is installed and which device would be used."""
    from napari_breastpath.cli.doctor import findings

    for name, value in findings():
        print(f"{name:<26} {value}")
    return OK


def demo(args: Namespace) -> int:
    """Analyse the embedded sample slide and print its known truth beside what was found."""
    from napari_breastpath.analyses import Request
    from napari_breastpath.batch import Task
    from napari_breastpath.sample import sample_slide_path, sample_truth

    request = Request(specimen="node")
    task = Task(sample_slide_path(), args.out, request, resume=not args.no_resume)
    with interruptible() as stop:
        plain = Namespace(scheduler=None, workers=1)
        codes = [_report(item, False, args.debug) for item in _run([task], plain, stop)]
    if stop.is_set():
        return INTERRUPTED
    truth = sample_truth()
    longest = truth["longest_feret_mm"]
    print(f"known truth    {len(truth['nests'])} nests drawn, the longest {longest:.2f} mm")
    return max(codes)


def view(args: Namespace) -> int:
    """Open napari with the plugin docked."""
    try:
        from napari_breastpath.viewer.launch import view as launch
    except ImportError as error:
        advice = 'pip install "napari-breastpath[all]"'
        raise UsageError("view", f"napari cannot start ({error})", advice) from error
    launch(args.path)
    return OK


def run(args: Namespace) -> int:
    """Run the command named in `args`; errors become one line and an exit code."""
    try:
        return COMMANDS[args.command](args)
    except UsageError as error:
        complain(error)
        return WRONG_USAGE
    except BreastPathError as error:
        complain(error)
        return FAILED
    except KeyboardInterrupt:
        complain("interrupted; run the same command again to go on")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - no traceback without --debug
        complain(unexpected(args.command, error))
        return FAILED


COMMANDS = {
    "analyze": analyze,
    "measure": measure,
    "import": import_file,
    "export": export,
    "report": report,
    "models": models,
    "train": train,
    "evaluate": evaluate,
    "fit-score": fit_score,
    "log": hands.log,
    "compare": hands.compare,
    "doctor": doctor,
    "demo": demo,
    "view": view,
}
