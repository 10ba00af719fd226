"""Corrected results of drawn slides and an untrained model, for tests of retraining."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from napari_breastpath.edits import Change, Corrections
from napari_breastpath.models import (
    Architecture,
    ClassInfo,
    ModelBundle,
    Normalization,
    load_model,
    save_model,
)
from napari_breastpath.models.networks import empty_network
from napari_breastpath.results import Result
from report.report_results import Focus, make_result, write_slide
from training.training_images import TINY

# The violet middle of the drawn slides, µm.
MIDDLE = Focus(400, 300, 400, 300)


def corrected_result(folder: Path, number: int) -> Result:
    """Return a result that found half of the tumour; a hand painted the rest, with one stroke."""
    folder.mkdir(parents=True, exist_ok=True)
    slide = write_slide(folder / f"S{number}.tif", width=1600 + 16 * number)
    result = make_result(folder, slide, (dataclasses.replace(MIDDLE, height=150),))
    rest = Change(225, 200, np.full((75, 200), 1, np.uint8), np.ones((75, 200), bool))
    Corrections.open(result, "A. Reader").apply(rest, "brush")
    return result


def untrained(folder: Path, name: str = "old") -> ModelBundle:
    """Return a small model with random weights, at 4 µm/px."""
    architecture = Architecture("smp", "Unet", dict(TINY.arguments))
    half = Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    classes = (ClassInfo("tumour", (200, 0, 0), "tumour"),)
    bundle = ModelBundle(
        folder / name, name, "1", "segmentation", architecture, classes, 4.0, 64, 1, half, None,
        0.5, "nothing", {}, "CC0-1.0", ("nobody",), "tests", "0" * 64,
    )  # fmt: skip
    save_model(bundle, empty_network(architecture, 1, folder))
    return load_model(bundle.folder)
