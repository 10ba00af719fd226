"""What 8-bit integers would give: time and masks of a quantised network against float32.

ONNX Runtime's static quantisation of the convolutions, calibrated on some tiles of the packaged
slide and compared on others, by turns in ONNX Runtime and OpenVINO: processor time on one thread,
and the Dice coefficient of the masks at 0.5.

    python benchmarks/int8.py [--model tumour-demo] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino
from by_turns import by_turns, options
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from napari_breastpath import load_model, open_slide
from napari_breastpath.models import ModelBundle
from napari_breastpath.models.graph import onnx_graph
from napari_breastpath.sample import sample_slide_path

BATCH, CALIBRATION, COMPARED = 4, 12, 12
Tiles = NDArray[np.uint8]
Answers = NDArray[np.float32]
Engine = Callable[[Tiles], Answers]


class Batches(CalibrationDataReader):  # type: ignore[misc]
    """The tiles that the ranges of the activations are taken from."""

    def __init__(self, tiles: Tiles) -> None:
        self._left: Iterator[Tiles] = iter(np.split(tiles, len(tiles) // BATCH))

    def get_next(self) -> dict[str, Tiles] | None:
        """Return the next batch by the name of the graph's input."""
        batch = next(self._left, None)
        return None if batch is None else {"tiles": batch}


def main() -> None:
    """Quantise, run by turns, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="tumour-demo", help="name or folder of a bundle")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = options(parser, rounds=2)
    bundle = load_model(arguments.model)
    tiles = sample_tiles(bundle, CALIBRATION + COMPARED)
    with tempfile.TemporaryDirectory() as folder:
        exact, integers = graphs(bundle, tiles[:CALIBRATION], Path(folder))
        engines = {
            f"{name} {kind}": make(path, tiles[:BATCH].shape)
            for kind, path in (("float32", exact), ("int8", integers))
            for name, make in (("ONNX Runtime", onnx_runtime), ("OpenVINO", open_vino))
        }
        report(engines, tiles[CALIBRATION:], arguments.rounds)


def sample_tiles(bundle: ModelBundle, count: int) -> Tiles:
    """Return tiles amid the packaged slide, uint8 (count, h, w, 3)."""
    random, side = np.random.default_rng(0), bundle.input_size
    with open_slide(sample_slide_path()) as slide:
        edge = side * bundle.mpp / slide.mpp.x
        corners = random.uniform(0.2, 0.7, (count, 2)) * (slide.width, slide.height)
        tiles = [slide.read(x, y, edge, edge, mpp=bundle.mpp) for x, y in corners]
    return np.stack([tile[:side, :side] for tile in tiles])


def graphs(bundle: ModelBundle, tiles: Tiles, folder: Path) -> tuple[Path, Path]:
    """Write the network as it is and quantised; return both ONNX files."""
    exact, plain, integers = (folder / f"{name}.onnx" for name in ("exact", "plain", "int8"))
    exact.write_bytes(onnx_graph(bundle))
    quant_pre_process(str(exact), str(plain), skip_symbolic_shape=True)
    # Seven bits of weight: without VNNI the products of full ones overflow.
    settings: dict[str, Any] = {"per_channel": True, "reduce_range": True}
    quantize_static(plain, integers, Batches(tiles), op_types_to_quantize=["Conv"], **settings)
    return exact, integers


def onnx_runtime(path: Path, shape: tuple[int, ...]) -> Engine:
    """Return a network in ONNX Runtime on one thread."""
    single = onnxruntime.SessionOptions()
    single.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, single, providers=["CPUExecutionProvider"])
    return lambda tiles: np.asarray(session.run(None, {"tiles": tiles})[0])


def open_vino(path: Path, shape: tuple[int, ...]) -> Engine:
    """Return a network in OpenVINO on one thread."""
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape(list(shape))
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    compiled = core.compile_model(model, "CPU", settings)
    return lambda tiles: np.array(compiled(tiles)[0])


def report(engines: dict[str, Engine], tiles: Tiles, rounds: int) -> None:
    """Print ms a tile and Dice against the first engine."""
    batches = np.split(tiles, len(tiles) // BATCH)
    turns = {name: lambda run=run: run(batches[0]) for name, run in engines.items()}
    spent = by_turns(turns, rounds, clock=time.process_time)
    masks = {
        name: np.concatenate([run(batch) for batch in batches]) > 0.5
        for name, run in engines.items()
    }
    reference = next(iter(masks.values()))
    for name, mask in masks.items():
        dice = 2 * np.count_nonzero(mask & reference) / max(1, mask.sum() + reference.sum())
        each = statistics.median(spent[name]) / BATCH
        print(f"{name}: {1e3 * each:.1f} ms of processor a tile, Dice {dice:.4f}")


if __name__ == "__main__":
    main()
