"""The engine around a network that takes no time, against decoding alone: what a GPU waits for.

Per round, one after the other: a `tumour` run without stain (that is the device's work) whose
network answers at once, with smooth noise; the same with every tile read by itself instead of in
columns (`inference.engine.read_column`); and the decoding, on all cores, of what the run decoded.
Printed are the seconds of inference: a network that takes longer a tile is what a run waits for,
one that takes less waits for the engine.

    python benchmarks/around_network.py [--width 20000 --height 16000] [--mpp 0.5] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from bare import bare_decoding
from by_turns import options
from gigapixel import write_slide
from random_models import THRESHOLD, TILE, winner_like_model
from scipy.ndimage import zoom

from napari_breastpath import analyze, load_model
from napari_breastpath.analyses import tumour
from napari_breastpath.inference import engine
from napari_breastpath.models import ModelBundle, make_predictor
from napari_breastpath.results import Result

COARSE_PX = 8


@dataclass
class Clock:
    """Seconds of wall and of processor that `work` took, summed over its calls."""

    work: Any
    wall: float = 0.0
    processor: float = 0.0

    def __call__(self, *arguments: Any) -> Any:
        """Call it."""
        wall, processor = time.perf_counter(), time.process_time()
        try:
            return self.work(*arguments)
        finally:
            self.wall += time.perf_counter() - wall
            self.processor += time.process_time() - processor


def main() -> None:
    """Write slide and model, run the rounds, print what a tile takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=int, default=20_000)
    parser.add_argument("--height", type=int, default=16_000)
    parser.add_argument("--mpp", type=float, default=0.5, help="µm/px of the network's input")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = options(parser, width=8_000, height=6_400)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        slide = write_slide(folder / "slide.tif", arguments.width, arguments.height)
        bundle = load_model(winner_like_model(folder / "model", arguments.mpp))
        one_round(slide, bundle, folder / "first", arguments.batch)  # Numba, imports
        rounds = [
            one_round(slide, bundle, folder / f"{k}", arguments.batch)
            for k in range(arguments.rounds)
        ]
    for name in rounds[0]:
        each = [seconds[name] * 1e3 for seconds in rounds]
        print(f"{name}: {statistics.median(each):.2f} ms a tile")
    for other in ("tile by tile", "decoding alone"):
        ratios = [seconds["inference"] / seconds[other] for seconds in rounds]
        print(
            f"inference ÷ {other}: {statistics.median(ratios):.2f} "
            f"(rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
        )


def one_round(slide: Path, bundle: ModelBundle, out: Path, batch: int) -> dict[str, float]:
    """Return seconds a tile of wall time, and of the processor's for inference."""
    inference, result = timed_run(slide, bundle, out / "columns", batch)
    with mock.patch.object(engine, "LONGEST_COLUMN", 1):
        alone, _ = timed_run(slide, bundle, out / "tiles", batch)
    tiles = result.record["tiles"]["done"]
    return {
        "inference": inference.wall / tiles,
        "its processor time": inference.processor / tiles,
        "tile by tile": alone.wall / tiles,
        "its processor time, tile by tile": alone.processor / tiles,
        "decoding alone": bare_decoding(slide, bundle, result),
    }


def timed_run(slide: Path, bundle: ModelBundle, out: Path, batch: int) -> tuple[Clock, Result]:
    """Return what inference took, and the result."""
    clock = Clock(tumour.run)
    with mock.patch.object(tumour, "run", clock), instant_network(bundle, batch):
        result = analyze(slide, out, model=bundle.folder, stain="none", threshold=THRESHOLD)
    return clock, result


@contextmanager
def instant_network(bundle: ModelBundle, batch: int) -> Iterator[None]:
    """Let runs have a predictor that gives every tile the same answer."""
    noise = np.random.default_rng(0).random((COARSE_PX, COARSE_PX), np.float32)
    answer = zoom(noise, TILE // bundle.output_stride / COARSE_PX, order=1)
    answers = np.tile(answer, (batch, 1, 1, 1))
    real = make_predictor(bundle, "cpu", "torch", batch)
    predictor = replace(real, forward=lambda tiles: answers[: len(tiles)].copy())
    with mock.patch.object(tumour, "make_predictor", return_value=predictor):
        yield


if __name__ == "__main__":
    main()
