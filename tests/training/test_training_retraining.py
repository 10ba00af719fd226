"""Corrected results train, and hands count more."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from training_images import TINY

from napari_breastpath.core.errors import ModelError, UsageError
from napari_breastpath.models import (
    Architecture,
    ClassInfo,
    ModelBundle,
    Normalization,
    build_network,
    load_model,
    save_model,
)
from napari_breastpath.models.networks import empty_network
from napari_breastpath.results import Result
from napari_breastpath.training import train
from napari_breastpath.training.config import FitConfig
from napari_breastpath.training.retraining import retraining_config
from napari_breastpath.training.sources import read_samples
from napari_breastpath.training.starting import starting_network
from report.report_results import Focus, make_result, write_slide

# The violet middle of the drawn slides, µm.
MIDDLE = Focus(400, 300, 400, 300)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    """Three results whose model found half of the tumour; a hand painted the rest."""
    folder, made = tmp_path_factory.mktemp("corrected"), []
    for k in range(3):
        slide = write_slide(folder / f"s{k}.tif", width=1600 + 16 * k)
        half = dataclasses.replace(MIDDLE, height=150)
        result = make_result(folder, slide, (half, Focus(1200, 900, 100, 100)))
        edits = result.map.label("edits")
        edits.write(225, 200, np.full((75, 200), 1, np.uint8))
        edits.write(450, 600, np.full((50, 50), 255, np.uint8))
        made.append(result)
    return made


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    architecture = Architecture("smp", "Unet", dict(TINY.arguments))
    folder = tmp_path_factory.mktemp("models") / "old"
    half = Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    classes = (ClassInfo("tumour", (200, 0, 0), "tumour"),)
    bundle = ModelBundle(
        folder, "old", "1", "segmentation", architecture, classes, 4.0, 64, 1, half, None, 0.5,
        "nothing", {}, "CC0-1.0", ("nobody",), "tests", "0" * 64,
    )  # fmt: skip
    save_model(bundle, empty_network(architecture, 1, folder))
    return load_model(folder)


def test_hands_are_laid_over_the_models_mask_and_count_more(
    results: list[Result], old: ModelBundle, tmp_path: Path
) -> None:
    asked = retraining_config([r.path for r in results], old, tmp_path, edited_weight=3.0)
    sample = read_samples(asked)[0]
    columns = np.array([450.0, 1210.0, 20.0])
    values, weight = sample.truth.at(np.array([320.0, 500.0, 910.0]), columns)
    assert values.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert weight.tolist() == [[1, 1, 1], [3, 1, 1], [1, 3, 1]]


def test_retraining_goes_on_from_the_old_weights(
    results: list[Result], old: ModelBundle, tmp_path: Path
) -> None:
    fit = FitConfig(batch=4, tiles=32, epochs=4, threads=1, rate=5e-3)
    asked = retraining_config([r.path for r in results], old, tmp_path / "run", fit=fit)
    started = starting_network(asked).state_dict()
    kept = build_network(old).state_dict()
    assert all(torch.equal(started[key], kept[key]) for key in kept)
    done = train(asked, device="cpu")
    assert done.bundle is not None
    assert (done.bundle.name, done.bundle.classes) == ("old-retrained", old.classes)
    assert done.folds[1]["figures"]["accuracy"] > 0.85
    other = dataclasses.replace(asked, mpp=2.0)
    with pytest.raises(ModelError, match="another µm/px than the config"):
        starting_network(other)


def test_one_slide_is_too_few(results: list[Result], old: ModelBundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one must validate"):
        retraining_config([results[0].path], old, tmp_path)


def test_a_slide_that_changed_is_refused(
    results: list[Result], old: ModelBundle, tmp_path: Path
) -> None:
    slide = write_slide(tmp_path / "s9.tif")
    result = make_result(tmp_path, slide, (MIDDLE,))
    write_slide(slide, width=1700)
    asked = retraining_config([result.path, results[0].path], old, tmp_path / "run")
    with pytest.raises(UsageError, match="is no longer its slide"):
        read_samples(asked)
