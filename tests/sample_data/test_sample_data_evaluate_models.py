"""The figures of the shipped models' cards come from pure functions of pictures and maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import evaluate_models
import mitosis_figures as mitosis
import nuclei_figures as nuclei

POINT = np.array([64.0, 64.0])


def test_places_are_scored_by_their_largest_heat() -> None:
    heat = np.zeros((128, 128), np.float32)
    heat[64, 66], heat[10, 10], heat[64, 100], heat[127, 127] = 0.9, 0.4, 0.3, 0.2
    assert mitosis.near(heat, POINT, 0.25) == pytest.approx(0.9)
    assert mitosis.far(heat, POINT, 0.25) == pytest.approx(0.4)
    assert mitosis.corners(heat, 0.25) == pytest.approx([0.4, 0, 0, 0.2])
    assert mitosis.cells(heat, 0.25).reshape(4, 4)[2, 2] == pytest.approx(0.9)


def test_a_moved_part_holds_the_figure_wherever_it_lies() -> None:
    crop = np.zeros((128, 128, 3), np.uint8)
    crop[64, 64] = 255
    rng = np.random.default_rng(0)
    places = set()
    for _ in range(30):
        part, (x, y) = mitosis.moved_part(crop, POINT, rng)
        assert part.shape == (64, 64, 3)
        assert part[int(y), int(x), 0] == 255
        assert min(x, y) >= 8
        assert max(x, y) <= 56
        places.add((x, y))
    assert len(places) > 20


@pytest.mark.parametrize(("shift", "value"), [(1.0, 1.0), (-1.0, 0.0), (0.0, 0.5)])
def test_auc_has_an_interval_around_it(shift: float, value: float) -> None:
    names = [f"slide {k % 5}" for k in range(40)]
    positive, negative = ([(name, at) for name in names] for at in (shift, 0.0))
    assert mitosis.auc(positive, negative) == [value, value, value]


def test_nuclei_found_as_they_are_score_one_and_missed_ones_cost() -> None:
    truth = np.zeros((64, 64), np.int32)
    truth[5:25, 5:25], truth[35:55, 35:55] = 1, 2
    inside = (truth > 0).astype(np.float32)
    both = np.stack([1 - inside, inside, 0 * inside])
    assert nuclei.image_scores(truth, both, 0.5) == (1, 1)
    both[:, 30:] = np.array([1, 0, 0])[:, None, None]
    assert nuclei.image_scores(truth, both, 0.5) == pytest.approx((2 / 3, 0.5))


def test_copies_of_one_image_count_once() -> None:
    assert nuclei.mean_of_patients(["a", "a", "a", "b"], np.array([0, 0, 0, 1.0])) == 0.5


def test_figures_become_rows() -> None:
    rows = evaluate_models.card_rows({"midog": {"AUC": [0.9, 0.8, 0.95], "images": 3}})
    assert rows == "| midog: AUC | 0.900 (0.800–0.950) |\n| midog: images | 3 |"


def test_without_the_data_it_says_so_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_models, "SHARED", tmp_path / "shared")
    with pytest.raises(SystemExit, match=r"shared: the data are not there; put .*") as caught:
        evaluate_models.main(["mitosis"])
    assert "\n" not in str(caught.value)
