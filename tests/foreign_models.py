"""Other people's models as their formats have them, small and made in the test."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

COLOURS = torch.tensor([[2.0, -1.0, -1.5], [-1.0, 0.5, 2.0]])


class Patches(torch.nn.Module):
    """Two logits per patch, from the means of its channels and of its middle."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(COLOURS[:classes].clone())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        middle = images[:, :, 8:-8, 8:-8].mean(dim=(2, 3))
        return (images.mean(dim=(2, 3)) + middle) @ self.weight.T


class Pixels(torch.nn.Module):
    """Logits per pixel, the size of the image."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.convolution = torch.nn.Conv2d(3, classes, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.convolution(images)


def scripted(path: Path, network: torch.nn.Module, size: int) -> Path:
    """Write a network as TorchScript."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network.eval(), torch.zeros(1, 3, size, size)).save(str(path))
    return path


def write_json(path: Path, values: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
    return path


def zoo_config(**changes: Any) -> dict[str, Any]:
    return {
        "spec_version": "1.0",
        "architecture": "resnet18",
        "num_classes": 2,
        "patch_size_pixels": 100,
        "spacing_um_px": 1.0,
        "class_names": ["noTumor", "Tumor"],
        "transform": [
            {"name": "Resize", "arguments": {"size": 64}},
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": [0.7, 0.6, 0.7], "std": [0.1, 0.2, 0.1]}},
        ],
    } | changes


def zoo_folder(folder: Path, **changes: Any) -> Path:
    """Write a WSInfer-zoo folder with a tiny TorchScript network."""
    config = zoo_config(**changes)
    write_json(folder / "config.json", config)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A model\n")
    scripted(folder / "torchscript_model.pt", Patches(config["num_classes"]), 64)
    return folder


def monai_metadata(**changes: Any) -> dict[str, Any]:
    image = {
        "type": "image",
        "num_channels": 3,
        "spatial_shape": [64, 64],
        "value_range": [0, 1],
    }
    answer = {
        "type": "image",
        "num_channels": 2,
        "spatial_shape": [64, 64],
        "channel_def": {"0": "background", "1": "tumor"},
    }
    return {
        "version": "0.1.0",
        "monai_version": "1.5.0",
        "task": "segmentation",
        "authors": "somebody",
        "network_data_format": {"inputs": {"image": image}, "outputs": {"pred": answer}},
        "pixel_spacing_um": 2.0,
    } | changes


def monai_folder(folder: Path, **changes: Any) -> Path:
    """Write a MONAI bundle with a TorchScript network."""
    write_json(folder / "configs" / "metadata.json", monai_metadata(**changes))
    scripted(folder / "models" / "model.ts", Pixels(), 64)
    (folder / "LICENSE").write_text("Apache License 2.0\n")
    return folder


def described(folder: Path, library: str, file: str, sha256: str, **changes: Any) -> Path:
    """Write the model.json of a program."""
    values = {
        "schema_version": 1,
        "name": folder.name,
        "version": "1",
        "task": "segmentation",
        "architecture": {"library": library, "name": file},
        "classes": [
            {"name": "background", "color": [190, 190, 190], "role": "background"},
            {"name": "tumour", "color": [200, 0, 0], "role": "tumour"},
        ],
        "mpp": 2.0,
        "tile_size": 64,
        "normalization": {"mean": [0, 0, 0], "std": [1, 1, 1]},
        "outputs": "logits",
        "training_data": "none",
        "metrics": {},
        "licence": "CC0-1.0",
        "authors": ["nobody"],
        "intended_use": "tests",
        "sha256": sha256,
    } | changes
    return write_json(folder / "model.json", values)


Making = Callable[..., Path]
