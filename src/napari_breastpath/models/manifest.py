"""Read and write `model.json`; whatever is wrong with it is named by its field."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from napari_breastpath.core.errors import ModelError
from napari_breastpath.core.geometry import output_stride
from napari_breastpath.models.bundle import (
    LIBRARIES,
    MANIFEST,
    OUTPUTS,
    PROGRAMS,
    ROLES,
    SCHEMA_VERSION,
    TASKS,
    WEIGHTS,
    Architecture,
    ClassInfo,
    ModelBundle,
    Normalization,
    StainTarget,
)
from napari_breastpath.models.foreign.describing import read_object
from napari_breastpath.models.inputs import INPUTS, RGB_INPUT

T = TypeVar("T")
TILE_MULTIPLE = 32
ADVICE = "correct the manifest or get the bundle again"


class _Fault(ValueError):
    """A field that does not hold what it must; the message is completed by the field's name."""


@dataclass(frozen=True)
class _Fields:
    """The fields of a manifest; what is wrong with one is named."""

    path: Path
    values: Mapping[str, Any]

    def __call__(self, name: str, read: Callable[[Any], T], default: Any = _Fault) -> T:
        value = self.values.get(name, default)
        if value is _Fault:
            raise ModelError(self.path, f"`{name}` is missing", ADVICE)
        try:
            return read(value)
        except (_Fault, KeyError, TypeError, ValueError, AttributeError) as error:
            cause = f"`{name}` {error}" if isinstance(error, _Fault) else f"`{name}` is malformed"
            raise ModelError(self.path, cause, ADVICE) from error


def read_manifest(folder: Path) -> ModelBundle:
    """Return the bundle that a folder's `model.json` describes, weights untouched.

    Raises
    ------
    ModelError
        No manifest, not JSON, or a field that is missing or wrong (named).
    """
    return parse_manifest(read_object(folder / MANIFEST), folder)


def parse_manifest(values: Mapping[str, Any], folder: Path) -> ModelBundle:
    """Return the bundle that the content of `model.json` describes.

    Raises
    ------
    ModelError
        Naming the first field that is missing or wrong.
    """
    field = _Fields(folder / MANIFEST, values)
    field("schema_version", _one_of((SCHEMA_VERSION,)))
    mpp = field("mpp", _positive)
    architecture = field("architecture", _architecture)
    program = architecture.library in PROGRAMS
    return ModelBundle(
        folder=folder,
        name=field("name", _text),
        version=field("version", _text),
        task=field("task", _one_of(TASKS)),
        architecture=architecture,
        classes=field("classes", _classes),
        mpp=mpp,
        tile_size=field("tile_size", _pixels if program else _tile_size),
        output_stride=field("output_stride", _one_of((output_stride(mpp),)), output_stride(mpp)),
        normalization=field("normalization", _normalization),
        stain=field("stain", _stain, None),
        threshold=field("threshold", _fraction, 0.5),
        training_data=field("training_data", _text),
        metrics=field("metrics", dict),
        licence=field("licence", _text),
        authors=field("authors", _texts),
        intended_use=field("intended_use", _text),
        sha256=field("sha256", _sha256),
        training_domain=field("training_domain", _optional_object, None),
        input=field("input", _one_of(tuple(INPUTS)), RGB_INPUT),
        temperature=field("temperature", _positive, 1.0),
        outputs=field("outputs", _one_of(OUTPUTS), *(() if program else (OUTPUTS[0],))),
        margin=field("margin", _pixels_or_none, 0),
        weights_name=architecture.name if program else field("weights", file_name, WEIGHTS),
        origin=field("origin", str, ""),
        second_stage=field("second_stage", _optional_object, None),
    )


