"""FROC, instances, points and boxes: MONAI's numbers, brute force and cases worked by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_breastpath.training.evaluation import (
    box_measures,
    froc,
    instance_measures,
    point_measures,
)

# --- CAMELYON16 FROC ---------------------------------------------------------------------------


def _slide(*corners: tuple[int, int, int, int], itc: frozenset[int] = frozenset()) -> froc.Lesions:
    labels = np.zeros((20, 20), np.int32)
    for k, (top, bottom, left, right) in enumerate(corners, start=1):
        labels[top:bottom, left:right] = k
    return froc.Lesions(labels, len(corners), itc)


def _hits(lesions: froc.Lesions, *points: tuple[float, int, int]) -> froc.Hits:
    probability, rows, columns = np.array(points, dtype=float).T
    return froc.score_detections(lesions, rows, columns, probability)


def _monai_slides() -> list[froc.Hits]:
    first = _slide((2, 6, 2, 6), (10, 14, 10, 14), (16, 19, 2, 5), itc=frozenset({3}))
    points = [(0.9, 3, 3), (0.8, 3, 4), (0.7, 12, 11), (0.6, 0, 0), (0.55, 8, 8), (0.3, 17, 3)]
    second = _slide((5, 9, 5, 9), (12, 15, 12, 15))
    return [
        _hits(first, *points, (0.2, 19, 19)),
        _hits(second, (0.95, 0, 0), (0.65, 6, 6), (0.4, 18, 18)),
        _hits(_slide(), (0.5, 1, 1), (0.1, 2, 2)),
    ]


def test_froc_gives_monais_numbers() -> None:
    """As MONAI 1.6.1's compute_fp_tp_probs, compute_froc_curve_data and compute_froc_score."""
    found = froc.froc(_monai_slides())
    at = [found[f"sensitivity_at_{a:g}_fp"] for a in froc.FALSE_POSITIVES]
    np.testing.assert_allclose(at, [0, 0.75, 0.75, 0.75, 0.75, 0.75])
    assert found["froc"] == pytest.approx(0.625)
    fp, sensitivity = froc.froc_curve(_monai_slides())
    assert (fp[-1], sensitivity[-1]) == (pytest.approx(7 / 3), 0.75)


def test_isolated_cells_are_neither_found_nor_false() -> None:
    lesions = _slide((2, 6, 2, 6), itc=frozenset({1}))
    hits = _hits(lesions, (0.9, 3, 3))
    assert not len(hits.false)
    assert not len(hits.found)
    assert np.isnan(froc.froc([hits])["froc"])


def test_detections_beyond_the_raster_are_false() -> None:
    assert len(_hits(_slide((0, 4, 0, 4)), (0.9, -1, 2), (0.8, 2, 25)).false) == 2


@pytest.mark.parametrize("mpp", [(4.0, 4.0), (8.0, 4.0), (4.0, 8.0)])
def test_lesions_grow_join_and_are_sorted_by_length_in_um(mpp: tuple[float, float]) -> None:
    """Blocks of 400 × 100 µm and 60 × 60 µm, 60 µm apart or far away."""
    x, y = mpp
    mask = np.zeros((round(1600 / y), round(1600 / x)), bool)

    def block(left: float, top: float, width: float, height: float) -> None:
        rows = slice(round(top / y), round((top + height) / y))
        mask[rows, round(left / x) : round((left + width) / x)] = True

    block(200, 200, 400, 100)
    block(660, 200, 80, 100)
    block(1200, 1200, 64, 64)
    lesions = froc.true_lesions(mask, mpp)
    assert lesions.count == 2
    assert lesions.itc == {2}
    assert lesions.labels[round(250 / y), round(630 / x)] == 1


def test_no_tumour_has_no_lesions() -> None:
    assert froc.true_lesions(np.zeros((9, 9), bool), (1, 1)).count == 0


def test_peaks_are_apart_and_over_the_threshold() -> None:
    heat = np.zeros((50, 50))
    heat[10, 10], heat[10, 12], heat[40, 40], heat[25, 25] = 0.9, 0.8, 0.7, 0.4
    rows, columns, values = froc.peaks(heat, (10.0, 10.0), least=0.5, apart_um=50)
    assert sorted(zip(rows, columns, values, strict=True)) == [(10.5, 10.5, 0.9), (40.5, 40.5, 0.7)]


# --- instances ---------------------------------------------------------------------------------

label_images = arrays(np.int32, (6, 6), elements=st.integers(0, 4))


