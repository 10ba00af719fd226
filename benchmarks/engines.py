"""The bare forward pass: engines side by side, and how near they come to the machine's arithmetic.

8 tiles of 256 px at once through an FPN with a ResNet-34 encoder, float32, by turns: ncnn and ONNX
Runtime (half of the tiles on each of their streams), OpenVINO, PyTorch as it comes (eager) and
channels-last. The limit is the FLOP/s of one large matrix product in the same turn, float32 too
and with as many threads; FLOPs of the network are counted by PyTorch (ncnn needs fewer). On a
machine that others use, `--threads 1 --processor-time` counts what they cannot stretch.

    python benchmarks/engines.py [--rounds 5] [--threads 2] [--processor-time]
    python benchmarks/engines.py --model tumour-demo
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from bare import forward_passes
from by_turns import by_turns, options
from random_models import winner_like_model
from torch.utils.flop_counter import FlopCounterMode

from napari_breastpath import load_model
from napari_breastpath.models.graph import tile_network
from napari_breastpath.models.predictor import make_predictor
from napari_breastpath.models.runtime import ENGINES

BATCH, SIDE = 8, 3072
EAGER, CHANNELS_LAST = "torch eager", "torch channels-last"


def main() -> None:
    """Time every engine by turns and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--model", help="name or folder of another model")
    parser.add_argument("--processor-time", action="store_true", help="instead of wall time")
    arguments = options(parser, rounds=2)
    clock = time.process_time if arguments.processor_time else time.perf_counter
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or winner_like_model(Path(folder) / "model", 1.0)
        passes = every_engine(model, arguments.threads)
        flops = count_flops(model)
        passes["matrix product"] = matrix_product()
        seconds = by_turns(passes, arguments.rounds, clock=clock)
    report(seconds, flops)


def every_engine(model: Path | str, threads: int) -> dict[str, Callable[[], object]]:
    """Return one function an engine, each the forward passes of the same tiles."""
    bundle = load_model(model)
    batch = tiles(bundle.input_size)
    engines = {name: name for name in ENGINES if name != "torch"} | {CHANNELS_LAST: "torch"}
    eager = tile_network(bundle)

    @torch.inference_mode()
    def plain() -> object:
        return eager(batch)

    return {
        **{
            name: forward_passes(make_predictor(bundle, "cpu", engine, BATCH, threads), batch)
            for name, engine in engines.items()
        },
        EAGER: plain,
    }


def tiles(side: int) -> torch.Tensor:
    """Return a batch of noise, uint8 (N, h, w, 3)."""
    return torch.randint(0, 256, (BATCH, side, side, 3), dtype=torch.uint8)


def count_flops(model: Path | str) -> int:
    """Return the floating-point operations of one forward pass of the batch."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        bundle = load_model(model)
        tile_network(bundle)(tiles(bundle.input_size))
    return int(counter.get_total_flops())


def matrix_product() -> Callable[[], object]:
    """Return a large float32 matrix product."""
    a, b = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    return lambda: a @ b


def report(seconds: dict[str, list[float]], flops: int) -> None:
    """Print ms a tile, share of the machine's FLOP/s and speed against PyTorch."""
    peak = [2 * SIDE**3 / each for each in seconds.pop("matrix product")]
    print(f"matrix product of {SIDE}²: {statistics.median(peak) / 1e9:.0f} GFLOP/s")
    for name, each in seconds.items():
        share = statistics.median(flops / s / p for s, p in zip(each, peak, strict=True))
        eager, last = (
            statistics.median(o / s for s, o in zip(each, seconds[other], strict=True))
            for other in (EAGER, CHANNELS_LAST)
        )
        print(
            f"{name}: {statistics.median(each) / BATCH * 1e3:.1f} ms a tile, {share:.2f} of the "
            f"matrix product's FLOP/s, {eager:.2f}x eager, {last:.2f}x channels-last"
        )


if __name__ == "__main__":
    main()
