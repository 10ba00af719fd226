"""What a validation says, which tiles are wrong, and chances that mean what they say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from training_images import config, source, write_masks

from napari_breastpath.training.calibrate import fit_temperature, likelihood_gain
from napari_breastpath.training.config import FeedConfig
from napari_breastpath.training.feeding import epoch_tiles, fed_tiles
from napari_breastpath.training.sampling import find_tiles
from napari_breastpath.training.scores import Tally, confusion_figures, misclassified
from napari_breastpath.training.sources import read_samples
from napari_breastpath.training.state import State
from napari_breastpath.training.tiles import Cutter


def _map(*rows: list[float]) -> torch.Tensor:
    return torch.tensor([rows], dtype=torch.float32)[:, None]


def test_figures_of_a_confusion_matrix() -> None:
    figures = confusion_figures(np.array([[50, 10], [20, 20]]))
    assert figures["accuracy"] == pytest.approx(0.7)
    assert figures["dice"] == pytest.approx(40 / 70)
    assert figures["iou"] == pytest.approx(20 / 50)
    assert figures["sensitivity"] == pytest.approx(0.5)
    assert figures["specificity"] == pytest.approx(50 / 60)


def test_classes_that_do_not_occur_do_not_count() -> None:
    figures = confusion_figures(np.array([[5, 0, 0], [0, 5, 0], [0, 0, 0]]))
    assert figures["dice"] == 1.0
    assert np.isnan(confusion_figures(np.zeros((2, 2), np.int64))["accuracy"])


def test_a_tally_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    asked = config(tmp_path)
    tally = Tally.empty(asked)
    weight = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    tally.add(asked, _map([3, -3], [3, 3]), _map([1, 0], [0, 0]), weight)
    assert tally.confusion.tolist() == [[1, 1], [0, 1]]
    assert len(tally.logits[0]) == 3


@pytest.mark.parametrize(
    ("task", "found", "truth", "wrong"),
    [
        ("segmentation", [[9, 9, 9, -9]], [[1, 1, 0, 0]], False),
        ("segmentation", [[9, -9, 9, 9]], [[1, 1, 0, 0]], True),
        ("segmentation", [[-9, -9, -9, -9]], [[0, 0, 0, 0]], False),
        ("points", [[9, -9, -9, -9]], [[1, 0.5, 0.2, 0]], False),
        ("points", [[-9, -9, 9, -9]], [[1, 0.5, 0.2, 0]], False),
        ("points", [[-9, -9, -9, -9]], [[1, 0.5, 0.2, 0]], True),
        ("points", [[9, -9, -9, 9]], [[1, 0.5, 0.2, 0]], True),
    ],
)
def test_tiles_that_are_wrong(
    task: str, found: list[list[float]], truth: list[list[float]], wrong: bool
) -> None:
    answer = misclassified(task, _map(*found), _map(*truth), torch.ones(1, 1, 4))
    assert answer.tolist() == [wrong]


def test_tiles_of_a_wrong_class() -> None:
    logits, truth = torch.tensor([[2.0, 1.0], [2.0, 1.0]]), torch.tensor([0, 1])
    answer = misclassified("classification", logits, truth, torch.ones(2))
    assert answer.tolist() == [False, True]


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_truth_is_found(classes: int, temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20_000, classes))
    if classes == 1:
        truth = rng.random(20_000) < 1 / (1 + np.exp(-logits[:, 0]))
    else:
        truth = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    found = fit_temperature(logits * temperature, truth.astype(float))
    assert found == pytest.approx(temperature, rel=0.07)
    assert likelihood_gain(logits * temperature, truth.astype(float), found) >= -1e-9
    assert fit_temperature(np.zeros((0, 1)), np.zeros(0)) == 1.0


def test_the_feed_takes_mistakes_up_to_its_share_and_some_right_ones(tmp_path: Path) -> None:
    asked = config(tmp_path, feed=FeedConfig(wrong=0.5, right=0.5))
    state = State([{"val_loss": 1.0}], wrong=list(range(10)), right=[50, 51, 52])
    fed = fed_tiles(asked, state, 1)
    assert len([tile for tile in fed if tile < 10]) == 4  # half of 8 tiles
    assert len([tile for tile in fed if tile >= 50]) == 2
    assert fed == fed_tiles(asked, state, 1)
    off = dataclasses.replace(asked, feed=FeedConfig())
    assert fed_tiles(off, state, 1) == []


def test_no_batch_has_a_single_tile(tmp_path: Path) -> None:
    write_masks(tmp_path / "images", patients=2)
    asked = config(tmp_path, source(tmp_path / "images"))
    asked = dataclasses.replace(asked, fit=dataclasses.replace(asked.fit, tiles=9, batch=4))
    samples = read_samples(asked)
    cutter = Cutter(samples, find_tiles(samples, asked), asked)
    assert len(epoch_tiles(cutter, State(), 1)) == 8
