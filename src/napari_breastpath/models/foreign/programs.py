"""TorchScript and ONNX files as modules of PyTorch; only bytes that are trusted get here."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.errors import InferenceError, ModelError
from napari_breastpath.models.bundle import ModelBundle
from napari_breastpath.models.trust import trusted_program
from napari_breastpath.models.unpickling import TORCHSCRIPT, kind_of_file

if TYPE_CHECKING:
    import torch


def load_program(bundle: ModelBundle) -> torch.nn.Module:
    """Return a trusted program; what it answers to a grey tile is checked first.

    Raises
    ------
    ModelError
        Not trusted, changed, not what it is said to be, or with an answer of another shape.
    InferenceError
        ONNX Runtime is not installed.
    """
    content = trusted_program(bundle)
    module = _onnx(bundle, content) if bundle.format == "onnx" else _torchscript(bundle, content)
    _check_answer(bundle, module.eval())
    return module


def _torchscript(bundle: ModelBundle, content: bytes) -> torch.nn.Module:
    import torch

    if kind_of_file(bundle.weights) != TORCHSCRIPT:
        raise ModelError(bundle.weights, "is not TorchScript", "give what torch.jit.save wrote")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # what is said to its author, not here
            load: Any = torch.jit.load
            module: torch.nn.Module = load(io.BytesIO(content), map_location="cpu")
    except RuntimeError as error:
        cause = f"cannot be loaded ({_first_line(error)})"
        raise ModelError(bundle.weights, cause, "get the model again") from error
    return module


def _onnx(bundle: ModelBundle, content: bytes) -> torch.nn.Module:
    """Return an ONNX graph as a module, with PyTorch's number of threads.

    From bytes: ONNX Runtime then reads no other file, whatever the graph names.
    """
    import torch

    session = _session(bundle, content)
    # Exported without a free batch size, a graph takes images one by one.
    single = session.get_inputs()[0].shape[0] == 1

    class OnnxGraph(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            step = 1 if single else len(images)
            parts = [images[n : n + step] for n in range(0, len(images), step)]
            return torch.cat([_run(session, part) for part in parts]).to(images.device)

    return OnnxGraph()


def _run(session: Any, images: torch.Tensor) -> torch.Tensor:
    import torch

    name = session.get_inputs()[0].name
    try:
        answers = session.run(None, {name: images.contiguous().cpu().numpy()})
    except Exception as error:  # ONNX Runtime's errors share no other base
        raise RuntimeError(str(error)) from error
    return torch.from_numpy(answers[0])


def _session(bundle: ModelBundle, content: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        advice = 'pip install "napari-breastpath[cpu]"'
        raise InferenceError(bundle.name, "needs ONNX Runtime", advice) from error
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        cause = f"cannot be loaded ({_first_line(error)})"
        raise ModelError(bundle.weights, cause, "get the model again") from error
    if len(session.get_inputs()) != 1:
        raise ModelError(bundle.weights, "takes more than one input", "give a network of images")
    return session


def _check_answer(bundle: ModelBundle, module: torch.nn.Module) -> None:
    import torch

    size, classes = bundle.input_size, len(bundle.classes)
    try:
        with torch.inference_mode():
            answer = module(torch.zeros(1, 3, size, size))
        given = tuple(answer.shape)
    except (RuntimeError, AttributeError, TypeError, ValueError) as error:
        cause = f"does not take an image of {size} px ({_first_line(error)})"
        raise ModelError(bundle.weights, cause, "correct its description") from error
    tile = bundle.tile_size
    # A 1 × 1 convolution for a last layer leaves its two axes.
    fitting = {(1, classes), (1, classes, 1, 1)}
    if bundle.task != "classification":
        fitting = {(1, classes, size, size), (1, classes, tile, tile)}
    if given not in fitting:
        cause = f"gives {given} for one image, not {classes} classes of a {bundle.task}"
        raise ModelError(bundle.weights, cause, "correct its description")


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
