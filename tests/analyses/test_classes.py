"""Models of several classes: the likeliest wins, tumour and invasive are scored together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_breastpath import analyze, load_model
from napari_breastpath.analyses import measure_result
from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.geometry import Box
from napari_breastpath.measure import heatmap_features
from napari_breastpath.models import Architecture, ClassInfo, ModelBundle, save_model

ROLES = ("background", "invasive", "tumour", "benign")
REGION = Box(600, 600, 600, 600)


@pytest.fixture(scope="module")
def four_classes(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    """A network that nobody trained, with four classes."""
    import segmentation_models_pytorch as smp
    import torch

    torch.manual_seed(3)
    arguments = {"encoder_name": "mobilenet_v2", "classes": 4, "decoder_pyramid_channels": 64}
    folder = tmp_path_factory.mktemp("models") / "four"
    bundle = replace(
        load_model("tumour-demo"),
        folder=folder,
        name="four",
        architecture=Architecture("smp", "FPN", arguments),
        classes=tuple(ClassInfo(role, (9, 9, 9), role) for role in ROLES),
    )
    return save_model(bundle, smp.FPN(encoder_weights=None, **arguments))


def test_the_likeliest_class_wins_and_tumour_classes_are_scored_together(
    four_classes: ModelBundle, drawn: Path, tmp_path: Path
) -> None:
    result = analyze(drawn, tmp_path, model=four_classes, stain="none", region=REGION)
    heat = np.asarray(result.map.probability.levels[0][:])
    mask = np.asarray(result.map.label("mask").levels[0][:])
    inferred = heat.max(axis=0) > 0
    best = heat.argmax(axis=0)
    np.testing.assert_array_equal(mask, np.where(inferred & (best > 0), best + 1, 0))
    assert set(result.record["regions"]["areas_mm2"]) == set(ROLES) - {"background"}
    summed = np.minimum(heat[1].astype(int) + heat[2], 255).astype(np.uint8)
    expected = heatmap_features(summed)
    assert result.features.loc["model"].to_dict() == pytest.approx(expected)
    with pytest.raises(UsageError, match="several classes"):
        measure_result(result, threshold=0.4)


def test_a_threshold_is_refused(four_classes: ModelBundle, drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="likeliest class wins"):
        analyze(drawn, tmp_path, model=four_classes, threshold=0.4)


def test_a_model_of_points_is_refused(drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mitosis-demo: gives heat around single points"):
        analyze(drawn, tmp_path, model="mitosis-demo")
    assert not list(tmp_path.iterdir())
