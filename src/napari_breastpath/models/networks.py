"""From a bundle to a network: architecture by name, weights from safetensors, nothing pickled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models.bundle import Architecture, ModelBundle

if TYPE_CHECKING:
    import torch


def build_network(bundle: ModelBundle) -> torch.nn.Module:
    """Return a bundle's network in eval mode, on the CPU, in float32.

    It takes normalised float32 (N, 3, h, w) and gives logits: (N, C, h, w) when it segments,
    (N, C) when it classifies.

    Raises
    ------
    ModelError
        Unknown architecture, unreadable weights, or tensors that do not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = empty_network(bundle.architecture, len(bundle.classes), bundle.folder)
    try:
        tensors = load_file(bundle.weights)
    except (OSError, SafetensorError) as error:
        cause = f"weights cannot be read ({error})"
        raise ModelError(bundle.weights, cause, "get the bundle again") from error
    _fill(network, tensors, bundle)
    return network.float().eval()


def empty_network(architecture: Architecture, classes: int, subject: object) -> torch.nn.Module:
    """Return a network with random weights; nothing is ever downloaded.

    Raises
    ------
    ModelError
        `subject` names an architecture or arguments that its library does not know.
    """
    try:
        if architecture.library == "smp":
            return _smp(architecture, classes)
        if architecture.library == "torchvision":
            return _torchvision(architecture, classes)
        return _timm(architecture, classes)
    except (AttributeError, ImportError, KeyError, RuntimeError, TypeError, ValueError) as error:
        cause = f"{architecture.library} cannot build {architecture.name} ({error})"
        raise ModelError(subject, cause, "correct `architecture` in model.json") from error


def _smp(architecture: Architecture, classes: int) -> torch.nn.Module:
    import segmentation_models_pytorch as smp

    arguments = dict(architecture.arguments) | {"encoder_weights": None, "classes": classes}
    return _module(smp.create_model(architecture.name, **arguments))


def _torchvision(architecture: Architecture, classes: int) -> torch.nn.Module:
    from torchvision.models import get_model

    arguments = dict(architecture.arguments) | {"weights": None, "num_classes": classes}
    return _module(get_model(architecture.name, **arguments))


def _timm(architecture: Architecture, classes: int) -> torch.nn.Module:
    import timm

    arguments = dict(architecture.arguments) | {"pretrained": False, "num_classes": classes}
    return _module(timm.create_model(architecture.name, **arguments))


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
