"""What a number rests on: software, slide, model."""

from __future__ import annotations

import json
import platform
from functools import cache
from importlib import metadata
from typing import Any

from napari_breastpath.models import ModelBundle
from napari_breastpath.slides import Slide

PACKAGES = (
    "napari-breastpath",
    "napari",
    "numpy",
    "scipy",
    "scikit-image",
    "tifffile",
    "zarr",
    "dask",
    "torch",
    "segmentation-models-pytorch",
    "spams-bin",
    "openslide-python",
    "openslide-bin",
    "ncnn",
    "pnnx",
    "openvino",
    "onnxruntime",
)


@cache
def version(package: str) -> str | None:
    """Return the installed version of a distribution, None where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def software_versions() -> dict[str, str]:
    """Return Python's and every present package's version."""
    found = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version()} | {k: v for k, v in found.items() if v}


def slide_record(slide: Slide) -> dict[str, Any]:
    """Return result.json's `slide` object."""
    return {
        "path": str(slide.path.resolve()),
        "width": slide.width,
        "height": slide.height,
        "mpp_x": slide.mpp.x,
        "mpp_y": slide.mpp.y,
        "mpp_source": slide.mpp.source,
        "vendor": slide.vendor,
        "reader": slide.reader,
        "bounds_offset": list(slide.bounds_offset),
        "fingerprint": slide.fingerprint,
    }


def _without_nan(value: Any) -> Any:
    """Return what JSON can hold of a value read from JSON: null for NaN and infinities."""
    return json.loads(json.dumps(dict(value)), parse_constant=lambda _: None)


def second_stage_record(bundle: ModelBundle) -> dict[str, Any]:
    """Return where a bundle lies, and the hashes of its second stage, empty where it has none."""
    parts = bundle.second_stage or {}
    hashes = {k: v["sha256"] for k, v in parts.items() if isinstance(v, dict) and "sha256" in v}
    return {"folder": str(bundle.folder.resolve()), "second_stage": hashes}


def model_record(bundle: ModelBundle) -> dict[str, Any]:
    """Return result.json's `model` object."""
    return {
        "name": bundle.name,
        "version": bundle.version,
        "sha256": bundle.sha256,
        "mpp": bundle.mpp,
        "tile_size": bundle.tile_size,
        "output_stride": bundle.output_stride,
        "classes": [
            {"name": c.name, "color": list(c.color), "role": c.role} for c in bundle.classes
        ],
        "card": {
            "intended_use": bundle.intended_use,
            "training_data": bundle.training_data,
            "metrics": _without_nan(bundle.metrics),
            "licence": bundle.licence,
            "origin": bundle.origin,
            "authors": list(bundle.authors),
        },
        **second_stage_record(bundle),
    }
