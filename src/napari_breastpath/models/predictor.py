"""A network ready to run: uint8 tiles in, float32 probabilities out, on any engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import InferenceError
from napari_breastpath.models.bundle import ModelBundle
from napari_breastpath.models.graph import forget_graph, onnx_graph, tile_network
from napari_breastpath.models.inputs import RGB_INPUT, batch_input
from napari_breastpath.models.ncnn_graph import ncnn_answer, ncnn_graph, suits_ncnn
from napari_breastpath.models.runtime import (
    ENGINES,
    Device,
    OutOfMemory,
    best_engine,
    choose_device,
    choose_engine,
    installed_from,
)

if TYPE_CHECKING:
    import torch

FloatArray: TypeAlias = NDArray[np.float32]
Forward: TypeAlias = Callable[["torch.Tensor"], FloatArray]
# On the CPU batches of 1 to 8 take as long a tile, within 2 %; the smaller, the less is wasted on
# the last one, and the less memory two at once take.
CPU_BATCH, GPU_BATCH = 2, 32
LARGE_TILE = 512
STREAMING = ("ncnn", "onnxruntime")
USING_ONNX = ("onnxruntime", "openvino")
# How PyTorch on the CPU, ONNX Runtime and OpenVINO say it.
NO_MEMORY_WORDS = ("can't allocate memory", "failed to allocate memory", "bad_alloc")


@dataclass(frozen=True)
class Predictor:
    """A bundle's network on one device and engine.

    Attributes
    ----------
    device : Device
        Where batches should lie; `predict` takes them from anywhere.
    engine, engine_reason : str
        What runs the network, and why.
    batch_size : int
        What it was made for. On the CPU every batch of a run should have this size: then a tile's
        result depends neither on its place in the batch nor on its neighbours, bit for bit.
    threads : int
        CPU threads of the engine, all streams together.
    classes : int
        Channels of the result.
    input : str
        Colour space that the network sees; `predict` converts to it.
    streams : int
        Calls of `predict` that the engine answers at the same time, from as many threads.
    """

    device: Device
    engine: str
    engine_reason: str
    batch_size: int
    threads: int
    classes: int
    forward: Forward = field(repr=False)
    input: str = RGB_INPUT
    streams: int = 1

    def predict(self, batch: torch.Tensor) -> FloatArray:
        """Return the probabilities of a batch of tiles.

        Parameters
        ----------
        batch : torch.Tensor
            uint8 (N, h, w, 3), RGB at the model's µm/px.

        Returns
        -------
        ndarray, float32 (N, C, h / output_stride, w / output_stride)
            NaN where the network gave NaN.

        Raises
        ------
        OutOfMemory
            The device has no room for a batch of this size.
        InferenceError
            The engine failed otherwise.
        """
        import torch

        if batch.dtype != torch.uint8 or batch.ndim != 4 or batch.shape[3] != 3:
            raise ValueError(f"tiles must be uint8 (N, h, w, 3), not {batch.dtype} {batch.shape}")
        try:
            return self.forward(batch_input(batch, self.input))
        except (MemoryError, RuntimeError) as error:
            raise _failure(self, len(batch), error) from error


def _failure(predictor: Predictor, count: int, error: Exception) -> InferenceError:
    import torch

    subject = f"{predictor.engine} on {predictor.device.name}"
    text = str(error).lower()
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in text for words in NO_MEMORY_WORDS
    ):
        return OutOfMemory(subject, f"no memory for {count} tiles at once", "use smaller batches")
    return InferenceError(subject, f"the network failed ({error})", "try --engine torch")


def make_predictor(
    bundle: ModelBundle,
    device: Device | str = "auto",
    engine: str = "auto",
    batch_size: int | None = None,
    threads: int | None = None,
) -> Predictor:
    """Return a bundle's network, ready to run.

    Parameters
    ----------
    bundle : ModelBundle
    device : Device or str
        `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
    engine : str
        `auto`, `torch`, `ncnn`, `onnxruntime` or `openvino`.
    batch_size : int, optional
        Tiles per call; by default 2 on the CPU and 32 on a GPU.
    threads : int, optional
        CPU threads; by default what PyTorch uses, the machine's physical cores.

    Raises
    ------
    InferenceError
        Device or engine are not here, or refuse the network.
    ModelError
        Weights that do not fit.
    """
    import torch

    place = device if isinstance(device, Device) else choose_device(_device_for(bundle, device))
    name, reason = _engine_for(bundle, engine, place)
    threads = threads or torch.get_num_threads()
    name, reason, forward = _started(bundle, place, threads, engine, name, reason)
    size = batch_size or _batch_size(bundle, place)
    classes = len(bundle.classes)
    # A foreign program has all threads for itself.
    streams = _streams(threads) if name in STREAMING and not bundle.runs_code else 1
    return Predictor(place, name, reason, size, threads, classes, forward, bundle.input, streams)


def _started(
    bundle: ModelBundle, place: Device, threads: int, wanted: str, name: str, reason: str
) -> tuple[str, str, Forward]:
    """Return (engine, reason, network): the first that takes it, where none is wanted."""
    names = (name,) if wanted != "auto" or bundle.runs_code else installed_from(name)
    refusals = list[str]()
    for engine in names:
        make = _torch_forward if bundle.runs_code else _FORWARDS[engine]
        try:
            forward = make(bundle, place, threads)
        except (ImportError, RuntimeError) as error:
            if engine in USING_ONNX:
                forget_graph(bundle)
            if engine == names[-1]:
                cause = f"refuses {bundle.name} ({error})"
                raise InferenceError(f"engine {engine}", cause, "try --engine torch") from error
            said = str(error).partition("\n")[0]
            refusals.append(f"{engine} refuses this network ({said or type(error).__name__})")
        else:
            return engine, "; ".join(refusals) or reason, forward
    raise AssertionError("there is always one engine")


def _streams(threads: int) -> int:
    """Return the batches at once of ncnn and ONNX Runtime: two, each with half of the threads.

    The threads of a batch wait for each other after every operator, and all of them while its
    result is handed on; two batches fill each other's gaps.
    """
    return 2 if threads % 2 == 0 else 1


def _device_for(bundle: ModelBundle, wanted: str) -> str:
    """Return the device to choose: an ONNX file runs on the CPU here."""
    return "cpu" if bundle.format == "onnx" and wanted == "auto" else wanted


def _engine_for(bundle: ModelBundle, wanted: str, device: Device) -> tuple[str, str]:
    """Return (engine, reason); a program runs in the engine it was made for, and in no other.

    Raises
    ------
    InferenceError
        Another one is wanted, or it is not for this device.
    """
    if not bundle.runs_code:
        name, reason = choose_engine(wanted, device)
        if wanted == "auto" and name == "ncnn" and not suits_ncnn(bundle):
            return best_engine(device, tuple(each for each in ENGINES if each != name))
        return name, reason
    own = "onnxruntime" if bundle.format == "onnx" else "torch"
    if wanted not in ("auto", own):
        cause = f"cannot run {bundle.name}, which is {bundle.format}"
        raise InferenceError(f"engine {wanted}", cause, f"use --engine {own}")
    choose_engine(own, device)
    return own, f"the model is {bundle.format}"


def _batch_size(bundle: ModelBundle, device: Device) -> int:
    """Return tiles a batch: fewer of large tiles, as the memory they need grows with their area."""
    usual = CPU_BATCH if device.kind == "cpu" else GPU_BATCH
    return max(1, int(usual * min(1.0, (LARGE_TILE / bundle.input_size) ** 2)))


def _torch_forward(bundle: ModelBundle, device: Device, threads: int) -> Forward:
    import torch

    # On the CPU too: convolutions of channels-last tensors skip a reordering in oneDNN.
    network = tile_network(bundle).to(memory_format=torch.channels_last).to(device.name)
    half = device.kind == "cuda" and not bundle.runs_code

    def forward(batch: torch.Tensor) -> FloatArray:
        # Here, as OpenMP counts for the thread that calls, which may be another next time.
        if device.kind == "cpu" and threads != torch.get_num_threads():
            torch.set_num_threads(threads)
        with torch.inference_mode(), torch.autocast(device.kind, torch.float16, enabled=half):
            values: FloatArray = network(batch.to(device.name)).float().cpu().numpy()
            return values

    return forward


def _onnxruntime_forward(bundle: ModelBundle, device: Device, threads: int) -> Forward:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads // _streams(threads)
    with _plain_errors():
        session = onnxruntime.InferenceSession(
            onnx_graph(bundle), options, providers=["CPUExecutionProvider"]
        )

    def forward(batch: torch.Tensor) -> FloatArray:
        with _plain_errors():
            values: FloatArray = session.run(None, {"tiles": batch.cpu().numpy()})[0]
        return values

    return forward


def _ncnn_forward(bundle: ModelBundle, device: Device, threads: int) -> Forward:
    with _plain_errors():
        answer = ncnn_answer(ncnn_graph(bundle), bundle, threads // _streams(threads))

    def forward(batch: torch.Tensor) -> FloatArray:
        return np.stack([answer(tile) for tile in batch.cpu().numpy()])

    return forward


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn errors of ONNX Runtime and of conversion, of any type, into RuntimeError."""
    try:
        yield
    except Exception as error:
        raise RuntimeError(str(error)) from error


def _openvino_forward(bundle: ModelBundle, device: Device, threads: int) -> Forward:
    import openvino

    core = openvino.Core()
    model = core.read_model(onnx_graph(bundle))
    settings = {
        # Without the hint some CPUs compute in bfloat16, two digits short of the other engines.
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(threads),
        "NUM_STREAMS": "1",
    }
    compiled: dict[tuple[int, ...], Any] = {}

    def forward(batch: torch.Tensor) -> FloatArray:
        shape = tuple(batch.shape)
        if shape not in compiled:
            model.reshape(list(shape))
            compiled[shape] = core.compile_model(model, "CPU", settings)
        values: FloatArray = np.array(compiled[shape](batch.cpu().numpy())[0])
        return values

    return forward


_FORWARDS: dict[str, Callable[[ModelBundle, Device, int], Forward]] = {
    "torch": _torch_forward,
    "ncnn": _ncnn_forward,
    "onnxruntime": _onnxruntime_forward,
    "openvino": _openvino_forward,
}
