"""`evaluate`: from files of truth and prediction to measures with intervals."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_breastpath.cli import main
from napari_breastpath.core.errors import UsageError
from napari_breastpath.training.evaluation import Evaluation, evaluate, load_evaluation
from napari_breastpath.training.evaluation.inputs import read_image


def _evaluated(folder: Path, config: str, **files: str) -> Evaluation:
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content)
    (folder / "evaluation.toml").write_text(config)
    return evaluate(load_evaluation(folder / "evaluation.toml"))


def _values(done: Evaluation) -> dict[str, float]:
    return {name: estimate.value for name, estimate in done.measures.items()}


SLIDES = 'task = "slides"\ntruth = "truth.csv"\npredictions = "found.csv"\nbootstrap = 200\n'
TRUTH = (
    "slide,patient,metastasis,major_axis_mm\na.svs,p,1,10\nb.svs,p,0,0\nc.svs,q,1,4\nd.svs,r,0,0\n"
)
FOUND = "slide,score,major_axis_mm\na.svs,0.9,10.4\nb.svs,0.6,0\nc,0.7,5\nd.svs,0.1,0\n"


def test_slides_as_in_the_challenge(tmp_path: Path) -> None:
    done = _evaluated(tmp_path, SLIDES, truth=TRUTH, found=FOUND)
    assert _values(done) == {
        "auc": 1.0,
        "sensitivity": 1.0,
        "specificity": 0.5,
        "accuracy": 0.75,
        "axis_accuracy": 0.75,
        "help_total": 0.875,
    }
    assert done.patients == 3
    assert done.measures["accuracy"].low < 0.75 < done.measures["accuracy"].high


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    truth = "id,metastasis\na,1\nb,0\n"
    config = SLIDES + '[columns]\nslide = "id"\nscore = "p"\n'
    done = _evaluated(tmp_path, config, truth=truth, found="id,p\na,0.9\nb,0.2\n")
    assert set(done.measures) == {"auc", "sensitivity", "specificity", "accuracy"}
    assert done.measures["auc"].value == 1.0


def test_calibration(tmp_path: Path) -> None:
    done = _evaluated(tmp_path, SLIDES.replace("slides", "calibration"), truth=TRUTH, found=FOUND)
    assert done.measures["brier"].value == pytest.approx((0.01 + 0.36 + 0.09 + 0.01) / 4)
    assert done.measures["ece"].value == pytest.approx((0.1 + 0.6 + 0.3 + 0.1) / 4)


def test_stages_in_camelyons_form(tmp_path: Path) -> None:
    config = SLIDES.replace("slides", "stages")
    truth = "patient,stage\np1.zip,pN0\np1_node_0.tif,negative\np2.zip,pN1\np3.zip,pN2\n"
    found = "patient,stage\np1,pN0\np2,pN1mi\np3,pN2\n"
    done = _evaluated(tmp_path, config, truth=truth, found=found)
    assert 0.9 < done.measures["quadratic_kappa"].value < 1
    assert done.measures["accuracy"].value == pytest.approx(2 / 3)


def test_breakhis_by_its_file_names(tmp_path: Path) -> None:
    config = 'task = "breakhis"\npredictions = "found.csv"\naggregations = ["average", "exist"]\n'
    names = [
        "SOB_M_DC-14-2523-40-001.png",
        "SOB_M_DC-14-2523-40-002.png",
        "SOB_B_A-14-22549AB-40-001.png",
    ]
    rows = [
        f"{name},{p}"
        for name, pair in zip(names, [(0.9, 0.8), (0.7, 0.1), (0.6, 0.1)], strict=True)
        for p in pair
    ]
    done = _evaluated(tmp_path, config, found="\n".join(["image,probability", *rows]))
    assert _values(done) == {
        "image_rate_average": pytest.approx(2 / 3),
        "patient_rate_average": 0.75,
        "image_rate_exist": pytest.approx(2 / 3),
        "patient_rate_exist": 0.5,
    }
    assert done.patients == 2


def test_masks_of_images(tmp_path: Path) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 255
    half = mask.copy()
    half[:, :4] = 0
    for name, truth, found in (("p1_a", mask, mask), ("p1_b", mask, half), ("p2_a", half, mask)):
        for folder, image in (("truth", truth), ("found", found)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(image).save(tmp_path / folder / f"{name}.png")
    config = (
        'task = "pixels"\ntruth = "truth/*.png"\npredictions = "found/*.png"\npatient = "^(p.)_"'
    )
    done = _evaluated(tmp_path, config)
    values = _values(done)
    assert values["iou"] == pytest.approx((32 + 16 + 16) / (32 + 32 + 32))
    assert values["mean_iou"] == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert values["mean_specificity"] == pytest.approx((1 + 1 + 32 / 48) / 3)
    assert done.patients == 2


def test_instances_of_label_images(tmp_path: Path) -> None:
    truth = np.zeros((10, 10), np.uint16)
    truth[:4, :4], truth[6:, 6:] = 1, 2
    found = np.where(truth == 2, 0, truth * 300).astype(np.uint16)
    for name, image in (("t1", truth), ("f1", found)):
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
    config = 'task = "instances"\ntruth = "t*.tif"\npredictions = "f*.tif"'
    values = _values(_evaluated(tmp_path, config))
    assert values == {
        "dsb_map": 0.5,
        "aji": 0.5,
        "mean_pq": pytest.approx(2 / 3),
        "dq": pytest.approx(2 / 3),
        "sq": 1.0,
        "pq": pytest.approx(2 / 3),
    }


def test_lesions_of_masks_and_detections(tmp_path: Path) -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[20:60, 20:60] = 1
    for name, image in (("a", mask), ("b", 0 * mask)):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    found = "slide,probability,x,y\na,0.9,80,80\nb,0.5,8,8\n"
    config = 'task = "froc"\ntruth = "*.png"\npredictions = "found.csv"\nmpp = 10\nscale = 2\n'
    done = _evaluated(tmp_path, config, found=found)
    assert done.measures["froc"].value == 1.0
    assert done.prepared.cases.to_dict("list") == {
        "slide": ["a", "b"],
        "lesions": [1, 0],
        "found": [1, 0],
        "false": [0, 1],
    }


def test_points_count_in_um_on_each_axis(tmp_path: Path) -> None:
    config = 'task = "points"\ntruth = "truth.csv"\npredictions = "found.csv"\nmpp = [0.5, 0.25]\n'
    truth = "image,x,y\ni,0,0\ni,100,100\nj,,\n"
    found = "image,x,y,score\ni,0,30,0.9\ni,116,100,0.9\nj,5,5,0.9\nj,6,6,0.2\n"
    done = _evaluated(tmp_path, config, truth=truth, found=found)
    assert _values(done) == {"f1": 0.4, "precision": pytest.approx(1 / 3), "recall": 0.5}


def test_boxes_of_several_classes(tmp_path: Path) -> None:
    config = 'task = "boxes"\ntruth = "truth.csv"\npredictions = "found.csv"\noverlap = 0.2\n'
    truth = "image,x,y,width,height,class\ni,0,0,10,10,mass\ni,50,50,10,10,calcification\nj,,,,,\n"
    found = (
        "image,x,y,width,height,score,class\ni,1,1,10,10,0.9,mass\n"
        "j,0,0,9,9,0.8,calcification\ni,50,50,10,10,0.7,calcification\n"
    )
    done = _evaluated(tmp_path, config, truth=truth, found=found)
    assert _values(done) == {"map": 0.75, "mean_sensitivity": 1, "sensitivity": 1, "fppi": 0.5}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('task = 3\npredictions = "x"', "`task` must be a text"),
        ('task = "slide"\npredictions = "x"\ntruth = "y"', "`task` must be one of slides,"),
        ('task = "slides"', "`predictions` is missing"),
        ('task = "slides"\npredictions = "x"', "`truth` must not be ''"),
        (SLIDES + "treshold = 1", r"`treshold` is unknown \(`threshold`\?\)"),
        (SLIDES + "seed = true", "`seed` must be a whole number"),
        (SLIDES + 'aggregations = ["most"]', "`aggregations` must be one of sum"),
        (SLIDES + "[columns]\nslide = 3", "`columns.slide` must be a text"),
        (SLIDES + "mpp = 0", "`mpp` must not be"),
        ("task = ", "is no TOML"),
        (SLIDES.replace("found.csv", "none.csv"), "none.csv: cannot be read"),
        (SLIDES.replace("found.csv", "few.csv"), "2 of 4 slides have no prediction"),
        (SLIDES.replace("found.csv", "truth.csv"), "no column score"),
        (SLIDES + 'patient = "(z)"', "no patient in its name"),
        (SLIDES.replace('"slides"', '"pixels"'), "truth.csv: cannot be read"),
        ('task="pixels"\ntruth="*.png"\npredictions="f*.png"', "matches no file"),
    ],
)
def test_faults_are_one_line(config: str, message: str, tmp_path: Path) -> None:
    few = "slide,score\na.svs,0.5\nb.svs,1\n"
    with pytest.raises(UsageError, match=message) as caught:
        _evaluated(tmp_path, config, truth=TRUTH, found=FOUND, few=few)
    assert "\n" not in str(caught.value)


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _evaluated(tmp_path, SLIDES, truth=TRUTH, found=FOUND)
    config, out = str(tmp_path / "evaluation.toml"), tmp_path / "out"
    assert main(["evaluate", config, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "slides: 4 cases of 3 patients" in printed
    assert "help_total               0.8750" in printed
    written = json.loads((out / "metrics.json").read_text())
    assert written["measures"]["auc"]["value"] == 1.0
    assert Image.open(out / "roc.png").size[0] > 300
    assert 'src="roc.png"' in (out / "evaluation.html").read_text()
    assert (out / "cases.csv").read_text().count("\n") == 5
    assert main(["evaluate", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["measures"] == written["measures"]
    assert main(["evaluate", str(tmp_path / "none.toml")]) == 2


@pytest.mark.parametrize(
    ("task", "truth", "found", "message"),
    [
        ("slides", "slide,metastasis\n", FOUND, "truth.csv: holds no line"),
        ("calibration", "slide,metastasis\n", FOUND, "truth.csv: holds no line"),
        ("boxes", "image,x,y,width,height\n", FOUND, "truth.csv: holds no line"),
        ("slides", TRUTH.replace("c.svs,q", "c.svs,"), FOUND, "line 4 has no patient"),
        ("slides", TRUTH + ",r,0,0\n", FOUND, "line 6 has no slide"),
        ("slides", TRUTH, FOUND.replace("0.9", "inf"), "line 2: score is no number"),
        ("points", "image,x,y\ni,1,1\n", "image,x,y\ni,1,\n", "line 2 lacks some of x, y"),
        ("points", "image,x,y\ni,1,1\n", "image,x,y\nj,1,2\n", "does not name the image j"),
        (
            "boxes",
            "image,x,y,width,height\ni,1,1,2,2\n",
            "image,x,y,width,height,score\ni,1,1,2,2,\n",
            "line 2 lacks some of x, y, width, height, score",
        ),
        (
            "breakhis",
            "image,patient,malignant\na,p,1\n",
            "image,probability\na,0.4\nb,0.3\n",
            "b: has no truth or no prediction",
        ),
    ],
)
def test_nothing_is_dropped_in_silence(
    task: str, truth: str, found: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        _evaluated(tmp_path, SLIDES.replace("slides", task), truth=truth, found=found)


def test_a_patient_is_one_whatever_blanks_follow(tmp_path: Path) -> None:
    truth = TRUTH.replace("b.svs,p,", "b.svs,p  ,")
    assert _evaluated(tmp_path, SLIDES, truth=truth, found=FOUND).patients == 3


@pytest.mark.parametrize("name", ["image.png", "image.tif"])
def test_a_damaged_image_is_one_line(tmp_path: Path, name: str) -> None:
    tifffile.imwrite(tmp_path / "image.tif", np.ones((9, 9), np.uint8), compression="zlib")
    Image.new("L", (9, 9)).save(tmp_path / "image.png")
    content = (tmp_path / name).read_bytes()
    for at in range(0, len(content), 3):
        (tmp_path / name).write_bytes(content[:at] + b"\xff\x00\x7f" + content[at + 3 :])
        with contextlib.suppress(UsageError):
            read_image(tmp_path / name)


def test_colours_are_no_labels(tmp_path: Path) -> None:
    grey, colour = np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.uint8)
    grey[:2, :, :3], colour[:2, :, 1] = 255, 255
    for name, image in (("t1", grey), ("f1", colour)):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    config = 'task = "pixels"\ntruth = "t*.png"\npredictions = "{}*.png"'
    assert _evaluated(tmp_path, config.format("t")).measures["iou"].value == 1.0
    with pytest.raises(UsageError, match=r"f1\.png: is of shape"):
        _evaluated(tmp_path, config.format("f"))
