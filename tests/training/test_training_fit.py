"""Training: the same curve when resumed, a bundle that analyses slides, and what is left of it."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training_images import blobs, config, source, stained, write_masks

from napari_breastpath import analyze, open_slide
from napari_breastpath.core.errors import ModelError, UsageError
from napari_breastpath.core.progress import Progress
from napari_breastpath.models import load_model, make_predictor
from napari_breastpath.training import TrainingProgress, train
from napari_breastpath.training.config import Config, FeedConfig, FitConfig, StainConfig
from napari_breastpath.training.loop import LAST
from napari_breastpath.training.reading import config_toml


@pytest.fixture
def small(tmp_path: Path) -> Config:
    write_masks(tmp_path / "images", patients=4)
    feed = FeedConfig(wrong=0.5, right=0.5)
    return config(tmp_path / "run", source(tmp_path / "images"), feed=feed)


def _curve(folder: Path, fold: int = 1) -> list[list[str]]:
    lines = (folder / f"fold-{fold}" / "curves.csv").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines]
    seconds = rows[0].index("seconds")
    return [[value for k, value in enumerate(row) if k != seconds] for row in rows]


def _stop_in(epoch: int, stop: threading.Event) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        if isinstance(progress, TrainingProgress) and progress.epoch == epoch and progress.done:
            stop.set()

    return tell


def test_an_interrupted_training_goes_on_along_the_same_curve(
    small: Config, tmp_path: Path
) -> None:
    whole = train(small, device="cpu")
    assert whole.bundle is not None
    cut, stop = dataclasses.replace(small, out=str(tmp_path / "cut")), threading.Event()
    partial = train(cut, device="cpu", progress=_stop_in(2, stop), stop=stop)
    assert (partial.stopped, partial.bundle) == (True, None)
    assert len(_curve(partial.folder)) == 1 + 1
    resumed = train(cut, device="cpu")
    assert resumed.bundle is not None
    assert _curve(resumed.folder) == _curve(whole.folder)
    assert resumed.bundle.sha256 == whole.bundle.sha256


KILLED = """
import os, signal, sys
from napari_breastpath.training import TrainingProgress, train

def tell(progress):
    if isinstance(progress, TrainingProgress) and progress.epoch == 3 and progress.done:
        os.kill(os.getpid(), signal.SIGKILL)

