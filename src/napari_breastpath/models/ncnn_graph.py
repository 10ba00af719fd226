"""A network in ncnn's form: converted by pnnx, checked against PyTorch, kept in the cache.

ncnn computes 3 × 3 convolutions by Winograd's algorithm, with 2 to 4 times fewer multiplications
than a matrix product takes (A. Lavin, S. Gray, "Fast algorithms for convolutional neural
networks", CVPR 2016), in float32.
"""

from __future__ import annotations

import functools
import io
import subprocess
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.models.bundle import ModelBundle
from napari_breastpath.models.graph import cached, forget_graph, tile_network
from napari_breastpath.models.networks import read_tensors

if TYPE_CHECKING:
    import torch

Graph: TypeAlias = tuple[str, bytes]
"""ncnn's structure (.param) and weights (.bin): float32 (3, h, w) of 0 to 255 → probabilities."""
Answer: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

PARAM, WEIGHTS, REFUSAL = "net.param", "net.bin", "refusal.txt"
# A quarter of a step of the map. Winograd's sums differ from PyTorch's by some 1e-5.
MOST_DIFFERENT = 1e-3
PATIENCE_S = 600


class Refused(RuntimeError):
    """ncnn cannot run a network, or not to the same numbers."""


def suits_ncnn(bundle: ModelBundle) -> bool:
    """Tell whether most weights are of 3 × 3 convolutions, and none of depthwise ones.

    Those of a MobileNet take as long in ONNX Runtime (`benchmarks/engines.py --model`).
    """
    kernels = [tensor.shape for tensor in read_tensors(bundle).values() if tensor.ndim == 4]
    if any(inputs == 1 and height * width > 1 for _, inputs, height, width in kernels):
        return False
    dense = sum(kernel.numel() for kernel in kernels if kernel[2:] == (3, 3))
    return 2 * dense > sum(kernel.numel() for kernel in kernels)


def ncnn_graph(bundle: ModelBundle) -> Graph:
    """Return a bundle's network for ncnn.

    Raises
    ------
    Refused
        Kept too, as finding it out takes seconds.
    RuntimeError
        The kept graph is damaged; the next time it is made anew.
    """
    import ncnn

    kind = f"ncnn{ncnn.__version__}.zip"
    content = cached(bundle, kind, lambda: _archive(bundle))
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            if REFUSAL not in file.namelist():
                return file.read(PARAM).decode(), file.read(WEIGHTS)
            refusal = file.read(REFUSAL).decode()
    except (zipfile.BadZipFile, KeyError) as error:
        forget_graph(bundle, kind)
        raise RuntimeError(f"its graph for ncnn is damaged: {error}") from error
    raise Refused(refusal)


def ncnn_answer(graph: Graph, bundle: ModelBundle, threads: int) -> Answer:
    """Return what gives float32 (C, …) of one uint8 (h, w, 3) tile, called from any thread."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    for shorter in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{shorter}", False)
    param, weights = graph
    if net.load_param_mem(param):
        raise Refused("ncnn knows not all layers that pnnx made of it")
    net.load_model_mem(weights)
    held = net, weights  # which ncnn does not copy
    wanted = bundle.input_size, bundle.input_size, 3
    side = bundle.tile_size // bundle.output_stride
    shape = (len(bundle.classes), *(() if bundle.task == "classification" else (side, side)))

    def answer(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        if tile.shape != wanted:
            raise RuntimeError(f"made for tiles of {wanted[0]} × {wanted[1]} px, not {tile.shape}")
        pixels = np.ascontiguousarray(tile.transpose(2, 0, 1), dtype=np.float32)
        extractor = held[0].create_extractor()
        extractor.input("in0", ncnn.Mat(pixels))
        status, values = extractor.extract("out0")
        if status:
            raise MemoryError(f"ncnn ended with {status}")
        return np.array(values, np.float32).reshape(shape)

    return answer


def _archive(bundle: ModelBundle) -> bytes:
    """Return the graph, or why there is none, as one file."""
    try:
        param, weights = _checked(bundle)
        files: dict[str, str | bytes] = {PARAM: param, WEIGHTS: weights}
    except Refused as error:
        files = {REFUSAL: str(error)}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return archive.getvalue()


def _checked(bundle: ModelBundle) -> Graph:
    """Return the graph, once it has given what PyTorch gives of a tile of noise."""
    import torch

    network, side = tile_network(bundle), bundle.input_size
    graph = _converted(network, side)
    tile = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    with torch.inference_mode():
        expected = network(torch.from_numpy(tile[None]))[0].numpy()
    try:
        found = ncnn_answer(graph, bundle, 1)(tile)
    except (MemoryError, ValueError) as error:
        raise Refused(f"ncnn cannot run what pnnx made of it: {error}") from error
    if not (difference := np.abs(found - expected).max()) <= MOST_DIFFERENT:
        raise Refused(f"ncnn differs from PyTorch by {difference:.2g}")
    return graph


def _converted(network: Any, side: int) -> Graph:
    """Return the network as pnnx turns it into ncnn's form."""
    import pnnx
    import torch

    class FromPixels(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tiles = network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.tiles.answer(pixels)
            return answer

    for module in network.modules():
        if type(module).__name__ == "MergeBlock" and module.policy == "add":
            # smp's FPN stacks what it adds, which ncnn has no layer for.
            module.forward = functools.partial(functools.reduce, torch.add)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        example = torch.zeros(1, 3, side, side)
        traced = torch.jit.trace(FromPixels().eval(), example)  # type: ignore[no-untyped-call]
        folder = Path(name)
        traced.save(str(folder / "traced.pt"))
        outputs = ("ncnnparam", "ncnnbin", "ncnnpy", "pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx")
        command = [pnnx.EXEC_PATH, "traced.pt", f"inputshape=[1,3,{side},{side}]f32", "fp16=0"]
        command += [f"{output}={output}" for output in outputs]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=PATIENCE_S)
            return (folder / "ncnnparam").read_text(), (folder / "ncnnbin").read_bytes()
        except subprocess.SubprocessError as error:
            raise Refused(f"pnnx cannot convert it: {error}") from error
        except OSError as error:  # of the machine, not of the network: not to be remembered
            raise RuntimeError(f"pnnx cannot be run: {error}") from error
