"""A network in ncnn's form: converted by pnnx, checked against PyTorch, kept in the cache.

ncnn computes 3 × 3 convolutions by Winograd's algorithm, with 2 to 4 times fewer multiplications
than a matrix product takes (A. Lavin, S. Gray, "Fast algorithms for convolutional neural
networks", CVPR 2016), in float32.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from importlib.metadata import version
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
NO_MEMORY = -100
REVISION = 1  # of what is done here: graphs and refusals of another one are left


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
    """Return a bundle's network for ncnn; one that is damaged on disk is made anew.

    Raises
    ------
    Refused
        Kept too, as finding it out takes seconds.
    """
    kind = f"ncnn{version('ncnn')}-pnnx{version('pnnx')}-{REVISION}.zip"
    try:
        return _unpacked(cached(bundle, kind, lambda: _archive(bundle)))
    except (zipfile.BadZipFile, KeyError):
        forget_graph(bundle, kind)
        return _unpacked(cached(bundle, kind, lambda: _archive(bundle)))


def ncnn_answer(graph: Graph, bundle: ModelBundle, threads: int) -> Answer:
    """Return what gives float32 (C, …) of one uint8 (h, w, 3) tile, called from any thread."""
    import ncnn

    net = _loaded(graph, threads)
    wanted = bundle.input_size, bundle.input_size, 3
    side = bundle.tile_size // bundle.output_stride
    shape = (len(bundle.classes), *(() if bundle.task == "classification" else (side, side)))

    def answer(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
        if tile.shape != wanted:
            raise RuntimeError(f"made for tiles of {wanted[0]} × {wanted[1]} px, not {tile.shape}")
        pixels = np.ascontiguousarray(tile.transpose(2, 0, 1), dtype=np.float32)
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(pixels))
        status, values = extractor.extract("out0")
        if status == NO_MEMORY:
            raise MemoryError("ncnn has no memory for a tile")
        if status:
            raise RuntimeError(f"ncnn ended with {status}")
        return np.array(values, np.float32).reshape(shape)

    return answer


def _loaded(graph: Graph, threads: int) -> Any:
    """Return ncnn's network, in float32 and on the CPU."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    for shorter in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{shorter}", False)
    with tempfile.TemporaryDirectory() as name:
        files = Path(name) / PARAM, Path(name) / WEIGHTS
        files[0].write_text(graph[0], encoding="utf-8")
        files[1].write_bytes(graph[1])
        if net.load_param(str(files[0])) or net.load_model(str(files[1])):
            raise Refused("ncnn cannot load what pnnx made of it")
    return net


def _unpacked(archive: bytes) -> Graph:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        if REFUSAL in file.namelist():
            raise Refused(file.read(REFUSAL).decode())
        return file.read(PARAM).decode(), file.read(WEIGHTS)


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
    """Return the graph, once it has given what PyTorch gives of tiles of fine and coarse noise."""
    import torch

    network, side = tile_network(bundle), bundle.input_size
    fine = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    coarse = fine[:: side // 8, :: side // 8].repeat(side // 8 + 1, 0).repeat(side // 8 + 1, 1)
    tiles = np.stack([fine, coarse[:side, :side]])
    with torch.inference_mode():
        expected = network(torch.from_numpy(tiles)).numpy()
    graph = _converted(network, side)
    try:
        found = [*map(ncnn_answer(graph, bundle, 1), tiles)]
    except (RuntimeError, ValueError) as error:
        raise Refused(f"ncnn cannot run what pnnx made of it: {error}") from error
    if not (difference := np.abs(found - expected).max()) <= MOST_DIFFERENT:
        raise Refused(f"ncnn differs from PyTorch by {difference:.2g}")
    return graph


def _converted(network: Any, side: int) -> Graph:
    """Return the network as pnnx turns it into ncnn's form."""
    import pnnx

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _trace(network, side).save(str(folder / "traced.pt"))
        outputs = ("ncnnparam", "ncnnbin", "ncnnpy", "pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx")
        command = [pnnx.EXEC_PATH, "traced.pt", f"inputshape=[1,3,{side},{side}]f32", "fp16=0"]
        command += [f"{output}={output}" for output in outputs]
        done = subprocess.run(
            command, cwd=folder, check=False, capture_output=True, timeout=PATIENCE_S
        )
        if done.returncode > 0:
            raise Refused(f"pnnx cannot convert it (it ended with {done.returncode})")
        if done.returncode:  # killed, which says nothing of the network
            raise RuntimeError(f"pnnx was ended by signal {-done.returncode}")
        return (folder / "ncnnparam").read_text(), (folder / "ncnnbin").read_bytes()


def _trace(network: Any, side: int) -> Any:
    """Return the way from float32 pixels (1, 3, side, side), 0 to 255, as TorchScript."""
    import torch

    class FromPixels(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tiles = network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.tiles.answer(pixels)
            return answer

    example = torch.zeros(1, 3, side, side)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.jit.trace(  # type: ignore[no-untyped-call]
            FromPixels().eval(), example, check_trace=False
        )
