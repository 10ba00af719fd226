"""A whole `tumour` run with Vahadane, against its network alone and against the winner's way.

The network is an FPN with a ResNet-34 encoder (random weights: its arithmetic is what counts). Per
round, one after the other: our whole run, from opening the slide to the written report; the bare
forward passes of as many tiles in the same engine; the bare decoding, on all cores, of what the
run decoded; and, on a sample of the tiles, the way of the HeLP 2019 winner: OpenSlide's DeepZoom,
StainTools' Vahadane for each tile, batches of one through PyTorch. All per tile of 256 px, so that
the sample compares. On a GPU, if there is one and `--device cpu` does not forbid it, both networks
run there.

    python benchmarks/whole_run.py [--width 20000 --height 16000] [--mpp 1.0] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openslide
import torch
from bare import bare_decoding, forward_passes
from by_turns import options, seconds
from gigapixel import write_slide
from numpy.typing import NDArray
from openslide.deepzoom import DeepZoomGenerator
from random_models import MEAN, STD, TARGET, TILE, winner_like_model

from napari_breastpath import analyze, load_model, open_slide
from napari_breastpath.models import ModelBundle
from napari_breastpath.models.networks import build_network
from napari_breastpath.models.predictor import make_predictor
from napari_breastpath.preprocess.staintools_compat import StaintoolsNormalizer
from napari_breastpath.results import Result

WINNER_TILES, BARE_TILES = 6, 64
BEFORE_THE_NETWORK = ("tissue", "stain", "read_wait", "normalize")


@dataclass
class Round:
    """Seconds per tile of one round; `before` is what the network waits for."""

    whole: float
    before: float
    bare: float
    decode: float
    winner: float
    winner_before: float
    mm2_per_s: float
    regions: float
    seconds: float
    stages: dict[str, float]


def main() -> None:
    """Write slide and model, run the rounds, print medians and ratios."""
    arguments = parse()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide = write_slide(folder / "slide.tif", arguments.width, arguments.height)
        bundle = load_model(winner_like_model(folder / "model", arguments.mpp))
        rounds = [
            one_round(slide, bundle, folder / f"{k}", arguments.device)
            for k in range(arguments.rounds)
        ]
    report(rounds)


def parse() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=int, default=20_000, help="px of level 0, 0.25 µm/px")
    parser.add_argument("--height", type=int, default=16_000)
    parser.add_argument("--mpp", type=float, default=1.0, help="µm/px of the network's input")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    return options(parser, width=5000, height=4000, rounds=1)


def one_round(path: Path, bundle: ModelBundle, out: Path, device: str) -> Round:
    """Return the seconds per tile of each way."""
    settings = {"stain": "vahadane", "threshold": bundle.threshold, "device": device}
    started = time.perf_counter()
    with open_slide(path) as slide:
        result = analyze(slide, out, model=bundle.folder, **settings)
    whole = time.perf_counter() - started
    tiles = result.record["tiles"]["done"]
    bare = bare_forward(bundle, result)
    before, network = winner_per_tile(path, bundle, result)
    timing = result.record["timing_s"]
    return Round(
        whole=whole / tiles,
        before=sum(timing[stage] for stage in BEFORE_THE_NETWORK) / tiles,
        bare=bare,
        decode=bare_decoding(path, bundle, result),
        winner=before + network,
        winner_before=before,
        mm2_per_s=result.record["tissue_area_mm2"] / whole,
        regions=result.record["regions"]["count"],
        seconds=whole,
        stages=timing,
    )


def bare_forward(bundle: ModelBundle, result: Result) -> float:
    """Return the seconds per tile of the network alone, in the engine and batch of the run."""
    settings = result.record["settings"]
    predictor = make_predictor(
        bundle, *(settings[k] for k in ("device", "engine", "batch_size", "threads"))
    )
    tiles = torch.randint(0, 256, (BARE_TILES, TILE, TILE, 3), dtype=torch.uint8)
    forward_passes(predictor, tiles[: settings["batch_size"] * predictor.streams])()
    return seconds(forward_passes(predictor, tiles)) / BARE_TILES


def winner_per_tile(path: Path, bundle: ModelBundle, result: Result) -> tuple[float, float]:
    """Return the winner's seconds per tile before and in the network, on tiles amid the tissue."""
    device = result.record["settings"]["device"]
    network = build_network(bundle).eval().to(device)
    stain = StaintoolsNormalizer.from_target(TARGET["stain_matrix"], TARGET["max_concentration"])
    zoom = DeepZoomGenerator(openslide.OpenSlide(path), tile_size=TILE, overlap=0)
    reduction = round(bundle.mpp / result.record["slide"]["mpp_x"]).bit_length() - 1
    level = zoom.level_count - 1 - reduction
    columns, rows = zoom.level_tiles[level]
    before = network_s = 0.0
    for k in range(WINNER_TILES):
        started = time.perf_counter()
        tile = np.asarray(
            zoom.get_tile(level, (columns // 4 + k % max(1, columns // 2), rows // 2))
        )
        pixels = normalised(stain.transform(tile))
        prepared = time.perf_counter()
        with torch.inference_mode():
            network(pixels.to(device)).cpu()
        before += prepared - started
        network_s += time.perf_counter() - prepared
    return before / WINNER_TILES, network_s / WINNER_TILES


def normalised(tile: NDArray[np.uint8]) -> torch.Tensor:
    """Return a tile as the network takes it, float32 (1, 3, h, w)."""
    values = ((tile / 255 - np.array(MEAN)) / np.array(STD)).astype(np.float32)
    return torch.from_numpy(values.transpose(2, 0, 1)[None].copy())


def report(rounds: list[Round]) -> None:
    """Print medians and ratios."""

    def median(of: Callable[[Round], float]) -> float:
        return statistics.median(map(of, rounds))

    def line(what: str, of: Callable[[Round], float], unit: str) -> None:
        each = ", ".join(f"{of(r):.3g}" for r in rounds)
        print(f"{what}: {median(of):.3g}{unit} (rounds: {each})")

    line("whole run", lambda r: r.whole * 1e3, " ms a tile")
    line("bare forward passes", lambda r: r.bare * 1e3, " ms a tile")
    line("bare decoding", lambda r: r.decode * 1e3, " ms a tile")
    line("the winner's way", lambda r: r.winner * 1e3, " ms a tile")
    line("tissue", lambda r: r.mm2_per_s, " mm²/s")
    line("measured and drawn", lambda r: r.regions, " regions")
    line("whole run ÷ bare forward", lambda r: r.whole / r.bare, "")
    line("whole run ÷ the larger of the two", lambda r: r.whole / max(r.bare, r.decode), "")
    line("winner ÷ whole run", lambda r: r.winner / r.whole, "x")
    line("before the network, winner ÷ ours", lambda r: r.winner_before / r.before, "x")
    print("where the run's seconds go, by result.json (model, tissue and stain side by side):")
    for stage in rounds[-1].stages:
        line(f"  {stage}", lambda r, stage=stage: r.stages[stage], " s")  # type: ignore[misc]
    line("  from opening the slide to the end", lambda r: r.seconds, " s")


if __name__ == "__main__":
    main()
