"""What the benchmarks share: functions timed by turns, and small sizes with --quick."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds of one call, by default wall time."""
    begin = clock()
    work()
    return clock() - begin


def by_turns(
    functions: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return the seconds of every function in every round, after rounds that do not count."""
    turns = [
        {name: seconds(work, clock) for name, work in functions.items()}
        for _ in range(warm_up + rounds)
    ]
    return {name: [turn[name] for turn in turns[warm_up:]] for name in functions}


def options(parser: argparse.ArgumentParser, **quick: Any) -> argparse.Namespace:
    """Parse the command line; with --quick, `quick` are the sizes that are not given."""
    sizes = ", ".join(f"{name} {value}" for name, value in quick.items())
    parser.add_argument("--quick", action="store_true", help=sizes)
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(**quick)
    return parser.parse_args()
