"""From a bundle to a network: architecture by name, tensors into it, shapes checked before."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models.bundle import Architecture, ModelBundle
from napari_breastpath.models.unpickling import read_state_dict

if TYPE_CHECKING:
    import torch

FILE_ARGUMENTS = {"cache_dir", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"}


def build_network(bundle: ModelBundle) -> torch.nn.Module:
    """Return a bundle's network in eval mode, on the CPU, in float32.

    It takes normalised float32 (N, 3, h, w) and gives what `bundle.outputs` says: (N, C, h, w)
    when it segments, (N, C) when it classifies.

    Raises
    ------
    ModelError
        Unknown architecture, unreadable weights, tensors that do not fit, or a program that is
        not trusted.
    """
    if bundle.runs_code:
        from napari_breastpath.models.foreign.programs import load_program

        return load_program(bundle)
    network = empty_network(bundle.architecture, len(bundle.classes), bundle.folder)
    tensors = read_tensors(bundle)
    if bundle.architecture.library == "tiatoolbox":
        from napari_breastpath.models.foreign.networks import used_tensors

        tensors = used_tensors(bundle.architecture.name, tensors)
    _fill(network, tensors, bundle)
    return network.float().eval()


def read_tensors(bundle: ModelBundle) -> dict[str, torch.Tensor]:
    """Return the tensors of a bundle by name, from safetensors or a state dict."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if bundle.format == "state_dict":
        return read_state_dict(bundle.weights)
    try:
        tensors: dict[str, torch.Tensor] = load_file(bundle.weights)
    except (OSError, SafetensorError) as error:
        cause = f"weights cannot be read ({error})"
        raise ModelError(bundle.weights, cause, "get the bundle again") from error
    return tensors


def empty_network(architecture: Architecture, classes: int, subject: object) -> torch.nn.Module:
    """Return a network with random weights; nothing is ever downloaded.

    Raises
    ------
    ModelError
        `subject` names an architecture or arguments that its library does not know.
    """
    try:
        _check_local(architecture)
        return _MAKERS[architecture.library](architecture, classes)
    except (AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError) as error:
        cause = f"{architecture.library} cannot build {architecture.name} ({error})"
        raise ModelError(subject, cause, "correct the architecture or its arguments") from error


def _check_local(architecture: Architecture) -> None:
    """Refuse what would make a library fetch or read other files than the weights."""
    words = [architecture.name, *architecture.arguments.values()]
    if any(isinstance(word, str) and set(word) & set(":/\\") for word in words):
        raise ValueError("names of places are not allowed")
    if named := FILE_ARGUMENTS & set(architecture.arguments):
        raise ValueError(f"the argument {min(named)} is not allowed")


def _smp(architecture: Architecture, classes: int) -> torch.nn.Module:
    import segmentation_models_pytorch as smp

    arguments = dict(architecture.arguments) | {"encoder_weights": None, "classes": classes}
    return _module(smp.create_model(architecture.name, **arguments))


def _torchvision(architecture: Architecture, classes: int) -> torch.nn.Module:
    from torchvision.models import get_model, get_model_builder

    arguments = dict(architecture.arguments) | {"weights": None, "num_classes": classes}
    if "weights_backbone" in signature(get_model_builder(architecture.name)).parameters:
        arguments["weights_backbone"] = None  # by default it is downloaded
    return _module(get_model(architecture.name, **arguments))


def _timm(architecture: Architecture, classes: int) -> torch.nn.Module:
    import timm

    arguments = dict(architecture.arguments) | {"pretrained": False, "num_classes": classes}
    return _module(timm.create_model(architecture.name, **arguments))


def _tiatoolbox(architecture: Architecture, classes: int) -> torch.nn.Module:
    from napari_breastpath.models.foreign.networks import published_network

    return published_network(architecture.name, architecture.arguments, classes)


_MAKERS: dict[str, Callable[[Architecture, int], torch.nn.Module]] = {
    "smp": _smp,
    "torchvision": _torchvision,
    "timm": _timm,
    "tiatoolbox": _tiatoolbox,
}


def _module(built: Any) -> torch.nn.Module:
    import torch

    if not isinstance(built, torch.nn.Module):
        raise TypeError("it is not a network")
    return built


def _fill(network: torch.nn.Module, tensors: dict[str, torch.Tensor], bundle: ModelBundle) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    odd = sorted(name for name in wanted | given if wanted.get(name) != given.get(name))
    if odd:
        cause = (
            f"{len(odd)} tensors do not fit {bundle.architecture.name}, first {odd[0]} "
            f"({given.get(odd[0], 'missing')} instead of {wanted.get(odd[0], 'nothing')})"
        )
        raise ModelError(bundle.weights, cause, "get weights and model.json of the same model")
    network.load_state_dict(tensors)
