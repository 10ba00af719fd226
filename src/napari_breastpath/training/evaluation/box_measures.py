"""Measures of boxes, such as masses on mammograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.training.evaluation.slide_measures import ratio

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
RATIOS = ("iou", "smaller", "truth")
OVERLAP = 0.5


@dataclass(frozen=True, slots=True)
class ImageBoxes:
    """One image's detections against its true boxes.

    Attributes
    ----------
    score : ndarray of float, shape (n,)
        Of the detections, highest first.
    right : ndarray of bool, shape (n,)
        The detection is the first to reach a true box.
    true : int
        Number of true boxes.
    """

    score: Floats
    right: Bools
    true: int


def overlap_ratio(a: Floats, b: Floats, kind: str = "iou") -> Floats:
    """Return the overlapping ratio of every pair of boxes.

    Parameters
    ----------
    a, b : ndarray of float, shape (n, 4) and (m, 4)
        x, y, width, height in one unit.
    kind : {'iou', 'smaller', 'truth'}
        The intersection over the union, over the smaller of the two boxes, or over `b`.

    Returns
    -------
    ndarray of float, shape (n, m)
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], (b[:, :2] + b[:, 2:])[None])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    first, second = np.broadcast_arrays(a[:, 2:].prod(1)[:, None], b[:, 2:].prod(1)[None])
    union = first + second - shared
    whole = {"iou": union, "smaller": np.minimum(first, second), "truth": second}[kind]
    ratios: Floats = np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
    return ratios


def match_boxes(
    truth: Floats, detected: Floats, score: Floats, least: float = OVERLAP, kind: str = "iou"
) -> ImageBoxes:
    """Match detections to true boxes, highest score first (PASCAL VOC, Everingham et al. 2010).

    A detection is right where the true box that it overlaps most is reached with a ratio of at
    least `least` and no earlier detection has taken it; further ones on the same box are false.
    """
    order = np.argsort(-score, kind="stable")
    ratios = overlap_ratio(detected[order], truth, kind)
    right, taken = np.zeros(len(order), bool), np.zeros(len(truth), bool)
    for k in range(len(order) if len(truth) else 0):
        best = int(ratios[k].argmax())
        right[k] = ratios[k, best] >= least and not taken[best]
        taken[best] |= right[k]
    return ImageBoxes(score[order], right, len(truth))


def _joined(images: Sequence[ImageBoxes]) -> tuple[Floats, Bools, int]:
    """Return all detections, highest score first, and the number of true boxes."""
    score = np.concatenate([i.score for i in images])
    order = np.argsort(-score, kind="stable")
    right = np.concatenate([i.right for i in images])[order]
    return score[order], right, sum(i.true for i in images)


def average_precision(images: Sequence[ImageBoxes]) -> float:
    """Return the area under the interpolated precision–recall curve (VOC 2010 on: all points).

    NaN where there is no true box.
    """
    _, right, true = _joined(images)
    if not true:
        return float("nan")
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * right).sum() / true)


def operating_point(images: Sequence[ImageBoxes], threshold: float) -> dict[str, float]:
    """Return what detections with a score over the threshold give.

    `mean_sensitivity`: mean over the images that have a mass of the share found; `sensitivity`: of
    all masses together; `fppi`: false positives per image, images without a mass included.
    """
    found = [int(i.right[i.score > threshold].sum()) for i in images]
    false = [int((~i.right[i.score > threshold]).sum()) for i in images]
    shares = [hit / i.true for hit, i in zip(found, images, strict=True) if i.true]
    return {
        "mean_sensitivity": ratio(sum(shares), len(shares)),
        "sensitivity": ratio(sum(found), sum(i.true for i in images)),
        "fppi": ratio(sum(false), len(images)),
    }


def box_froc(images: Sequence[ImageBoxes]) -> tuple[Floats, Floats]:
    """Return false positives per image and sensitivity over falling thresholds, from (0, 0)."""
    score, right, true = _joined(images)
    ends = np.flatnonzero(np.append(np.diff(score) != 0, np.ones(min(len(score), 1), bool)))
    hits, false = np.cumsum(right)[ends], np.cumsum(~right)[ends]
    return np.append(0, false / len(images)), np.append(0, hits / max(true, 1))
