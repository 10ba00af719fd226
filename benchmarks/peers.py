"""Other people's programs beside ours: an environment of their own, and a process that obeys.

What is compared runs in this process and in theirs by turns, imports and the making of the model
uncounted, both held to the same processors.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, TypeAlias

from napari_breastpath.results import Result

Answer: TypeAlias = dict[str, Any]
PROGRAMS = Path(__file__).with_name("peer_programs")
ANSWER = "answer: "
CACHE = Path.home() / ".cache" / "napari-breastpath" / "benchmarks"


def peer_parser(doc: str | None, name: str, mpp: float, workers: int) -> argparse.ArgumentParser:
    """Return a command line with what both comparisons are told."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0] if doc else None)
    parser.add_argument("--width", type=int, default=20_000, help="px of level 0, 0.25 µm/px")
    parser.add_argument("--height", type=int, default=16_000)
    parser.add_argument("--mpp", type=float, default=mpp, help="µm/px of the network's input")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2, help="processors")
    parser.add_argument("--workers", type=int, default=workers, help="theirs, which read")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--environment", type=Path, default=CACHE / name)
    return parser


def environment(folder: Path, requirements: Sequence[str]) -> Path:
    """Return the Python of an environment that has those packages, made where it is not there."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, wanted = folder / "requirements.txt", "\n".join(requirements) + "\n"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        print(f"installing {', '.join(requirements)} into {folder} (minutes, gigabytes) …")
        made(requirements[0], [sys.executable, "-m", "venv", str(folder)])
        made(requirements[0], [str(python), "-m", "pip", "install", "--quiet", *requirements])
        stamp.write_text(wanted, encoding="utf-8")
    return python


def made(what: str, command: list[str]) -> None:
    """Run a command; end with one line where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()] or [""]
        advice = "needs a network and disk space; or give --environment one that has it"
        raise SystemExit(f"{what}: cannot be installed ({said[-1].strip()}); {advice}")


def keep_to(threads: int) -> None:
    """Hold this process and those it starts to so many processors, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


@dataclass(frozen=True)
class Peer:
    """A program in another environment that answers questions."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def ask(self, **question: Any) -> Answer:
        """Return its answer; end with one line where it stops instead."""
        questions, answers = self._pipes()
        questions.write(json.dumps(question, default=str) + "\n")
        questions.flush()
        for line in answers:
            if line.startswith(ANSWER):  # the rest is what the peer itself prints
                return dict(json.loads(line.removeprefix(ANSWER)))
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise SystemExit(f"{self.name}: stopped ({(lines or ['no word'])[-1]}); see {self.log}")

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        return self.process.stdin, self.process.stdout


@contextmanager
def peer(name: str, folder: Path, requirements: Sequence[str], threads: int) -> Iterator[Peer]:
    """Start `peer_programs/NAME_program.py` in its environment, on the processor alone."""
    python = environment(folder, requirements)
    log = folder / "log.txt"
    process = subprocess.Popen(
        [str(python), str(PROGRAMS / f"{name}_program.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log.open("w", encoding="utf-8"),
        text=True,
        env={**os.environ, **quietly(folder, threads)},
    )
    try:
        yield Peer(name, process, log)
    finally:
        process.kill()
        process.wait()


def quietly(folder: Path, threads: int) -> dict[str, str]:
    """Return what makes a program use its own home, no GPU, no network and so many threads."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "CUDA_VISIBLE_DEVICES": "",
        "WSINFER_FORCE_CPU": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(threads),
    }


def timed(run: Callable[[], Result]) -> Answer:
    """Return our run's seconds, wall clock and processor's, its tiles and the times it notes."""
    started, spent = time.perf_counter(), time.process_time()
    record = run().record
    return {
        "seconds": time.perf_counter() - started,
        "processor": time.process_time() - spent,
        "count": record["tiles"]["done"],
        **record["timing_s"],
    }


def compare(name: str, rounds: Sequence[tuple[Answer, Answer]]) -> None:
    """Print what each side took, and theirs ÷ ours a tile.

    The processor's seconds are what a busy machine stretches less; those around the network are
    what a program adds to it.
    """
    for who, side in zip(("ours", name), zip(*rounds, strict=True), strict=True):
        parts = {key: statistics.median(one[key] for one in side) for key in side[0]}
        spelled = ", ".join(f"{key} {value:.4g}" for key, value in parts.items())
        print(f"   {who:12s} {spelled} (medians, s)")
    compared = {"seconds": itemgetter("seconds"), "processor": itemgetter("processor")}
    if all("network" in one for pair in rounds for one in pair):
        compared["seconds around the network"] = lambda one: one["seconds"] - one["network"]
    for what, of in compared.items():
        ratios = [of(b) / b["count"] / (of(a) / a["count"]) for a, b in rounds]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"   {what} a tile, {name} ÷ ours: {statistics.median(ratios):.2f} (rounds: {each})")
