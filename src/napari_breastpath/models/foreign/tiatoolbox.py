"""The models that TIAToolbox publishes and that are of use on breast slides.

Sizes, µm/px and classes as in TIAToolbox 2.1.3, `data/pretrained_model.yaml`.
"""

from __future__ import annotations

from typing import Any

from napari_breastpath.core.geometry import output_stride
from napari_breastpath.models.bundle import SCHEMA_VERSION
from napari_breastpath.models.foreign.describing import NOT_OURS
from napari_breastpath.models.foreign.networks import CNN, FCN_RESNET50_UNET

REPOSITORY = "TIACentre/TIAToolbox_pretrained_weights"
BCSS = "fcn_resnet50_unet-bcss"
BACKBONES = (
    "alexnet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "googlenet",
)
UNKNOWN_LICENCE = "not BSD as TIAToolbox's code; see tia-toolbox.readthedocs.io, pretrained models"
AUTHORS = ["TIA Centre, University of Warwick"]
TISSUES = (
    ("tumour", [200, 0, 0], "tumour"),
    ("stroma", [0, 150, 90], "other"),
    ("inflammatory", [0, 120, 200], "other"),
    ("necrosis", [240, 160, 0], "other"),
    ("other", [120, 120, 120], "other"),
)
NODES = (("no metastasis", [190, 190, 190], "background"), ("metastasis", [200, 0, 0], "tumour"))


def published_names() -> tuple[str, ...]:
    """Return the names of TIAToolbox's models that can be installed."""
    return (BCSS, *(f"{backbone}-pcam" for backbone in BACKBONES))


def describe(name: str) -> str:
    """Return one line about a published model."""
    if name == BCSS:
        return "segments tumour, stroma, inflammatory, necrosis, other at 0.25 µm/px (BCSS)"
    return "metastasis in patches of 96 µm at 1 µm/px (PatchCamelyon)"


def manifest_of(
    name: str, sha256: str, origin: str, licence: str = UNKNOWN_LICENCE
) -> dict[str, Any]:
    """Return the `model.json` of a published model whose weights lie beside it as `NAME.pth`.

    Parameters
    ----------
    name : str
        One of `published_names`.
    sha256 : str
        Of the weights.
    origin : str
        Where they were fetched.
    licence : str
        As the repository of the weights states it.
    """
    own = _segmenter() if name == BCSS else _classifier(name.removesuffix("-pcam"))
    return own | {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "version": "1",
        "output_stride": output_stride(own["mpp"]),
        "normalization": {"mean": [0, 0, 0], "std": [1, 1, 1]},
        "licence": licence,
        "authors": AUTHORS,
        "intended_use": NOT_OURS,
        "sha256": sha256,
        "weights": f"{name}.pth",
        "origin": origin,
    }


def _segmenter() -> dict[str, Any]:
    """Return what is special of the BCSS network: 1024 px are seen, the inner 512 are used.

    Its classes are Amgad et al. 2019's; the score uses the role tumour.
    """
    return {
        "task": "segmentation",
        "architecture": {"library": "tiatoolbox", "name": FCN_RESNET50_UNET},
        "classes": _classes(TISSUES),
        "mpp": 0.25,
        "tile_size": 512,
        "margin": 256,
        "outputs": "probabilities",
        "training_data": "BCSS: 151 TCGA-BRCA slides, triple negative (Amgad et al. 2019)",
        "metrics": {"dice_by_its_authors": {"tumour": 0.885, "stroma": 0.825, "all": 0.763}},
    }


def _classifier(backbone: str) -> dict[str, Any]:
    return {
        "task": "classification",
        "architecture": {"library": "tiatoolbox", "name": CNN, "arguments": {"backbone": backbone}},
        "classes": _classes(NODES),
        "mpp": 1.0,
        "tile_size": 96,
        "training_data": "PatchCamelyon: patches of CAMELYON16, labelled by their middle 32 µm",
        "metrics": {},
    }


def _classes(classes: tuple[tuple[str, list[int], str], ...]) -> list[dict[str, Any]]:
    return [{"name": name, "color": color, "role": role} for name, color, role in classes]
