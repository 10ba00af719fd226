"""Measures of points, such as mitoses: right within a distance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.training.evaluation.slide_measures import ratio

Floats: TypeAlias = NDArray[np.float64]
DISTANCE_UM = 7.5
FAR = 1e9


@dataclass(frozen=True, slots=True)
class Found:
    """Counts of matched and unmatched points; those of several images add up."""

    tp: int
    fp: int
    fn: int


def match_points(
    truth_um: Floats, predicted_um: Floats, distance_um: float = DISTANCE_UM
) -> NDArray[np.intp]:
    """Match points one to one: as many pairs as can be, among those the shortest in sum.

    Optimal assignment (Hungarian method; Kuhn 1955), so the order of the points is no matter.

    Parameters
    ----------
    truth_um, predicted_um : ndarray of float, shape (n, 2) and (m, 2)
        x, y in µm.
    distance_um : float
        Largest distance of a pair, included; 7.5 µm in MIDOG 2021 and TUPAC16 (30 px).

    Returns
    -------
    ndarray of int, shape (pairs, 2)
        Indices of truth and prediction.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    if not len(truth_um) or not len(predicted_um):
        return np.zeros((0, 2), np.intp)
    distance = cdist(truth_um, predicted_um)
    near = distance <= distance_um
    rows, columns = linear_sum_assignment(np.where(near, distance, FAR))
    pairs: NDArray[np.intp] = np.column_stack((rows, columns))[near[rows, columns]]
    return pairs


def found_points(truth_um: Floats, predicted_um: Floats, distance_um: float = DISTANCE_UM) -> Found:
    """Count the points of one image that `match_points` pairs, and those it leaves."""
    tp = len(match_points(truth_um, predicted_um, distance_um))
    return Found(tp, len(predicted_um) - tp, len(truth_um) - tp)


def detection_measures(images: Iterable[Found]) -> dict[str, float]:
    """Return F1, precision and recall of all images' points together, as TUPAC16 and MIDOG do."""
    counts = list(images)
    tp, fp, fn = (sum(getattr(c, name) for c in counts) for name in ("tp", "fp", "fn"))
    return {
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
    }
