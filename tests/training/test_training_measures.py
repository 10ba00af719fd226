"""Measures of slides, pixels, probabilities and stages against scikit-learn and worked cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_breastpath.core.errors import UsageError
from napari_breastpath.training.evaluation import (
    bootstrap,
    breakhis,
    calibration,
    pixel_measures,
    slide_measures,
    stages,
)

metrics = pytest.importorskip("sklearn.metrics", exc_type=ImportError)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30))
def test_auc_and_curve_are_scikit_learns(cases: list[tuple[bool, int]]) -> None:
    truth, score = map(np.array, zip(*cases, strict=True))
    auc = slide_measures.roc_auc(truth, score)
    if truth.all() or not truth.any():
        assert np.isnan(auc)
        return
    assert auc == pytest.approx(metrics.roc_auc_score(truth, score))
    fpr, tpr = slide_measures.roc_curve(truth, score)
    wanted = metrics.roc_curve(truth, score, drop_intermediate=False)
    np.testing.assert_allclose((fpr, tpr), wanted[:2])


@pytest.mark.parametrize(
    ("truth", "predicted", "accuracy"),
    [
        ([100, 100, 100], [95, 105, 106], 2 / 3),
        ([0, 0], [0, 0.001], 0.5),
        ([40.0], [38.0], 1.0),
        ([], [], np.nan),
    ],
)
def test_an_axis_is_right_within_five_percent(
    truth: list[float], predicted: list[float], accuracy: float
) -> None:
    assert slide_measures.axis_accuracy(truth, predicted) == pytest.approx(accuracy, nan_ok=True)


def test_the_challenge_total_is_the_winners() -> None:
    assert slide_measures.help_total(0.8908, 0.5249) == pytest.approx(0.7079, abs=1e-4)


masks = arrays(bool, (6, 7))


@given(masks, masks)
def test_pixel_measures_are_scikit_learns(truth: np.ndarray, predicted: np.ndarray) -> None:
    found = pixel_measures.pixel_measures(pixel_measures.confusion(truth, predicted))
    t, p = truth.ravel(), predicted.ravel()
    wanted = {
        "iou": metrics.jaccard_score(t, p, zero_division=0) if (t | p).any() else np.nan,
        "f1": metrics.f1_score(t, p, zero_division=np.nan),
        "accuracy": metrics.accuracy_score(t, p),
        "sensitivity": metrics.recall_score(t, p, zero_division=np.nan),
        "specificity": metrics.recall_score(t, p, pos_label=False, zero_division=np.nan),
        "precision": metrics.precision_score(t, p, zero_division=np.nan),
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, nan_ok=True)
    assert found["dice"] == pytest.approx(found["f1"], nan_ok=True)


def test_pooled_and_mean_differ_and_count_only_where_told() -> None:
    half, where = np.arange(8).reshape(2, 4) < 4, np.ones((2, 4), bool)
    where[1] = False
    parts = [
        pixel_measures.confusion(half, half, where),
        pixel_measures.confusion(half, ~half),
        pixel_measures.confusion(~half & False, ~half & False),
    ]
    assert parts[0] == pixel_measures.Confusion(4, 0, 0, 0)
    assert pixel_measures.pixel_measures(pixel_measures.pooled(parts))["iou"] == 4 / 12
    assert pixel_measures.mean_measures(parts)["iou"] == 0.5


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=40))
def test_brier_and_reliability(cases: list[tuple[bool, float]]) -> None:
    truth, p = map(np.array, zip(*cases, strict=True))
    wanted = ((p - truth) ** 2).mean()
    assert calibration.brier_score(truth, p) == pytest.approx(wanted)
    table = calibration.reliability(truth, p)
    assert table["count"].sum() == len(cases)
    assert ((table.probability >= table.low) & (table.probability <= table.high + 1e-12)).all()
    assert (table["count"] * table.observed).sum() == pytest.approx(truth.sum())


def test_calibration_error_worked_by_hand() -> None:
    p, truth = [0.1, 0.1, 0.9, 0.9], [0, 1, 1, 1]
    assert calibration.expected_calibration_error(truth, p) == pytest.approx((0.4 + 0.1) / 2)
    assert calibration.expected_calibration_error(truth, truth) == 0
    table = calibration.reliability([1, 0], [0.0, 1.0])
    assert table.low.tolist() == [0.0, 0.9]


stage = st.integers(0, 4)


@given(st.lists(st.tuples(stage, stage), min_size=2, max_size=30))
def test_kappa_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    truth, predicted = zip(*pairs, strict=True)
    found = stages.quadratic_kappa(truth, predicted)
    if np.isnan(found):
        assert len(set(truth + predicted)) == 1
        return
    wanted = metrics.cohen_kappa_score(truth, predicted, labels=range(5), weights="quadratic")
    assert found == pytest.approx(wanted)


def test_stages_beyond_camelyon_are_refused() -> None:
    assert stages.stage_index("pN0(i+)") == 1
    with pytest.raises(UsageError, match="pN3"):
        stages.stage_index("pN3")


@pytest.mark.parametrize(
    ("patches", "calls"),
    [
        ([0.9, 0.1, 0.1, 0.1], {"exist"}),
        ([0.9, 0.6, 0.2, 0.2], {"vote", "exist"}),
        ([0.6, 0.6, 0.6, 0.0, 0.0, 0.0, 0.0], {"exist", "exist3"}),
        ([0.99, 0.99, 0.4, 0.4, 0.4], {"sum", "average", "exist"}),
        ([0.7, 0.7], {"sum", "vote", "average", "exist", "exist3"}),
        ([0.5, 0.5], set()),
    ],
)
def test_aggregations_of_patches(patches: list[float], calls: set[str]) -> None:
    found = {how for how in breakhis.AGGREGATIONS if breakhis.aggregate(patches, how)}
    assert found == calls


def test_the_average_heeds_the_threshold_and_the_sum_does_not() -> None:
    assert breakhis.aggregate([0.3, 0.5], "average", 0.3)
    assert not breakhis.aggregate([0.3, 0.5], "sum", 0.3)


def test_patients_weigh_alike_at_patient_level() -> None:
    rates = breakhis.recognition_rates([1, 1, 1, 0, 0], ["a", "a", "a", "a", "b"])
    assert rates == {"image_rate": 0.6, "patient_rate": (0.75 + 0) / 2}


def test_intervals_come_from_patients_not_cases() -> None:
    values = np.repeat([0.0, 1.0], 500)

    def mean(cases: np.ndarray) -> dict[str, float]:
        return {"mean": float(values[cases].mean())}

    by_case = bootstrap.bootstrap(mean, [str(k) for k in range(1000)], 300)["mean"]
    by_patient = bootstrap.bootstrap(mean, np.repeat(["a", "b"], 500).tolist(), 300)["mean"]
    assert by_case.value == by_patient.value == 0.5
    assert 0.45 < by_case.low < by_case.high < 0.55
    assert (by_patient.low, by_patient.high) == (0.0, 1.0)
    assert np.isnan(bootstrap.bootstrap(mean, ["a"] * 1000, 50)["mean"].low)


@settings(max_examples=20)
@given(st.integers(0, 3), st.integers(2, 6))
def test_the_same_seed_gives_the_same_interval(seed: int, patients: int) -> None:
    names = [str(k % patients) for k in range(20)]

    def spread(cases: np.ndarray) -> dict[str, float]:
        return {"mean": float(cases.mean())}

    first, second = (bootstrap.bootstrap(spread, names, 50, seed=seed) for _ in range(2))
    assert first == second
    assert first["mean"].low <= first["mean"].high


def test_a_measure_seldom_defined_has_no_interval() -> None:
    def rare(cases: np.ndarray) -> dict[str, float]:
        return {"all": 1.0 if set(cases.tolist()) == set(range(8)) else np.nan}

    found = bootstrap.bootstrap(rare, [str(k) for k in range(8)], 100)["all"]
    assert found.value == 1.0
    assert np.isnan(found.low)
