"""Folders of the WSInfer zoo: `config.json` and a patch classifier's weights.

Kaczmarzyk et al., npj Precis Oncol 2024; `wsinfer_zoo/schemas/model-config.schema.json`, 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models.bundle import Architecture, ClassInfo, ModelBundle, Normalization
from napari_breastpath.models.foreign.describing import (
    ADVICE,
    NOT_OURS,
    field,
    hash_of,
    origin_of,
    read_object,
    source_record,
    stated_licence,
    stride_of,
)
from napari_breastpath.models.foreign.words import classes_of
from napari_breastpath.models.unpickling import TORCHSCRIPT, kind_of_file

CONFIG = "config.json"
SPEC = "1.0"
PROGRAM = "torchscript_model.pt"
TENSORS = ("model.safetensors", "model.pt", "model.pth", "pytorch_model.bin")
# What a transform does where it is not named; values are 0–1 after ToTensor.
PLAIN = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
TRANSFORMS = ("Resize", "ToTensor", "Normalize")


def is_wsinfer(folder: Path) -> bool:
    """Return whether a folder looks like one of the WSInfer zoo."""
    weights = (PROGRAM, *TENSORS)
    return (folder / CONFIG).is_file() and any((folder / name).is_file() for name in weights)


def read_wsinfer(folder: Path) -> ModelBundle:
    """Return the patch classifier in a folder of the WSInfer zoo.

    `Resize` is done by reading: a patch of `patch_size_pixels` at `spacing_um_px` is read at the
    µm/px that gives it the size the network wants, each pixel the mean of its area.

    Raises
    ------
    ModelError
        A field that is missing, wrong or asks for what cannot be done (named).
    """
    path = folder / CONFIG
    values = read_object(path)
    if values.get("spec_version") != SPEC:
        raise ModelError(path, f"is not of WSInfer's specification {SPEC}", ADVICE)
    names = field(path, values, "class_names", _names)
    if field(path, values, "num_classes", int) != len(names):
        raise ModelError(path, "`num_classes` is not the number of `class_names`", ADVICE)
    size, normalization = field(path, values, "transform", _transform)
    patch = field(path, values, "patch_size_pixels", _positive_int)
    spacing = field(path, values, "spacing_um_px", _positive)
    tile = size or patch
    mpp = spacing * patch / tile
    weights = _weights(folder)
    return ModelBundle(
        folder=folder,
        name=str(source_record(folder).get("name") or folder.resolve().name),
        version=str(source_record(folder).get("revision") or SPEC),
        task="classification",
        architecture=_architecture(weights, field(path, values, "architecture", str)),
        classes=_classes(names),
        mpp=mpp,
        tile_size=tile,
        output_stride=stride_of(tile, mpp),
        normalization=normalization,
        stain=None,
        threshold=0.5,
        training_data="not stated here; see its card",
        metrics={},
        licence=stated_licence(folder / "README.md"),
        authors=("see its card",),
        intended_use=NOT_OURS,
        sha256=hash_of(weights, folder),
        weights_name=weights.name,
        origin=origin_of(folder, "WSInfer folder"),
    )


def _names(value: Any) -> list[str]:
    names = [name for name in value if isinstance(name, str) and name.strip()]
    if not isinstance(value, list) or not names or len(set(names)) != len(value):
        raise ValueError("not a list of different names")
    return names


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not 0 < float(value) < 1e4:
        raise ValueError(f"{value!r} is not positive")
    return float(value)


def _positive_int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 14:
        raise ValueError(f"{value!r} is not a number of pixels")
    return value


def _transform(value: Any) -> tuple[int | None, Normalization]:
    """Return (size to resize to, normalization): at most one of each, in WSInfer's order."""
    names = [item["name"] for item in value]
    if unknown := [name for name in names if name not in TRANSFORMS]:
        raise ValueError(f"{unknown[0]} is not known here")
    if names != [name for name in TRANSFORMS if name in names] or "ToTensor" not in names:
        raise ValueError("the order is not Resize, ToTensor, Normalize")
    steps = {item["name"]: item.get("arguments") or {} for item in value}
    size = _square(steps["Resize"]["size"]) if "Resize" in steps else None
    return size, _normalization(steps["Normalize"]) if "Normalize" in steps else PLAIN


def _square(size: Any) -> int:
    edges = size if isinstance(size, list) else [size]
    if len(set(edges)) != 1:
        raise ValueError(f"Resize to {size!r} would change the shape")
    return _positive_int(edges[0])


def _normalization(arguments: Mapping[str, Sequence[float]]) -> Normalization:
    red, green, blue = map(float, arguments["mean"])
    deviations = tuple(map(_positive, arguments["std"]))
    return Normalization((red, green, blue), (deviations[0], deviations[1], deviations[2]))


def _weights(folder: Path) -> Path:
    """Return the file to run: the zoo's own program, else tensors, safetensors before pickles."""
    for name in (PROGRAM, *TENSORS):
        if (folder / name).is_file():
            return folder / name
    raise ModelError(folder, f"lacks {PROGRAM}", "get the model again")


def _architecture(weights: Path, name: str) -> Architecture:
    """Return timm's network of a name, or the file itself where it is TorchScript."""
    is_pickle = weights.suffix != ".safetensors"
    if is_pickle and kind_of_file(weights) == TORCHSCRIPT:
        return Architecture("torchscript", weights.name, {"name": name})
    return Architecture("timm", name, {})


def _classes(names: list[str]) -> tuple[ClassInfo, ...]:
    """Return the classes; one alone is what is looked for, whatever it is called."""
    classes = classes_of(names)
    return (
        classes if len(classes) > 1 or classes[0].role != "background" else classes_of(["tumour"])
    )
