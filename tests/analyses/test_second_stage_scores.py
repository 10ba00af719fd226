"""A bundle's second stage scores its results: analysed, corrected, measured again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_breastpath import analyze, load_model
from napari_breastpath.analyses import measure_result
from napari_breastpath.core.errors import ModelError, UsageError
from napari_breastpath.core.geometry import Box
from napari_breastpath.measure import FEATURE_NAMES
from napari_breastpath.models import ModelBundle
from napari_breastpath.models.second_stage import load_second_stage
from napari_breastpath.results import Result, load_result

pytest.importorskip("sklearn", exc_type=ImportError)
pytest.importorskip("skops", exc_type=ImportError)


@pytest.fixture(scope="module")
def fitted(whole: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tumour-demo with a second stage fitted on features around those of the drawn slide."""
    from napari_breastpath.training.second_stage import fit_score

    folder = tmp_path_factory.mktemp("fitted")
    rng = np.random.default_rng(0)
    base = whole.features.loc["model", list(FEATURE_NAMES)].to_numpy(float)
    table = pd.DataFrame(base * rng.uniform(0, 2, (32, 1)), columns=list(FEATURE_NAMES))
    table.insert(0, "slide", [f"{k}.svs" for k in range(32)])
    positive = table["4_mean"] > table["4_mean"].median()
    length = np.where(positive, table["4_major_axis_t0.5"] / 1000 + 0.1, 0)
    labels = {"patient": range(32), "metastasis": positive.astype(int), "major_axis_mm": length}
    table.to_csv(folder / "features.csv", index=False)
    table[["slide"]].assign(**labels).to_csv(folder / "labels.csv", index=False)
    files = [folder / "features.csv"], folder / "labels.csv"
    fit_score(*files, folder / "mine", "tumour-demo", estimator="ridge", folds=2)
    return folder / "mine"


@pytest.fixture
def own(fitted: Path, tmp_path: Path) -> ModelBundle:
    return load_model(shutil.copytree(fitted, tmp_path / "own"))


@pytest.fixture
def result(whole: Result, tmp_path: Path) -> Result:
    """A copy of a finished result that a test may change."""
    return load_result(shutil.copytree(whole.path, tmp_path / whole.path.name))


def test_scores_are_the_second_stages_for_map_and_hands(result: Result, own: ModelBundle) -> None:
    maximum = result.record["score"]["model"]["value"]
    result.map.label("edits").write(0, 0, np.full(result.lattice.shape, 255, np.uint8))
    measure_result(result, model=own)
    stage, score = load_second_stage(own), load_result(result.path).record["score"]
    for row in ("model", "corrected"):
        found = stage.predict(result.features.loc[row].to_dict())
        assert score[row]["name"] == "metastasis_probability"
        assert score[row]["value"] == pytest.approx(found.probability)
        assert score[row]["predicted_major_axis_mm"] == pytest.approx(found.major_axis_mm)
    assert score["model"]["max_of_1/16_map"] == maximum
    assert score["corrected"]["value"] < score["model"]["value"]
    assert measure_result(result).record["score"] == score


def test_analysing_with_such_a_bundle_scores_with_it(
    drawn: Path, own: ModelBundle, tmp_path: Path
) -> None:
    region = Box(400, 400, 500, 500)
    result = analyze(drawn, tmp_path, model=own, stain="none", region=region)
    assert result.record["score"]["model"]["name"] == "metastasis_probability"
    assert result.record["model"]["second_stage"].keys() == {"classifier", "regressor"}


def test_features_beyond_the_fitted_slides_are_said_once(result: Result, own: ModelBundle) -> None:
    manifest = json.loads((own.folder / "model.json").read_text())
    manifest["second_stage"]["ranges"][0] = [-2, -1]
    (own.folder / "model.json").write_text(json.dumps(manifest))
    before = len(result.record["warnings"])
    for _ in range(2):
        measure_result(result, model=load_model(own.folder))
    warnings = result.record["warnings"]
    assert len(warnings) == before + 1
    assert "1 of 28 features lie beyond the slides it was fitted on (4_major" in warnings[-1]


def test_a_lost_or_spoilt_second_stage_is_said(result: Result, own: ModelBundle) -> None:
    measure_result(result, model=own)
    (own.folder / "second_stage" / "classifier.skops").write_bytes(b"?")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        measure_result(result)
    shutil.rmtree(own.folder)
    measure_result(result)
    assert result.record["score"]["model"]["name"] == "max_of_1/16_map"
    assert "not found" in result.record["warnings"][-1]


def test_another_network_is_refused(result: Result, own: ModelBundle) -> None:
    result.record["model"]["sha256"] = "0" * 64
    with pytest.raises(UsageError, match="is not the model that made this map"):
        measure_result(result, model=own)


def test_the_report_tells_predicted_from_measured(result: Result, own: ModelBundle) -> None:
    from napari_breastpath.report import write_report

    measure_result(result, model=own)
    page = write_report(result).read_text(encoding="utf-8")
    assert "Predicted major axis" in page
    assert "metastasis probability" in page
