"""Scores of out-of-fold predictions, and which estimator they choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.models.second_stage import millimetres
from napari_breastpath.training.evaluation.calibration import brier_score
from napari_breastpath.training.evaluation.slide_measures import axis_accuracy, roc_auc

if TYPE_CHECKING:
    import pandas as pd

Floats: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = Sequence[NDArray[np.intp]]
Measure: TypeAlias = Callable[[Any, Any], float]


def log_loss(positive: Any, probability: Any) -> float:
    """Return the mean negative log-likelihood, probabilities kept 1e-12 away from 0 and 1."""
    p = np.clip(probability, 1e-12, 1 - 1e-12)
    return float(-np.log(np.where(positive, p, 1 - p)).mean())


def mean_error(truth: Any, predicted: Any) -> float:
    """Return the mean absolute error."""
    return float(np.abs(np.subtract(predicted, truth)).mean())


def classifier_scores(positive: Any, probability: Floats, folds: Rows) -> dict[str, float]:
    """Return AUC, Brier score and log loss of all slides, each with its spread over folds."""
    measures = {"auc": roc_auc, "brier": brier_score, "log_loss": log_loss}
    return _with_spread(measures, positive, probability, folds)


def axis_scores(truth_mm: Floats, log_axis: Floats, folds: Rows) -> dict[str, float]:
    """Return the errors of the major axis over slides of known length, with spread over folds.

    `mae_mm`, `mae_log` (of log(1 + mm)) and `axis_accuracy` (within 5 %; a slide without tumour is
    right only at exactly 0, which a regressor hardly ever says).
    """
    known = np.isfinite(truth_mm)
    folds = [rows[known[rows]] for rows in folds]
    axis = np.array([millimetres(v) if np.isfinite(v) else v for v in log_axis])
    logs = {"mae_log": mean_error}
    lengths = {"mae_mm": mean_error, "axis_accuracy": axis_accuracy}
    where = np.flatnonzero(known)
    return _with_spread(lengths, truth_mm, axis, folds, where) | _with_spread(
        logs, np.log1p(truth_mm), log_axis, folds, where
    )


def _with_spread(
    measures: Mapping[str, Measure],
    truth: Any,
    predicted: Floats,
    folds: Rows,
    where: NDArray[np.intp] | slice = slice(None),
) -> dict[str, float]:
    found = {}
    for name, measure in measures.items():
        each = [measure(truth[rows], predicted[rows]) for rows in folds if len(rows)]
        defined = [value for value in each if np.isfinite(value)]
        found[name] = measure(truth[where], predicted[where])
        found[f"{name}_sd"] = float(np.std(defined, ddof=1)) if len(defined) > 1 else np.nan
    return found


def best_classifier(table: pd.DataFrame) -> str:
    """Return the estimator of highest AUC, of those alike that of lowest Brier score."""
    return str(table.sort_values(["auc", "brier"], ascending=[False, True]).index[0])


def best_regressor(table: pd.DataFrame) -> str:
    """Return the estimator of least mean error of log(1 + mm), "" where none was fitted."""
    return str(table["mae_log"].idxmin()) if "mae_log" in table else ""
