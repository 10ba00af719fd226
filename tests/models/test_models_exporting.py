"""Exports, read back by our own readers, answer as what was exported."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_breastpath.cli import main
from napari_breastpath.core.errors import ModelError, UsageError
from napari_breastpath.models import (
    Architecture,
    ModelBundle,
    load_model,
    make_predictor,
    save_model,
    trust_model,
)
from napari_breastpath.models.exporting import export_model
from napari_breastpath.models.networks import empty_network

TILES = np.random.default_rng(3).integers(0, 256, (2, 64, 64, 3), np.uint8)


@pytest.fixture(autouse=True)
def _own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREASTPATH_MODELS", str(tmp_path / "models"))


def answers(bundle: ModelBundle) -> np.ndarray:
    return make_predictor(bundle, "cpu", batch_size=2).predict(torch.from_numpy(TILES))


def classifier(small: ModelBundle, folder: Path, classes: int) -> ModelBundle:
    """A patch classifier with a temperature."""
    architecture = Architecture("timm", "resnet10t", {})
    bundle = dataclasses.replace(
        small,
        folder=folder,
        task="classification",
        architecture=architecture,
        classes=tuple(dataclasses.replace(small.classes[0], name=f"c{n}") for n in range(classes)),
        temperature=1.7,
    )
    torch.manual_seed(classes)
    return save_model(bundle, empty_network(architecture, classes, folder))


def as_qupath(folder: Path) -> np.ndarray:
    """Return what QuPath's extension computes: transforms, network, softmax, always."""
    config = json.loads((folder / "config.json").read_text())
    normalize = config["transform"][-1]["arguments"]
    mean, std = torch.tensor(normalize["mean"]), torch.tensor(normalize["std"])
    images = ((torch.from_numpy(TILES) / 255 - mean) / std).permute(0, 3, 1, 2)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        logits = torch.jit.load(str(folder / "torchscript_model.pt"))(images)
    assert logits.shape == (2, config["num_classes"]) == (2, len(config["class_names"]))
    assert not torch.allclose(logits.sum(1), torch.ones(2), atol=1e-3)
    return np.asarray(logits.softmax(1))


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_a_classifier_as_a_zoo_folder(
    small_bundle: ModelBundle, tmp_path: Path, classes: int
) -> None:
    bundle = classifier(small_bundle, tmp_path / "own", classes)
    export_model(bundle, "wsinfer", tmp_path / "out")
    wanted = answers(bundle)
    given = as_qupath(tmp_path / "out")
    np.testing.assert_allclose(given[:, -classes:], wanted, atol=1e-5)
    back = load_model(tmp_path / "out")
    assert (back.mpp, back.tile_size) == (bundle.mpp, bundle.tile_size)
    assert [c.name for c in back.classes][-classes:] == [c.name for c in bundle.classes]
    trust_model(back)
    np.testing.assert_allclose(answers(back), given, atol=1e-5)


@pytest.mark.parametrize("classes", [1, 3])
def test_a_segmenter_as_a_zoo_folder_gives_the_mean_of_a_tile(
    bundle_of: Callable[..., ModelBundle], tmp_path: Path, classes: int
) -> None:
    bundle = bundle_of(tmp_path / "own", classes)
    notes = export_model(bundle, "wsinfer", tmp_path / "out")
    assert "mean" in notes[0]
    assert notes[0] in (tmp_path / "out" / "README.md").read_text()
    wanted = answers(bundle).mean(axis=(2, 3))
    np.testing.assert_allclose(as_qupath(tmp_path / "out")[:, -classes:], wanted, atol=1e-5)


@pytest.mark.parametrize("make", ["classifier", "segmenter"])
def test_onnx_and_back(
    small_bundle: ModelBundle, bundle_of: Callable[..., ModelBundle], tmp_path: Path, make: str
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    own = tmp_path / "own"
    bundle = bundle_of(own, 2) if make == "segmenter" else classifier(small_bundle, own, 2)
    export_model(bundle, "onnx", tmp_path / "out")
    back = load_model(tmp_path / "out")
    with pytest.raises(ModelError, match="not trusted"):
        make_predictor(back, "cpu")
    trust_model(back)
    np.testing.assert_allclose(answers(back), answers(bundle), atol=1e-5)
    graph = onnx.load(tmp_path / "out" / "model.onnx")
    facts = {entry.key: entry.value for entry in graph.metadata_props}
    assert float(facts["um_per_px"]) == bundle.mpp
    assert facts["output"] == "logits"


@pytest.mark.parametrize(
    ("to", "changes", "told"),
    [
        ("wsinfer", {"task": "detection"}, "detects"),
        ("wsinfer", {"input": "hsv"}, "sees hsv"),
        ("onnx", {"input": "lab"}, "sees lab"),
        ("tflite", {}, "no format"),
    ],
)
def test_what_cannot_be_said_is_refused(
    small_bundle: ModelBundle, tmp_path: Path, to: str, changes: Any, told: str
) -> None:
    bundle = dataclasses.replace(small_bundle, **changes)
    with pytest.raises((ModelError, UsageError), match=told):
        export_model(bundle, to, tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UsageError, match="there already"):
        export_model(small_bundle, "onnx", tmp_path / "full")


def test_the_demonstration_model_is_exported_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "zoo")
    assert main(["models", "export", "tumour-demo", "--to", "wsinfer", "--out", out]) == 0
    assert "stain normalisation is not part" in capsys.readouterr().err
    bundle = load_model(out)
    assert [(c.name, c.role) for c in bundle.classes] == [
        ("no tumour", "background"),
        ("tumour", "tumour"),
    ]
    assert main(["models", "export", "tumour-demo"]) == 2
