"""Two single-threaded Dask workers on eight slides against one, and the overhead per slide.

Both clusters are local processes, started before the clock; the slides are the packaged sample.
Each worker keeps to a processor of its own, as a cluster's scheduler would give it: left alone, one
worker reads and writes on the second, and two are 1.6 times as fast. The overhead is what
`run_on_cluster` with one worker takes beyond the same runs in this process, on one processor too.
On a machine that others use, read the processor time: two workers that get in each other's way
(threads that spin, work done twice) need more of it than one.

    python benchmarks/workers.py [--slides 8] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from by_turns import options
from distributed import Client, LocalCluster

from napari_breastpath.analyses import Request
from napari_breastpath.batch import Done, Task, run_on_cluster, run_task
from napari_breastpath.sample import sample_slide_path


def main() -> None:
    """Run the slides on one and on two workers by turns, and once here; print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--slides", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = options(parser, slides=2, rounds=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slides = [copied(folder, k) for k in range(arguments.slides)]
        rounds = [one_round(slides, folder / str(k)) for k in range(arguments.rounds)]
    faster, overhead, processor = zip(*rounds, strict=True)
    print(f"two workers: {statistics.median(faster):.2f}x one (rounds: {listed(faster)})")
    print(f"  processor time {statistics.median(processor):.2f}x one's ({listed(processor)})")
    print(f"overhead: {statistics.median(overhead):.2f} s a slide (rounds: {listed(overhead)})")


def listed(values: Sequence[float]) -> str:
    """Return numbers with two digits."""
    return ", ".join(f"{value:.2f}" for value in values)


def copied(folder: Path, number: int) -> Path:
    """Return a copy of the sample slide under a name of its own."""
    return Path(shutil.copy(sample_slide_path(), folder / f"slide-{number}.tif"))


def one_round(slides: list[Path], out: Path) -> tuple[float, float, float]:
    """Return how many times faster two workers are, one's overhead in s a slide, and their work."""
    (one, alone), (two, both) = (on_cluster(slides, out / f"{n}", n) for n in (1, 2))
    here = in_this_process(slides, out / "here")
    return one / two, (one - here) / len(slides), both / alone


def tasks(slides: list[Path], out: Path) -> list[Task]:
    """Return one task a slide, each with one thread."""
    return [Task(slide, out, Request(threads=1)) for slide in slides]


def on_cluster(slides: list[Path], out: Path, workers: int) -> tuple[float, float]:
    """Return the seconds of the slides on running, warm workers, and their processor seconds."""
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster:
        address = cluster.scheduler_address
        keep_apart(address)
        everyone = tasks(slides[:workers] * 2, out / "warm-up")
        done(list(run_on_cluster(everyone[:workers], scheduler=address)))
        before, started = processor_seconds(address), time.perf_counter()
        done(list(run_on_cluster(tasks(slides, out), scheduler=address)))
        wall = time.perf_counter() - started
        return wall, processor_seconds(address) - before


def keep_apart(address: str) -> None:
    """Keep each worker of a cluster to a processor of its own."""
    with Client(address) as client:
        workers = client.scheduler_info()["workers"]
        for worker, processor in zip(workers, processors(), strict=False):
            client.run(keep_to, processor, workers=[worker])


def processors() -> list[int]:
    """Return the processors that this process may use, none where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def keep_to(*processors: int) -> None:
    """Keep this process's threads, and those that they start, to some processors."""
    for thread in os.listdir("/proc/self/task") if processors else ():
        os.sched_setaffinity(int(thread), processors)


def processor_seconds(address: str) -> float:
    """Return what all workers have used of their processors."""
    with Client(address) as client:
        return float(sum(client.run(time.process_time).values()))


def in_this_process(slides: list[Path], out: Path) -> float:
    """Return the seconds of the slides one after the other, warm, on one processor."""
    everywhere = processors()
    keep_to(*everywhere[:1])
    done([run_task(tasks(slides, out / "warm-up")[0])])
    started = time.perf_counter()
    done([run_task(task) for task in tasks(slides, out)])
    seconds = time.perf_counter() - started
    keep_to(*everywhere)
    return seconds


def done(answers: list[Done]) -> None:
    """Stop where a slide was not analysed."""
    for answer in answers:
        if answer.error is not None:
            raise answer.error


if __name__ == "__main__":
    main()
