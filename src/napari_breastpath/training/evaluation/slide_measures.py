"""Measures of slides: who has a metastasis, and how long is it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
AXIS_TOLERANCE = 0.05


def ratio(part: float, whole: float) -> float:
    """Return part / whole, NaN (undefined) where the whole is 0."""
    return part / whole if whole else float("nan")


def roc_auc(positive: ArrayLike, score: ArrayLike) -> float:
    """Return the area under the ROC curve: P(positive scores higher) + ½ P(they tie).

    Mann–Whitney's U over n₁·n₀ (Hanley & McNeil 1982). NaN where one kind is missing.
    """
    from scipy.stats import rankdata

    truth = np.asarray(positive, dtype=bool)
    n1, n0 = int(truth.sum()), int((~truth).sum())
    if not n1 or not n0:
        return float("nan")
    ranks = rankdata(np.asarray(score, dtype=float))
    return float((ranks[truth].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def roc_curve(positive: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    """Return false and true positive rates, one point per distinct score, from (0, 0) to (1, 1)."""
    truth, scores = np.asarray(positive, dtype=bool), np.asarray(score, dtype=float)
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    hits, misses = np.cumsum(truth[order])[last], np.cumsum(~truth[order])[last]
    rates = [np.append(0, count) / max(int(count[-1]), 1) for count in (misses, hits)]
    return rates[0], rates[1]


def axis_accuracy(
    truth: ArrayLike, predicted: ArrayLike, tolerance: float = AXIS_TOLERANCE
) -> float:
    """Return the share of slides whose major axis is right within 5 %: |t − p| ≤ 0.05·t.

    A slide without tumour (t = 0) needs exactly 0. Both in one unit, whichever it is.
    Source: HeLP 2019 challenge, `acc_score` of the winner's utils.py.
    """
    t, p = np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float)
    if not t.size:
        return float("nan")
    return float((np.abs(t - p) <= tolerance * t).mean())


def help_total(auc: float, accuracy: float) -> float:
    """Return the HeLP 2019 challenge's total: the mean of slide AUC and axis accuracy.

    The winner's own figures agree: (0.8908 + 0.5249) / 2 = 0.7079.
    """
    return (auc + accuracy) / 2


def rates(positive: ArrayLike, called: ArrayLike) -> dict[str, float]:
    """Return sensitivity, specificity and accuracy of yes/no calls."""
    truth, call = np.asarray(positive, dtype=bool), np.asarray(called, dtype=bool)
    return {
        "sensitivity": ratio(int((truth & call).sum()), int(truth.sum())),
        "specificity": ratio(int((~truth & ~call).sum()), int((~truth).sum())),
        "accuracy": ratio(int((truth == call).sum()), truth.size),
    }
