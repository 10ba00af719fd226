"""MONAI bundles: `configs/metadata.json` and a TorchScript network, never the configurations.

MONAI's own loader instantiates what `_target_` and `$` name in a configuration: programs. Here
only `metadata.json` is read (MONAI, `docs/source/mb_specification.rst`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_breastpath.core.errors import ModelError
from napari_breastpath.core.geometry import output_stride
from napari_breastpath.models.bundle import Architecture, ModelBundle, Normalization
from napari_breastpath.models.foreign.describing import (
    ADVICE,
    NOT_OURS,
    UNSTATED,
    field,
    hash_of,
    origin_of,
    read_object,
    stride_of,
)
from napari_breastpath.models.foreign.words import classes_of
from napari_breastpath.models.foreign.wsinfer import PLAIN

METADATA = Path("configs") / "metadata.json"
PROGRAMS = ("model.ts", "model_trt.ts", "model.torchscript")
# What a value range of the input means for value / 255.
RANGES = {
    (0.0, 1.0): PLAIN,
    (-1.0, 1.0): Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    (0.0, 255.0): Normalization((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
}
CODE = re.compile(r'"_target_"\s*:|^_target_\s*:|[:\-]\s*"?\$[\w(\[@]', re.MULTILINE)


def is_monai(folder: Path) -> bool:
    """Return whether a folder looks like a MONAI bundle."""
    return (folder / METADATA).is_file()


def has_code(path: Path) -> bool:
    """Return whether a configuration names programs: `_target_`, or expressions after `$`."""
    return bool(CODE.search(path.read_text(encoding="utf-8", errors="replace")))


def read_monai(folder: Path) -> ModelBundle:
    """Return the network of a MONAI bundle whose metadata say what it takes and gives.

    Beyond MONAI's specification the metadata must hold `pixel_spacing_um`, µm/px of the input;
    `activation` of the output may say `probabilities` where the default is `logits`.

    Raises
    ------
    ModelError
        Code in the metadata, no TorchScript, or a field that is missing or wrong.
    """
    path = folder / METADATA
    values = read_object(path)
    if has_code(path):
        cause = "holds code (`_target_` or `$…`), which MONAI would run"
        raise ModelError(path, cause, "ask for metadata without code")
    image, answer = field(path, values, "network_data_format", _formats)
    mpp = field(path, values, "pixel_spacing_um", _mpp)
    size = field(path, image, "spatial_shape", _square)
    segments = field(path, answer, "spatial_shape", _segments, [])
    tile = field(path, answer, "spatial_shape", _square) if segments else size
    program = _program(folder)
    return ModelBundle(
        folder=folder,
        name=field(path, values, "name", str, folder.resolve().name) or folder.resolve().name,
        version=field(path, values, "version", str),
        task="segmentation" if segments else "classification",
        architecture=Architecture("torchscript", program.name, {}),
        classes=classes_of(field(path, answer, "channel_def", _channels)),
        mpp=mpp,
        tile_size=tile,
        output_stride=_stride(path, tile, mpp, segments),
        normalization=field(path, image, "value_range", _range),
        stain=None,
        threshold=0.5,
        training_data=field(path, values, "data_source", str, "not stated"),
        metrics={},
        licence=_licence(folder),
        authors=(field(path, values, "authors", str),),
        intended_use=field(path, values, "intended_use", str, NOT_OURS),
        sha256=hash_of(program, folder),
        outputs=field(path, answer, "activation", _activation, "logits"),
        margin=max(0, (size - tile) // 2),
        weights_name=program.relative_to(folder).as_posix(),
        origin=origin_of(folder, "MONAI bundle"),
    )


def _program(folder: Path) -> Path:
    for name in PROGRAMS:
        if (folder / "models" / name).is_file():
            return folder / "models" / name
    configs = [p for p in sorted((folder / "configs").iterdir()) if p.is_file() and has_code(p)]
    described = f"; {configs[0].name} describes it by code, which is never run" if configs else ""
    advice = "ask for models/model.ts (python -m monai.bundle ckpt_export)"
    raise ModelError(folder, f"holds no TorchScript network{described}", advice)


def _formats(value: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    (image,), (answer,) = value["inputs"].values(), value["outputs"].values()
    if image["num_channels"] != 3:
        raise ValueError(f"an input of {image['num_channels']} channels is no RGB image")
    return image, answer


def _square(value: Any) -> int:
    height, width = value
    if height != width or not isinstance(height, int) or not 0 < height < 1 << 14:
        raise ValueError(f"{value!r} is no square of a fixed size")
    return height


def _segments(value: Any) -> bool:
    return len(value) == 2 and value != [1, 1]


def _mpp(value: Any) -> float:
    if not 0 < float(value) < 1e3:
        raise ValueError(f"{value!r} is no µm/px")
    return float(value)


def _channels(value: Mapping[str, str]) -> list[str]:
    names = [str(value[str(index)]) for index in range(len(value))]
    if not names:
        raise ValueError("names no class")
    return names


def _range(value: Any) -> Normalization:
    low, high = map(float, value)
    if (low, high) not in RANGES:
        raise ValueError(f"{value!r} is none of {', '.join(map(str, RANGES))}")
    return RANGES[low, high]


def _activation(value: Any) -> str:
    if value not in ("logits", "probabilities"):
        raise ValueError(f"{value!r} is neither logits nor probabilities")
    return str(value)


def _stride(path: Path, tile: int, mpp: float, segments: bool) -> int:
    if not segments:
        return stride_of(tile, mpp)
    if tile % output_stride(mpp):
        cause = f"an output of {tile} px is no multiple of {output_stride(mpp)}"
        raise ModelError(path, cause, ADVICE)
    return output_stride(mpp)


def _licence(folder: Path) -> str:
    """Return the first line of a bundle's licence."""
    for name in ("LICENSE", "docs/license.txt", "docs/data_license.txt"):
        if (folder / name).is_file():
            lines = (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
            return next((line.strip() for line in lines if line.strip()), UNSTATED)
    return UNSTATED
