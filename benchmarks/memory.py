"""Peak memory of a run on a huge slide against the same run on a small one.

Each run is a process of its own, on slides of a third tissue: `analyze` with the demonstration
model, then `measure_result` on what it left. Printed: the peak resident memory of inference beyond
the frameworks' own (everything imported, the network loaded and run once), and that of measuring
per map pixel.

    python benchmarks/memory.py [--small 20000 --large 100000]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from by_turns import options
from gigapixel import write_slide

MIB = 2**20
WATCH = """
import json, sys, threading
import psutil

stage, peak, done = [""], {}, threading.Event()

def watch():
    me = psutil.Process()
    while not done.wait(0.01):
        peak[stage[0]] = max(peak.get(stage[0], 0), me.memory_info().rss)

def enter(name):
    stage[0] = name

def finish(**facts):
    done.set()
    print(json.dumps({"peak": peak, **facts}))

threading.Thread(target=watch, daemon=True).start()
"""
INFER = (
    WATCH
    + """
import torch
from napari_breastpath import analyze, load_model, open_slide
from napari_breastpath.models.predictor import make_predictor

path, model, out = sys.argv[1:]
bundle = load_model(model)
predictor = make_predictor(bundle, "cpu")
side = bundle.tile_size
predictor.predict(torch.zeros((predictor.batch_size, side, side, 3), dtype=torch.uint8))
with open_slide(path) as slide:
    result = analyze(slide, out, model=model, stain="none", progress=lambda p: enter(p.stage))
finish(result=str(result.path))
"""
)
MEASURE = (
    WATCH
    + """
import numpy as np
from napari_breastpath import load_result
from napari_breastpath.analyses.measuring import measure_result
from napari_breastpath.measure import find_regions

find_regions(np.eye(8, dtype=bool), 2.0)
result = load_result(sys.argv[1])
enter("measure")
measure_result(result)
enter("end")
height, width = result.lattice.shape
finish(map_px=height * width)
"""
)


def main() -> None:
    """Run both sizes and print peaks and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--small", type=int, default=20_000, help="side in px, 0.25 µm/px")
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--model", default="tumour-demo")
    arguments = options(parser, small=4000, large=12_000)
    peaks = [run(side, arguments.model) for side in (arguments.small, arguments.large)]
    print(f"inference: {peaks[1] / peaks[0]:.2f}x the peak of the small slide, frameworks included")


def run(side: int, model: str) -> float:
    """Print the peaks of one slide; return that of inference in bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_slide(folder / "slide.tif", side, side)
        inferred = child(INFER, path, model, folder / "out")
        measured = child(MEASURE, inferred["result"])
    peak, own = inferred["peak"]["inference"], inferred["peak"][""]
    held = measured["peak"]["measure"] - measured["peak"][""]
    print(
        f"{side}² px: inference {(peak - own) / MIB:.0f} MiB beyond the frameworks' "
        f"{own / MIB:.0f}; measuring {measured['map_px'] / 1e6:.0f} MP "
        f"{held / measured['map_px']:.1f} bytes per map pixel"
    )
    return float(peak)


def child(code: str, *arguments: object) -> dict[str, Any]:
    """Run a program in a process of its own and return what it prints last."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