train(sys.argv[1], device="cpu", progress=tell)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_a_killed_training_goes_on_along_the_same_curve(small: Config, tmp_path: Path) -> None:
    whole = train(small, device="cpu")
    cut, toml = dataclasses.replace(small, out=str(tmp_path / "cut")), tmp_path / "cut.toml"
    toml.write_text(config_toml(cut), encoding="utf-8")
    killed = subprocess.run([sys.executable, "-c", KILLED, toml], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(_curve(Path(cut.out))) == 1 + 2
    resumed = train(toml, device="cpu")
    assert _curve(resumed.folder) == _curve(whole.folder)
    assert resumed.bundle is not None
    assert whole.bundle is not None
    assert resumed.bundle.sha256 == whole.bundle.sha256


def test_a_bundle_analyses_slides_and_says_how_it_was_made(small: Config, tmp_path: Path) -> None:
    asked = dataclasses.replace(small, stain=StainConfig("macenko"))
    done = train(asked, device="cpu")
    bundle = load_model(done.folder / "bundle")
    assert bundle == done.bundle
    assert bundle.stain is not None
    assert bundle.training_domain is not None
    assert bundle.temperature == round(done.folds[1]["temperature"], 4)
    assert bundle.metrics["fold 1"]["validation patients"] == 1
    card = bundle.card.read_text(encoding="utf-8")
    assert "fold 1" in card
    assert "drawn discs" in card
    for name in ("curves.png", "confusion.png", "examples.png", "confusion.csv", LAST):
        assert (done.folder / "fold-1" / name).stat().st_size > 0
    assert json.loads((done.folder / "environment.json").read_text())["software"]["torch"]
    slide = tmp_path / "slide.png"
    Image.fromarray(stained(blobs(9, 192), 9)).save(slide)
    opened = open_slide(slide, 1.0)
    result = analyze(opened, tmp_path / "out", model=bundle, stain="none", device="cpu")
    assert result.status == "complete"


def test_the_bundle_gives_the_chances_that_were_calibrated(small: Config) -> None:
    done = train(small, device="cpu")
    assert done.bundle is not None
    tiles = torch.from_numpy(stained(blobs(3, 64), 3))[None]
    calibrated = make_predictor(done.bundle, "cpu", "torch", threads=1).predict(tiles)
    plain = make_predictor(
        dataclasses.replace(done.bundle, temperature=1.0, output_stride=1),
        "cpu",
        "torch",
        threads=1,
    ).predict(tiles)
    logit = torch.logit(torch.from_numpy(plain).double())
    wanted = torch.nn.functional.avg_pool2d((logit / done.bundle.temperature).sigmoid(), 2)
    assert np.abs(calibrated - wanted.numpy()).max() < 1e-4


def test_misclassified_tiles_come_again(small: Config) -> None:
    train(small, device="cpu")
    header, *rows = _curve(Path(small.out))
    fed = [float(row[header.index("fed")]) for row in rows]
    assert fed[0] == 0
    assert 0 < max(fed) <= 0.5 * 1.5 * small.fit.tiles


def test_five_folds_one_bundle(small: Config, tmp_path: Path) -> None:
    fit = dataclasses.replace(small.fit, epochs=1, tiles=4)
    asked = dataclasses.replace(small, folds=2, fit=fit)
    first = train(asked, fold=2, device="cpu")
    assert (set(first.folds), first.bundle) == ({2}, None)
    done = train(asked, device="cpu")
    assert set(done.folds) == {1, 2}
    assert done.bundle is not None
    assert {"fold 1", "fold 2", "weights of fold"} == set(done.bundle.metrics)
    with pytest.raises(UsageError, match="3 is not one of 2"):
        train(asked, fold=3)


def test_another_config_in_the_same_folder_is_refused_longer_is_not(small: Config) -> None:
    train(small, device="cpu")
    other = dataclasses.replace(small, seed=1)
    with pytest.raises(UsageError, match=r"another config \(seed = 1\)"):
        train(other, device="cpu")
    longer = dataclasses.replace(small, fit=dataclasses.replace(small.fit, epochs=4))
    assert train(longer, device="cpu").folds[1]["epochs"] == 4
    done = train(other, device="cpu", resume=False)
    assert done.bundle is not None
    assert (done.folder.parent / "run.bak-1").is_dir()


def test_a_kill_between_the_last_checkpoint_and_its_line_loses_no_line(small: Config) -> None:
    whole = _curve(train(small, device="cpu").folder)
    fold = Path(small.out) / "fold-1"
    lines = (fold / "curves.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (fold / "curves.csv").write_text("".join(lines[:-1]), encoding="utf-8")
    (fold / "metrics.json").unlink()
    assert _curve(train(small, device="cpu").folder) == whole


def test_a_damaged_checkpoint_is_said_so(small: Config) -> None:
    stop = threading.Event()
    train(small, device="cpu", progress=_stop_in(2, stop), stop=stop)
    (Path(small.out) / "fold-1" / LAST).write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match="cannot be gone on with"):
        train(small, device="cpu")


@pytest.mark.parametrize("kind", ["classification", "points", "nuclei"])
def test_other_tasks_end_in_a_bundle_too(tmp_path: Path, kind: str) -> None:
    from training_tasks import TASKS

    asked = TASKS[kind](tmp_path)
    done = train(asked, device="cpu")
    assert done.bundle is not None
    tiles = torch.zeros((1, 64, 64, 3), dtype=torch.uint8)
    found = make_predictor(done.bundle, "cpu", "torch", threads=1).predict(tiles)
    assert found.shape[:2] == (1, len(asked.classes))
    assert found.ndim == (2 if kind == "classification" else 4)
    named = "no patient is named" not in done.bundle.card.read_text(encoding="utf-8")
    assert named == (kind != "classification")


def test_learning_happens(tmp_path: Path) -> None:
    write_masks(tmp_path / "images", patients=5, each=2)
    fit = FitConfig(batch=8, tiles=64, epochs=6, threads=1, crop=32, rate=5e-3)
    asked = config(tmp_path / "run", source(tmp_path / "images"), fit=fit)
    figures = train(asked, device="cpu").folds[1]["figures"]
    assert figures["accuracy"] > 0.9