def _brute_overlaps(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    names = [[n for n in np.unique(image) if n] for image in (truth, predicted)]
    table = np.zeros((len(names[0]), len(names[1])))
    for i, t in enumerate(names[0]):
        for j, p in enumerate(names[1]):
            a, b = truth == t, predicted == p
            table[i, j] = (a & b).sum() / (a | b).sum()
    return table


@given(label_images, label_images)
def test_dsb_precision_is_brute_forces(truth: np.ndarray, predicted: np.ndarray) -> None:
    table = _brute_overlaps(truth, predicted)
    found = instance_measures.average_precisions(instance_measures.overlaps(truth, predicted))
    for k, threshold in enumerate(instance_measures.DSB_THRESHOLDS):
        tp = (table > threshold).sum()
        total = sum(table.shape) - tp
        assert found[k] == pytest.approx(tp / total if total else np.nan, nan_ok=True)


@given(label_images, label_images)
def test_aggregated_jaccard_is_kumars_algorithm(truth: np.ndarray, predicted: np.ndarray) -> None:
    table = _brute_overlaps(truth, predicted)
    t_names = [n for n in np.unique(truth) if n]
    p_names = [n for n in np.unique(predicted) if n]
    shared, union, used = 0, 0, set()
    for i, t in enumerate(t_names):
        row = table[i] if len(p_names) else np.zeros(1)
        j = int(row.argmax())
        if row[j] == 0:
            union += (truth == t).sum()
            continue
        used.add(j)
        shared += ((truth == t) & (predicted == p_names[j])).sum()
        union += ((truth == t) | (predicted == p_names[j])).sum()
    union += sum((predicted == p).sum() for j, p in enumerate(p_names) if j not in used)
    found = instance_measures.aggregated_jaccard(instance_measures.overlaps(truth, predicted))
    assert found == pytest.approx(shared / union if union else np.nan, nan_ok=True)


def test_panoptic_quality_worked_by_hand() -> None:
    truth, predicted = np.zeros((2, 10), int), np.zeros((2, 10), int)
    truth[0, :4], truth[1, :4] = 1, 2
    predicted[0, :3], predicted[1, 5:] = 7, 9
    o = instance_measures.overlaps(truth, predicted)
    one = instance_measures.Panoptic.of(o)
    assert instance_measures.panoptic_quality(one) == {"dq": 0.5, "sq": 0.75, "pq": 0.375}
    assert instance_measures.dsb_mean_ap(o) == pytest.approx((5 / 3) / 10)
    both = instance_measures.panoptic_quality(one, instance_measures.Panoptic(1, 0, 0, 1.0))
    assert both["pq"] == pytest.approx(4 / 6 * 1.75 / 2)


@given(label_images)
def test_an_image_agrees_with_itself(truth: np.ndarray) -> None:
    o = instance_measures.overlaps(truth, truth * 3)
    wanted = 1.0 if truth.any() else np.nan
    assert instance_measures.dsb_mean_ap(o) == pytest.approx(wanted, nan_ok=True)
    assert instance_measures.aggregated_jaccard(o) == pytest.approx(wanted, nan_ok=True)


# --- points ------------------------------------------------------------------------------------

points = arrays(float, st.tuples(st.integers(0, 4), st.just(2)), elements=st.integers(0, 20))


def _most_pairs(truth: np.ndarray, predicted: np.ndarray, distance: float) -> int:
    few, many = sorted((truth, predicted), key=len)
    return max(
        sum(np.hypot(*(a - many[j])) <= distance for a, j in zip(few, order, strict=True))
        for order in permutations(range(len(many)), len(few))
    )


@settings(max_examples=60)
@given(points, points)
def test_points_pair_as_often_as_can_be(truth: np.ndarray, predicted: np.ndarray) -> None:
    found = point_measures.found_points(truth, predicted)
    most = _most_pairs(truth, predicted, point_measures.DISTANCE_UM)
    wanted = point_measures.Found(most, len(predicted) - most, len(truth) - most)
    assert found == wanted


def test_points_pair_at_the_limit_and_with_the_nearest() -> None:
    truth = np.array([[0.0, 0.0], [100.0, 0.0]])
    predicted = np.array([[7.5, 0.0], [104.0, 0.0], [101.0, 0.0], [50.0, 0.0]])
    pairs = point_measures.match_points(truth, predicted)
    assert pairs.tolist() == [[0, 0], [1, 2]]
    found = point_measures.detection_measures([point_measures.found_points(truth, predicted)])
    assert found == {"f1": pytest.approx(4 / 6), "precision": 0.5, "recall": 1.0}


# --- boxes -------------------------------------------------------------------------------------

TRUTH = np.array([[0.0, 0, 10, 10], [50, 50, 20, 10]])


def test_overlapping_ratios() -> None:
    a = np.array([[5.0, 0, 10, 5]])
    ratios = {kind: box_measures.overlap_ratio(a, TRUTH, kind) for kind in box_measures.RATIOS}
    assert {k: v.tolist() for k, v in ratios.items()} == {
        "iou": [[25 / 125, 0]],
        "smaller": [[0.5, 0]],
        "truth": [[0.25, 0]],
    }


def test_boxes_worked_by_hand() -> None:
    detected = np.array([[0.0, 0, 10, 9], [1, 0, 10, 10], [90, 90, 5, 5], [50, 50, 20, 9]])
    first = box_measures.match_boxes(TRUTH, detected, np.array([0.9, 0.8, 0.7, 0.6]))
    second = box_measures.match_boxes(np.zeros((0, 4)), detected[:1], np.array([0.95]))
    assert first.right.tolist() == [True, False, False, True]
    images = [first, second]
    assert box_measures.average_precision(images) == pytest.approx((1 / 2 + 2 / 5) / 2)
    assert box_measures.operating_point(images, 0.65) == {
        "mean_sensitivity": 0.5,
        "sensitivity": 0.5,
        "fppi": 1.5,
    }
    fppi, sensitivity = box_measures.box_froc(images)
    assert fppi.tolist() == [0, 0.5, 0.5, 1, 1.5, 1.5]
    assert sensitivity.tolist() == [0, 0, 0.5, 0.5, 0.5, 1]


def test_no_box_at_all() -> None:
    none = np.zeros((0, 4))
    image = box_measures.match_boxes(none, none, np.zeros(0))
    assert np.isnan(box_measures.average_precision([image]))
    assert box_measures.operating_point([image], 0.5)["fppi"] == 0
