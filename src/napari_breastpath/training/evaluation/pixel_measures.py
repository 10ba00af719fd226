"""Measures of masks, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.training.evaluation.slide_measures import ratio

MEASURES = ("iou", "dice", "f1", "accuracy", "sensitivity", "specificity", "precision")


@dataclass(frozen=True, slots=True)
class Confusion:
    """Pixels by truth and prediction: true and false, positive and negative."""

    tp: int
    fp: int
    fn: int
    tn: int


def confusion(
    truth: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    where: NDArray[np.bool_] | None = None,
) -> Confusion:
    """Count the pixels of two masks of one shape, those in `where` only if it is given."""
    if where is not None:
        truth, predicted = truth[where], predicted[where]
    tp = int(np.count_nonzero(truth & predicted))
    fp, fn = int(np.count_nonzero(predicted)) - tp, int(np.count_nonzero(truth)) - tp
    return Confusion(tp, fp, fn, truth.size - tp - fp - fn)


def pooled(parts: Iterable[Confusion]) -> Confusion:
    """Return the sum of several images' counts."""
    counts = [(c.tp, c.fp, c.fn, c.tn) for c in parts]
    tp, fp, fn, tn = (sum(column) for column in zip(*counts, strict=True)) if counts else (0,) * 4
    return Confusion(tp, fp, fn, tn)


def pixel_measures(c: Confusion) -> dict[str, float]:
    """Return the measures by name; NaN where a denominator is 0 (no tumour in either, say).

    IoU = TP/(TP+FP+FN) (Jaccard 1901); Dice = F1 = 2TP/(2TP+FP+FN) (Dice 1945, van Rijsbergen
    1979: one number under two names for two masks); accuracy = (TP+TN)/all; sensitivity =
    TP/(TP+FN); specificity = TN/(TN+FP); precision = TP/(TP+FP).
    """
    dice = ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn)
    return {
        "iou": ratio(c.tp, c.tp + c.fp + c.fn),
        "dice": dice,
        "f1": dice,
        "accuracy": ratio(c.tp + c.tn, c.tp + c.fp + c.fn + c.tn),
        "sensitivity": ratio(c.tp, c.tp + c.fn),
        "specificity": ratio(c.tn, c.tn + c.fp),
        "precision": ratio(c.tp, c.tp + c.fp),
    }


def mean_measures(parts: Iterable[Confusion]) -> dict[str, float]:
    """Return the mean of each measure over the images in which it is defined."""
    table = [pixel_measures(c) for c in parts]
    columns = {name: [row[name] for row in table] for name in MEASURES}
    return {name: _mean(values) for name, values in columns.items()}


def _mean(values: list[float]) -> float:
    defined = [v for v in values if not np.isnan(v)]
    return float(np.mean(defined)) if defined else float("nan")
