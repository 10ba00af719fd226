"""Our models for other programs: a folder of the WSInfer zoo, or ONNX.

QuPath's WSInfer extension always takes a softmax of what a network gives (WSInferClassifier,
`applySoftmax = true`), so an export has at least two logits and no activation.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.errors import ModelError, UsageError
from napari_breastpath.models.bundle import MANIFEST, Architecture, ModelBundle
from napari_breastpath.models.foreign.wsinfer import CONFIG, PROGRAM, SPEC
from napari_breastpath.models.graph import ONNX_OPSET, probabilities, without_margin
from napari_breastpath.models.hashing import file_sha256
from napari_breastpath.models.inputs import RGB_INPUT
from napari_breastpath.models.manifest import manifest_json
from napari_breastpath.models.networks import build_network

if TYPE_CHECKING:
    import torch

ONNX_FILE = "model.onnx"
# Below what float32 tells from 1; keeps logarithms finite.
SMALLEST = 1e-7
NO_STAIN = "its stain normalisation is not part of the export: slides are seen as scanned"
NO_SECOND_STAGE = "its second stage (probability and axis of a slide) is not part of the export"
MEAN = "a patch's probability is the mean over its pixels, as in a map with one pixel per patch"


def export_model(bundle: ModelBundle, to: str, folder: Path) -> tuple[str, ...]:
    """Write a model in a format of other programs.

    Parameters
    ----------
    bundle : ModelBundle
    to : str
        `wsinfer` or `onnx`.
    folder : Path
        New, or empty.

    Returns
    -------
    tuple of str
        What the export lacks or changes, for a person to read.

    Raises
    ------
    UsageError
        Unknown format, or a folder that holds something.
    ModelError
        The model cannot be said in that format.
    """
    if to not in EXPORTS:
        raise UsageError("models export", f"no format {to!r}", f"choose {' or '.join(EXPORTS)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(folder, "is there already", "give a new folder")
    if bundle.input != RGB_INPUT:
        cause = f"sees {bundle.input}, not RGB, which {to} cannot say"
        raise ModelError(bundle.name, cause, "train it on RGB to export it")
    if bundle.runs_code:
        raise ModelError(bundle.name, f"is {bundle.format} already", "copy its own file")
    if to == "wsinfer" and bundle.task == "detection":
        raise ModelError(bundle.name, "detects; WSInfer classifies patches", "export it as onnx")
    folder.mkdir(parents=True, exist_ok=True)
    notes = EXPORTS[to](bundle, folder) + ((NO_SECOND_STAGE,) if bundle.second_stage else ())
    _write_card(bundle, folder, notes)
    return notes


def _wsinfer(bundle: ModelBundle, folder: Path) -> tuple[str, ...]:
    """Write `config.json` and TorchScript that gives two logits or more for a patch."""
    import torch

    size = bundle.input_size
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns of shapes, and of its own age
        trace: Any = torch.jit.trace
        trace(patch_network(bundle), torch.zeros(1, 3, size, size)).save(str(folder / PROGRAM))
    config = json.dumps(_config(bundle), indent=2, ensure_ascii=False) + "\n"
    (folder / CONFIG).write_text(config, encoding="utf-8")
    mean = (MEAN,) if bundle.task == "segmentation" else ()
    return mean + ((NO_STAIN,) if bundle.stain else ())


def _config(bundle: ModelBundle) -> dict[str, Any]:
    names = [c.name for c in bundle.classes]
    names = [f"no {names[0]}", *names] if len(names) == 1 else names
    mean, std = list(bundle.normalization.mean), list(bundle.normalization.std)
    return {
        "spec_version": SPEC,
        "architecture": bundle.architecture.name,
        "num_classes": len(names),
        "class_names": names,
        "patch_size_pixels": bundle.input_size,
        "spacing_um_px": bundle.mpp,
        "transform": [
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": mean, "std": std}},
        ],
        "x_breastpath": {"model": bundle.name, "version": bundle.version, "sha256": bundle.sha256},
    }


def patch_network(bundle: ModelBundle) -> torch.nn.Module:
    """Return a network from normalised patches (N, 3, h, w) to logits (N, C), C at least 2.

    Its softmax gives the bundle's probabilities; for a network that segments, their mean over the
    tile. One class becomes (not it, it): (0, z), or the logarithms of 1 − p and p.
    """
    import torch

    network, single = build_network(bundle), len(bundle.classes) == 1

    class PatchNetwork(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            answer = self.network(images)
            if bundle.task == "classification" and bundle.outputs == "logits":
                logits = answer / bundle.temperature
                return torch.cat([torch.zeros_like(logits), logits], 1) if single else logits
            values = probabilities(answer, bundle)
            if bundle.task == "segmentation":
                values = without_margin(values, bundle.margin, bundle.tile_size).mean(dim=(2, 3))
            both = torch.cat([1 - values, values], 1) if single else values
            return both.clamp_min(SMALLEST).log()

    return PatchNetwork().eval()


def _onnx(bundle: ModelBundle, folder: Path) -> tuple[str, ...]:
    """Write `model.onnx`, from normalised float32 (N, 3, h, w) to the network's own answer, and
    the `model.json` that describes it."""
    import torch

    images = torch.zeros(1, 3, bundle.input_size, bundle.input_size)
    path = folder / ONNX_FILE
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter that needs no package announces its end
        torch.onnx.export(
            build_network(bundle),
            (images,),
            path,
            dynamo=False,
            opset_version=ONNX_OPSET,
            input_names=["image"],
            output_names=[bundle.outputs],
            dynamic_axes={"image": {0: "batch"}, bundle.outputs: {0: "batch"}},
        )
    _describe_onnx(path, bundle)
    described = dataclasses.replace(
        bundle,
        folder=folder,
        architecture=Architecture("onnx", ONNX_FILE, {}),
        weights_name=ONNX_FILE,
        sha256=file_sha256(path),
        origin=bundle.origin or f"exported from {bundle.name} {bundle.version}",
        second_stage=None,
    )
    (folder / MANIFEST).write_text(manifest_json(described), encoding="utf-8")
    return (NO_STAIN,) if bundle.stain else ()


def _describe_onnx(path: Path, bundle: ModelBundle) -> None:
    """Put into the graph what a reader without `model.json` must know."""
    try:
        import onnx
    except ImportError as error:
        advice = 'pip install "napari-breastpath[cpu]"'
        raise ModelError(path, "cannot be described without the package onnx", advice) from error
    graph = onnx.load(path)
    facts = {
        "name": bundle.name,
        "version": bundle.version,
        "classes": json.dumps([c.name for c in bundle.classes]),
        "um_per_px": f"{bundle.mpp:g}",
        "tile_size_px": str(bundle.input_size),
        "mean": json.dumps(list(bundle.normalization.mean)),
        "std": json.dumps(list(bundle.normalization.std)),
        "output": bundle.outputs,
        "temperature": f"{bundle.temperature:g}",
        "licence": bundle.licence,
    }
    onnx.helper.set_model_props(graph, facts)
    onnx.save(graph, path)


def _write_card(bundle: ModelBundle, folder: Path, notes: tuple[str, ...]) -> None:
    """Write the card: what was exported, what it lacks, then the model's own."""
    own = bundle.card.read_text(encoding="utf-8") if bundle.card.is_file() else ""
    lines = [f"Exported from {bundle.name} {bundle.version} by napari-breastpath.", *notes]
    head = f"---\nlicense: {bundle.licence}\n---\n\n"
    (folder / "README.md").write_text(head + "\n\n".join(lines) + "\n\n" + own, encoding="utf-8")


EXPORTS: dict[str, Callable[[ModelBundle, Path], tuple[str, ...]]] = {
    "wsinfer": _wsinfer,
    "onnx": _onnx,
}
