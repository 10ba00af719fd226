"""`evaluate` and `fit-score` on result folders, whose foci are drawn and known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_breastpath.cli import main
from napari_breastpath.core.errors import UsageError
from napari_breastpath.models import load_model
from napari_breastpath.results import Result
from napari_breastpath.training.evaluation import Evaluation, evaluate, load_evaluation
from report.report_results import Focus, make_result, write_slide

FOUND = Focus(200, 200, 400, 100)
FALSE = Focus(1200, 900, 100, 100, 0.7)
TRUTH_MPP = 4.0
SLIDES = 8


def _truth(folder: Path, name: str, *foci: Focus) -> None:
    """Draw the true tumour as a label image at 4 µm/px."""
    mask = np.zeros((300, 400), np.uint8)
    for f in foci:
        x, y, width, height = (round(v / TRUTH_MPP) for v in (f.x, f.y, f.width, f.height))
        mask[y : y + height, x : x + width] = 255
    folder.mkdir(exist_ok=True)
    Image.fromarray(mask).save(folder / f"{name}.png")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    """Eight slides: every other one with a focus of 0.4 mm, growing; the first has a false one too.

    Half of the first slide's true tumour is missed: it is twice as high as what was found.
    """
    folder = tmp_path_factory.mktemp("results")
    made = []
    for k in range(SLIDES):
        slide = write_slide(folder / f"s{k}.tif")
        focus = Focus(200, 200, 400 + 20 * k, 100)
        foci = ((focus,) if k % 2 == 0 else ()) + ((FALSE,) if k == 0 else ())
        made.append(make_result(folder / "out", slide, foci))
        true = (Focus(200, 200, 400, 200),) if k == 0 else (focus,) if k % 2 == 0 else ()
        _truth(folder / "truth", f"s{k}", *true)
    lines = [
        f"s{k}.tif,p{k},{1 - k % 2},{0.4 + 0.02 * k if k % 2 == 0 else 0}" for k in range(SLIDES)
    ]
    head = "slide,patient,metastasis,major_axis_mm"
    (folder / "labels.csv").write_text("\n".join([head, *lines]) + "\n")
    return made


def _evaluated(results: list[Result], task: str, extra: str = "") -> Evaluation:
    folder = results[0].path.parents[1]
    truth = "labels.csv" if task in ("slides", "stages") else "truth/*.png"
    config = folder / f"{task}.toml"
    paths = f'truth = "{truth}"\npredictions = "out/*.breastpath"\n'
    config.write_text(f'task = "{task}"\n{paths}bootstrap = 50\n{extra}')
    return evaluate(load_evaluation(config))


def test_masks_of_results(results: list[Result]) -> None:
    done = _evaluated(results, "pixels")
    cases = done.prepared.cases.set_index("image")
    assert cases.loc["s0.tif", ["tp", "fp", "fn"]].tolist() == [10000, 2500, 10000]
    assert cases.loc["s2.tif", "iou"] == 1.0
    assert np.isnan(cases.loc["s1.tif", "iou"])
    assert cases[["tp", "fp", "fn", "tn"]].sum(axis=1).eq(800 * 600).all()
    assert done.measures["specificity"].value == pytest.approx(
        1 - 2500 / cases[["fp", "tn"]].sum().sum()
    )


def test_lesions_of_results(results: list[Result]) -> None:
    cases = _evaluated(results, "froc").prepared.cases.set_index("slide")
    assert cases["lesions"].tolist() == [1, 0, 1, 0, 1, 0, 1, 0]
    assert cases["found"].tolist() == [1, 0, 1, 0, 1, 0, 1, 0]
    assert cases["false"].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


def test_a_slide_without_truth_is_said_or_empty(results: list[Result]) -> None:
    only = 'missing_truth = "error"\n'
    folder = results[0].path.parents[1]
    hidden = (folder / "truth" / "s1.png").rename(folder / "hidden.png")
    try:
        with pytest.raises(UsageError, match="no truth for s1"):
            _evaluated(results, "froc", only)
        done = _evaluated(results, "froc", 'missing_truth = "empty"\n')
        assert len(done.prepared.patients) == SLIDES
    finally:
        hidden.rename(folder / "truth" / "s1.png")


def test_scores_and_axes_of_results(results: list[Result]) -> None:
    done = _evaluated(results, "slides")
    measured = [r.record["regions"]["slide_major_axis_mm"] or 0 for r in results]
    cases = done.prepared.cases
    assert cases["axis"].tolist() == measured
    assert done.measures["auc"].value == 1.0
    right = abs(cases.major_axis_mm - measured) <= 0.05 * cases.major_axis_mm
    assert 0 < right.mean() < 1
    assert done.measures["axis_accuracy"].value == right.mean()


def test_an_axis_that_nothing_predicts_is_said_so(results: list[Result]) -> None:
    with pytest.raises(UsageError, match="has no predicted major axis; analyse with a bundle"):
        _evaluated(results, "slides", 'axis = "predicted"\n')


def test_stages_of_results(results: list[Result]) -> None:
    folder = results[0].path.parents[1]
    (folder / "nodes.csv").write_text("patient,slide\na,s0.tif\na,s1.tif\nb,s3.tif\n")
    (folder / "stages.csv").write_text("patient,stage\na,pN1mi\nb,pN0\n")
    config = folder / "stages.toml"
    paths = 'truth = "stages.csv"\nnodes = "nodes.csv"\npredictions = "out/*.breastpath"\n'
    config.write_text(f'task = "stages"\n{paths}')
    assert evaluate(load_evaluation(config)).measures["quadratic_kappa"].value == 1.0


def test_the_second_stage_from_results_on_the_command_line(
    results: list[Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("skops", exc_type=ImportError)
    folders = [str(r.path) for r in results]
    labels, out = str(results[0].path.parents[1] / "labels.csv"), str(tmp_path / "mine")
    command = ["fit-score", *folders, labels, "--folds", "2", "--estimator", "ridge"]
    assert main([*command, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["slides"] == SLIDES
    assert printed["classifier"] == "ridge"
    assert main([*command, "--out", out, "--model", "tumour-demo"]) == 1
    assert "is not the model that made the features (drawn)" in capsys.readouterr().err
    bundle = load_model("tumour-demo")
    for result in results:
        result.save(model=result.record["model"] | {"sha256": bundle.sha256, "name": bundle.name})
    assert main([*command, "--out", out]) == 0
    assert "chosen: ridge (metastasis), ridge (major axis)" in capsys.readouterr().out
    assert load_model(out).second_stage["slides"] == SLIDES
    assert main(["measure", folders[0], "--model", out]) == 0
    assert "metastasis_probability" in capsys.readouterr().out
