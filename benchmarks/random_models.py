"""Models of random weights for the benchmarks: their arithmetic is what counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_breastpath.models.bundle import Architecture, ClassInfo, ModelBundle, Normalization
from napari_breastpath.models.exporting import export_model
from napari_breastpath.models.networks import empty_network
from napari_breastpath.models.saving import save_model

TILE = 256
# Most of the tissue in some hundred regions, as of a carcinoma; at 0.5 noise makes thousands.
THRESHOLD = 0.3
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TARGET = {
    "method": "vahadane",
    "stain_matrix": [[0.62, 0.72, 0.31], [0.09, 0.97, 0.22]],
    "max_concentration": [1.6, 1.3],
}
FPN = Architecture(
    "smp", "FPN", {"encoder_name": "resnet34", "encoder_weights": None, "classes": 1}
)
RESNET34 = Architecture("timm", "resnet34", {})


def winner_like_model(folder: Path, mpp: float) -> Path:
    """Write a bundle with an FPN-ResNet34 for tiles of 256 px; return its folder."""
    stride = max(1, 2 ** int(np.ceil(np.log2(2 / mpp))))
    bundle = described(folder, "winner-like", "segmentation", FPN, mpp, stride)
    save_model(bundle, empty_network(FPN, 1, folder))
    return folder


def zoo_model(folder: Path, mpp: float) -> Path:
    """Write a ResNet-34 for patches of 256 px as a folder of the WSInfer zoo; return it."""
    ours = folder.with_name(f"{folder.name}-bundle")
    bundle = described(ours, "zoo-like", "classification", RESNET34, mpp, TILE)
    export_model(save_model(bundle, empty_network(RESNET34, 1, ours)), "wsinfer", folder)
    return folder


def described(
    folder: Path, name: str, task: str, architecture: Architecture, mpp: float, stride: int
) -> ModelBundle:
    """Return what a model of one class says of itself."""
    return ModelBundle(
        folder=folder,
        name=name,
        version="0",
        task=task,
        architecture=architecture,
        classes=(ClassInfo("tumour", (220, 40, 40), "tumour"),),
        mpp=mpp,
        tile_size=TILE,
        output_stride=stride,
        normalization=Normalization(MEAN, STD),
        stain=TARGET,  # type: ignore[arg-type]
        threshold=THRESHOLD,
        training_data="none",
        metrics={},
        licence="CC0-1.0",
        authors=("napari-breastpath",),
        intended_use="benchmarks",
        sha256="",
    )
