"""The network that a training starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.errors import ModelError, UsageError
from napari_breastpath.models import Architecture, build_network, load_model
from napari_breastpath.models.networks import empty_network
from napari_breastpath.training.config import Config, NetworkConfig

if TYPE_CHECKING:
    import torch


def architecture_of(config: Config) -> Architecture:
    """Return the architecture as `model.json` names it."""
    network = config.network
    return Architecture(network.library, network.architecture, dict(network.arguments))


def starting_network(config: Config) -> torch.nn.Module:
    """Return the network with random weights, an encoder's or a whole bundle's.

    Raises
    ------
    ModelError
        Weights that are not there or do not fit.
    """
    wanted = config.network
    if wanted.start_from:
        return _of_bundle(config)
    network = empty_network(architecture_of(config), len(config.classes), "network")
    if wanted.encoder_weights:
        tensors = _tensors(wanted)
        load_encoder(network, tensors, wanted.encoder_weights)
    return network


def _of_bundle(config: Config) -> torch.nn.Module:
    bundle = load_model(config.network.start_from)
    ours = architecture_of(config), [one.name for one in config.classes], config.mpp
    if (bundle.architecture, [one.name for one in bundle.classes], bundle.mpp) != ours:
        cause = "has another architecture, other classes or another µm/px than the config"
        raise ModelError(bundle.folder, cause, "take them over from its model.json")
    return build_network(bundle)


def _tensors(wanted: NetworkConfig) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(wanted.encoder_weights)
    if path.suffix != ".safetensors":
        return _downloaded(wanted)
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        cause = f"encoder weights cannot be read ({error})"
        raise ModelError(path, cause, "give a safetensors file") from error


def _downloaded(wanted: NetworkConfig) -> dict[str, torch.Tensor]:
    """Return an encoder's weights from segmentation-models-pytorch's own library, by name."""
    from segmentation_models_pytorch.encoders import get_encoder

    name, weights = wanted.arguments.get("encoder_name", ""), wanted.encoder_weights
    if wanted.library != "smp":
        cause = f"{weights!r} names no file, and only encoders of smp can be had by name"
        raise ModelError("encoder_weights", cause, "give a safetensors file")
    try:
        encoder: Any = get_encoder(str(name), weights=weights)
    except Exception as error:
        cause = f"weights {weights} cannot be had ({type(error).__name__})"
        advice = "go online, or give a safetensors file as encoder_weights"
        raise ModelError(f"encoder {name}", cause, advice) from error
    return dict(encoder.state_dict())


def load_encoder(
    network: torch.nn.Module, tensors: dict[str, torch.Tensor], subject: object
) -> None:
    """Fill the encoder of a network, or its body where it is a classifier.

    Raises
    ------
    ModelError
        A tensor of the encoder is missing or has another shape.
    """
    encoder = encoder_of(network)
    wanted = {key: value.shape for key, value in encoder.state_dict().items()}
    fitting = {k: v.float() for k, v in tensors.items() if wanted.get(k) == v.shape}
    missing = [key for key in wanted if key not in fitting and _is_body(key)]
    if missing:
        cause = f"{len(missing)} tensors of the encoder are missing or differ, first {missing[0]}"
        raise ModelError(subject, cause, "give weights of this encoder")
    encoder.load_state_dict(fitting, strict=False)


def _is_body(key: str) -> bool:
    """Tell a tensor of the body from counters and from a classifier's head."""
    return "num_batches_tracked" not in key and not key.startswith(("classifier", "fc", "head"))


def encoder_of(network: torch.nn.Module) -> torch.nn.Module:
    """Return the encoder of a network that segments; the whole of one that classifies."""
    encoder: torch.nn.Module = getattr(network, "encoder", network)
    return encoder


def frozen_norms(network: torch.nn.Module, wish: str) -> list[Any]:
    """Return the batch norms that must stay in eval mode.

    `auto`: those of an encoder in which they are folded into the convolutions (all means 0), for
    their statistics are not those of any data.
    """
    import torch

    norms: list[Any] = [
        m for m in encoder_of(network).modules() if isinstance(m, torch.nn.BatchNorm2d)
    ]
    means = [m.running_mean for m in norms if m.running_mean is not None]
    is_trained = any(bool((m.weight != 1).any()) for m in norms) or _has_bias(norms)
    folded = bool(means) and all(not mean.any() for mean in means) and is_trained
    return norms if wish == "yes" or (wish == "auto" and folded) else []


def _has_bias(norms: list[Any]) -> bool:
    """Tell weights that were loaded from those just made, whose biases are all 0."""
    return any(bool(norm.bias.any()) for norm in norms)


def parameter_groups(network: torch.nn.Module, config: Config) -> list[dict[str, Any]]:
    """Return the encoder's parameters and the others, each with its learning rate."""
    encoder = getattr(network, "encoder", None)
    if encoder is None or config.fit.encoder_rate == 1:
        return [{"params": list(network.parameters()), "lr": config.fit.rate}]
    own = {id(parameter) for parameter in encoder.parameters()}
    rest = [p for p in network.parameters() if id(p) not in own]
    rates = config.fit.rate * config.fit.encoder_rate, config.fit.rate
    if not rest:
        raise UsageError("network", "is all encoder", "set encoder_rate = 1")
    parts = list(encoder.parameters()), rest
    return [{"params": part, "lr": rate} for part, rate in zip(parts, rates, strict=True)]
