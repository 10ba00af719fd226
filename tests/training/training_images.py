"""Small drawn images with truth, and configs for them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_breastpath.training.config import (
    AugmentConfig,
    BundleConfig,
    ClassConfig,
    Config,
    FitConfig,
    NetworkConfig,
    StainConfig,
)
from napari_breastpath.training.source_config import SourceConfig

PINK, VIOLET = (220, 160, 200), (110, 60, 150)
TINY = NetworkConfig(
    arguments={"encoder_name": "mobilenet_v2", "decoder_channels": [8, 8, 8, 8, 8]}
)


def blobs(seed: int, size: int = 96, count: int = 4) -> NDArray[np.int32]:
    """Return numbered discs, (size, size)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.int32)
    for number in range(1, count + 1):
        y, x = rng.integers(10, size - 10, 2)
        labels[(rows - y) ** 2 + (columns - x) ** 2 < 64] = number
    return labels


def stained(mask: NDArray[Any], seed: int) -> NDArray[np.uint8]:
    """Return violet where the mask is and pink elsewhere, with noise of a seed's own."""
    rng = np.random.default_rng((seed, 7))
    picture = np.where(mask[..., None] > 0, VIOLET, PINK) + rng.normal(0, 8, (*mask.shape, 3))
    return picture.clip(0, 255).astype(np.uint8)


def write_masks(folder: Path, patients: int = 4, each: int = 1) -> None:
    """Write `P1-0_image.png` and `P1-0_mask.png`, 96 × 96; the last patient's are normal."""
    folder.mkdir(parents=True, exist_ok=True)
    for patient in range(1, patients + 1):
        for k in range(each):
            seed = patient * 100 + k
            labels = blobs(seed, count=0 if patient == patients else 4)
            stem = folder / f"P{patient}-{k}"
            Image.fromarray(stained(labels, seed)).save(f"{stem}_image.png")
            mask = ((labels > 0) * 255).astype(np.uint8)
            Image.fromarray(mask).save(f"{stem}_mask.png")


def source(folder: Path, kind: str = "masks", **changes: Any) -> SourceConfig:
    """Return a source of files as `write_masks` names them."""
    given = {
        "images": str(folder / "*_image.png"),
        "labels": str(folder / "*_mask.png"),
        "mpp": (1.0,),
        "patient": r"(P\d+)-",
    }
    return SourceConfig(kind, **(given | changes))


def config(out: Path, *sources: SourceConfig, **changes: Any) -> Config:
    """Return a training of seconds."""
    plain = Config(
        name="tiny",
        task="segmentation",
        mpp=1.0,
        out=str(out),
        classes=(ClassConfig("tumour"),),
        sources=sources,
        bundle=BundleConfig("CC0-1.0", "drawn discs"),
        tile_size=64,
        validation=0.25,
        network=TINY,
        stain=StainConfig("none"),
        augment=AugmentConfig(),
        fit=FitConfig(batch=4, tiles=8, epochs=3, threads=1, crop=32),
    )
    return dataclasses.replace(plain, **changes)
