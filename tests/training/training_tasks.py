"""A small training of every task but segmentation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from training_images import blobs, config, source, stained

from napari_breastpath.training.config import ClassConfig, Config, NetworkConfig


def _images(folder: Path, first: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(first, first + 4):
        Image.fromarray(stained(blobs(k), k)).save(folder / f"P{k}-0_image.png")


def _short(asked: Config, loss: str) -> Config:
    return dataclasses.replace(
        asked, fit=dataclasses.replace(asked.fit, epochs=1, tiles=4, loss=loss)
    )


def classification(folder: Path) -> Config:
    """Tiles of two classes, in folders of their names."""
    for first, name in enumerate(("benign", "malignant")):
        _images(folder / "images" / name, 4 * first)
    names = tuple(
        ClassConfig(name, role=role)
        for name, role in (("benign", "benign"), ("malignant", "invasive"))
    )
    images = source(
        folder / "images", "classes", images=str(folder / "images"), labels="", patient=""
    )
    network = NetworkConfig("torchvision", "mobilenet_v3_small", {})
    asked = config(folder / "run", images, task="classification", classes=names, network=network)
    return _short(asked, "cross_entropy")


def points(folder: Path) -> Config:
    """Heat around the middle of each image."""
    _images(folder / "images")
    images = source(folder / "images", "points", labels="", centred=True)
    return _short(config(folder / "run", images, task="points"), "bce_dice")


def nuclei(folder: Path) -> Config:
    """Background, nucleus and boundary."""
    _images(folder / "images")
    for k in range(4):
        tifffile.imwrite(folder / "images" / f"P{k}-0_mask.tif", blobs(k).astype(np.uint16))
    images = source(folder / "images", "instances", labels=str(folder / "images" / "*_mask.tif"))
    names = ("background", "nucleus", "boundary")
    roles = ("background", "other", "other")
    classes = tuple(ClassConfig(n, role=r) for n, r in zip(names, roles, strict=True))
    return _short(
        config(folder / "run", images, task="nuclei", classes=classes), "cross_entropy_dice"
    )


TASKS: dict[str, Callable[[Path], Config]] = {
    "classification": classification,
    "points": points,
    "nuclei": nuclei,
}
