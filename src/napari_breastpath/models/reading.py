"""Which of the known formats a folder holds, and its `ModelBundle`; weights are not read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models.bundle import MANIFEST, WEIGHTS, ModelBundle
from napari_breastpath.models.foreign.describing import source_record
from napari_breastpath.models.foreign.monai import has_code, is_monai, read_monai
from napari_breastpath.models.foreign.wsinfer import is_wsinfer, read_wsinfer
from napari_breastpath.models.manifest import read_manifest
from napari_breastpath.models.unpickling import refusal

PICKLES = {".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt", ".pt2", ".joblib"}
CONFIGS = {".json", ".yaml", ".yml"}


def _has_manifest(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def _read_own(folder: Path) -> ModelBundle:
    """Return the bundle of a `model.json`; a program is somebody else's even if it says nothing."""
    bundle = read_manifest(folder)
    origin = str(source_record(folder).get("origin") or bundle.origin)
    if bundle.runs_code and not origin:
        origin = f"folder {folder.absolute()}"
    return replace(bundle, origin=origin)


# Tried in this order; the first that knows a folder reads it.
FORMATS: tuple[tuple[Callable[[Path], bool], Callable[[Path], ModelBundle]], ...] = (
    (_has_manifest, _read_own),
    (is_wsinfer, read_wsinfer),
    (is_monai, read_monai),
)


def is_model(folder: Path) -> bool:
    """Return whether a folder holds a model of a known format."""
    return any(known(folder) for known, _ in FORMATS)


def read_bundle(folder: Path) -> ModelBundle:
    """Return the model in a folder, whatever its format.

    Raises
    ------
    ModelError
        No known format, or what its reader refuses.
    """
    for known, read in FORMATS:
        if known(folder):
            return read(folder)
    raise _unknown(folder)


def is_hash_given(bundle: ModelBundle) -> bool:
    """Tell whether the SHA-256 of a model was kept or published, not just read off its file."""
    kept = source_record(bundle.folder).get("sha256", {})
    return _has_manifest(bundle.folder) or bundle.weights_name in kept


def _unknown(folder: Path) -> ModelError:
    pickles = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICKLES)
    if pickles:
        return refusal(pickles[0])
    missing = [name for name in (MANIFEST, WEIGHTS) if not (folder / name).is_file()]
    advice = "give the folder of a model bundle, WSInfer model or MONAI bundle"
    return ModelError(folder, f"lacks {' and '.join(missing)}", advice)


def folder_of_file(path: Path) -> Path:
    """Return the folder to read for a file that was named instead.

    Raises
    ------
    ModelError
        A pickle without a description beside it, code, or no part of a model.
    """
    if path.suffix.lower() in (".ckpt", ".pt2", ".pkl", ".pickle", ".joblib"):
        raise refusal(path)
    if path.suffix.lower() in CONFIGS and has_code(path):
        cause = "is a configuration with code (`_target_` or `$…`), which is never run"
        raise ModelError(path, cause, "give the bundle's folder")
    if is_model(path.parent) and path.name in (read_bundle(path.parent).weights.name, MANIFEST):
        return path.parent
    if path.suffix.lower() in PICKLES:
        raise refusal(path)
    if path.suffix.lower() == ".onnx":
        raise ModelError(path, f"has no {MANIFEST} beside it", "write one; docs/models.md says how")
    raise ModelError(path, "is a file, not a model bundle", f"give the folder of {MANIFEST}")