def manifest_json(bundle: ModelBundle) -> str:
    """Return a bundle as the text of its `model.json`."""
    values: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "name": bundle.name,
        "version": bundle.version,
        "task": bundle.task,
        "architecture": {
            "library": bundle.architecture.library,
            "name": bundle.architecture.name,
            "arguments": dict(bundle.architecture.arguments),
        },
        "input": bundle.input,
        "temperature": bundle.temperature,
        "classes": [
            {"name": c.name, "color": list(c.color), "role": c.role} for c in bundle.classes
        ],
        "mpp": bundle.mpp,
        "tile_size": bundle.tile_size,
        "output_stride": bundle.output_stride,
        "normalization": {
            "mean": list(bundle.normalization.mean),
            "std": list(bundle.normalization.std),
        },
        "stain": bundle.stain,
        "threshold": bundle.threshold,
        "training_data": bundle.training_data,
        "training_domain": bundle.training_domain,
        "metrics": dict(bundle.metrics),
        "licence": bundle.licence,
        "authors": list(bundle.authors),
        "intended_use": bundle.intended_use,
        "sha256": bundle.sha256,
    }
    values |= {name: value for name, value in _foreign(bundle).items() if value}
    if bundle.second_stage is not None:
        values["second_stage"] = dict(bundle.second_stage)
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _foreign(bundle: ModelBundle) -> dict[str, Any]:
    """Return what only other people's models have; what is as always is empty."""
    named = bundle.weights_name not in (WEIGHTS, bundle.architecture.name)
    odd = bundle.outputs != OUTPUTS[0] or bundle.architecture.library in PROGRAMS
    return {
        "outputs": odd and bundle.outputs,
        "margin": bundle.margin,
        "weights": named and bundle.weights_name,
        "origin": bundle.origin,
    }


def _one_of(allowed: tuple[T, ...]) -> Callable[[Any], T]:
    def read(value: Any) -> T:
        if value not in allowed or isinstance(value, bool):
            raise _Fault(f"must be {' or '.join(map(str, allowed))}, not {value!r}")
        return cast(T, value)

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Fault("must be a text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise _Fault("must be a list of texts")
    return tuple(map(_text, value))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Fault(f"must be a number, not {value!r}")
    return float(value)


def _positive(value: Any) -> float:
    if _number(value) <= 0:
        raise _Fault(f"must be positive, not {value!r}")
    return float(value)


def _fraction(value: Any) -> float:
    if not 0 <= _number(value) <= 1:
        raise _Fault(f"must lie in 0–1, not {value!r}")
    return float(value)


def _tile_size(value: Any) -> int:
    if not isinstance(value, int) or value <= 0 or value % TILE_MULTIPLE:
        raise _Fault(f"must be a multiple of {TILE_MULTIPLE} px, not {value!r}")
    return value


def _pixels(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise _Fault(f"must be a whole number of px, not {value!r}")
    return value


def _pixels_or_none(value: Any) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else _pixels(value)


def file_name(value: Any) -> str:
    """Return the name of a file in the bundle's own folder; nothing leads out of it."""
    name = _text(value)
    if name != Path(name).name or name in (".", "..") or set(name) & set("\\/:\0"):
        raise _Fault(f"must be the name of a file in the bundle's folder, not {value!r}")
    return name


def _sha256(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise _Fault("must be 64 lower-case hexadecimal digits")
    return value


def _architecture(value: Any) -> Architecture:
    library = _one_of(LIBRARIES)(value["library"])
    name = (file_name if library in PROGRAMS else _text)(value["name"])
    return Architecture(library, name, dict(value.get("arguments", {})))


def _classes(value: Any) -> tuple[ClassInfo, ...]:
    classes = tuple(map(_class, value))
    if not classes:
        raise _Fault("must name at least one class")
    return classes


def _class(value: Any) -> ClassInfo:
    red, green, blue = value["color"]
    for part in (red, green, blue):
        if not isinstance(part, int) or not 0 <= part <= 255:
            raise _Fault(f"has a colour that is not three integers in 0–255: {value['color']!r}")
    return ClassInfo(_text(value["name"]), (red, green, blue), _one_of(ROLES)(value["role"]))


def _normalization(value: Any) -> Normalization:
    mean, std = tuple(map(_number, value["mean"])), tuple(map(_positive, value["std"]))
    if len(mean) != 3 or len(std) != 3:
        raise _Fault("must hold three means and three standard deviations")
    return Normalization((mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))


def _stain(value: Any) -> StainTarget | None:
    if value is None:
        return None
    matrix = [[_number(v) for v in row] for row in value["stain_matrix"]]
    maxima = [_positive(v) for v in value["max_concentration"]]
    if [len(row) for row in matrix] != [3, 3] or len(maxima) != 2:
        raise _Fault("must hold a 2 × 3 stain_matrix and two max_concentration")
    return StainTarget(method=_text(value["method"]), stain_matrix=matrix, max_concentration=maxima)


def _optional_object(value: Any) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise _Fault("must be an object")
    return value
