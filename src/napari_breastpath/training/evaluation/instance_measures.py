"""Measures of nuclei as instances: DSB2018's mean AP, aggregated Jaccard, panoptic quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.training.evaluation.slide_measures import ratio

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
DSB_THRESHOLDS = tuple(k / 100 for k in range(50, 100, 5))


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Every pair of a true and a predicted instance that share pixels.

    Attributes
    ----------
    truth, predicted : ndarray of int, shape (pairs,)
        Which instance, from 0.
    shared : ndarray of int, shape (pairs,)
        Pixels in both.
    truth_px, predicted_px : ndarray of int, shape (instances,)
        Sizes.
    """

    truth: Ints
    predicted: Ints
    shared: Ints
    truth_px: Ints
    predicted_px: Ints

    @property
    def union(self) -> Ints:
        """Pixels in either of each pair."""
        return self.truth_px[self.truth] + self.predicted_px[self.predicted] - self.shared

    @property
    def iou(self) -> Floats:
        """Intersection over union of each pair."""
        return self.shared / self.union


def overlaps(truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> Overlaps:
    """Compare two label images of one shape; 0 is background, labels need not be consecutive."""
    t_names, t = np.unique(truth, return_inverse=True)
    p_names, p = np.unique(predicted, return_inverse=True)
    code = t.reshape(-1).astype(np.int64) * len(p_names) + p.reshape(-1)
    pairs, shared = np.unique(code, return_counts=True)
    row, column = pairs // len(p_names), pairs % len(p_names)
    sizes = [np.bincount(k, shared).astype(np.int64) for k in (row, column)]
    inside = (t_names[row] != 0) & (p_names[column] != 0)
    return Overlaps(
        (np.cumsum(t_names != 0) - 1)[row[inside]],
        (np.cumsum(p_names != 0) - 1)[column[inside]],
        shared[inside],
        sizes[0][t_names != 0],
        sizes[1][p_names != 0],
    )


def average_precisions(o: Overlaps, thresholds: tuple[float, ...] = DSB_THRESHOLDS) -> Floats:
    """Return TP/(TP+FP+FN) of an image at each IoU threshold; a pair is right where IoU > t.

    Above 0.5 no instance can be in two such pairs. Source: Data Science Bowl 2018, "Evaluation".
    NaN where neither has an instance.
    """
    right = np.array([int((o.iou > t).sum()) for t in thresholds])
    return np.array([ratio(tp, len(o.truth_px) + len(o.predicted_px) - tp) for tp in right])


def dsb_mean_ap(o: Overlaps) -> float:
    """Return the mean over the IoU thresholds 0.50, 0.55 … 0.95 of an image's precision."""
    return float(average_precisions(o).mean())


def aggregated_jaccard(o: Overlaps) -> float:
    """Return the aggregated Jaccard index of an image (Kumar et al. 2017, algorithm 1).

    Each true instance takes the predicted one of highest IoU; Σ intersections over Σ unions, plus
    the pixels of predicted instances that none took. As HoVer-Net's `get_fast_aji`.
    """
    order = np.lexsort((o.predicted, -o.iou, o.truth))
    _, first = np.unique(o.truth[order], return_index=True)
    best = order[first]
    missed = np.setdiff1d(np.arange(len(o.truth_px)), o.truth[best])
    spare = np.setdiff1d(np.arange(len(o.predicted_px)), o.predicted[best])
    unions = o.union[best].sum() + o.truth_px[missed].sum() + o.predicted_px[spare].sum()
    return ratio(float(o.shared[best].sum()), float(unions))


@dataclass(frozen=True, slots=True)
class Panoptic:
    """Counts from which panoptic quality follows; those of several images add up."""

    tp: int
    fp: int
    fn: int
    iou: float

    @classmethod
    def of(cls, o: Overlaps) -> Panoptic:
        """Count the pairs with IoU > 0.5."""
        right = o.iou > 0.5
        tp = int(right.sum())
        spare, missed = len(o.predicted_px) - tp, len(o.truth_px) - tp
        return cls(tp, spare, missed, float(o.iou[right].sum()))


def panoptic_quality(*images: Panoptic) -> dict[str, float]:
    """Return detection quality, segmentation quality and their product PQ (Kirillov et al. 2019).

    DQ = TP/(TP + ½FP + ½FN), SQ = mean IoU of the TP; a pair is right where IoU > 0.5.
    """
    tp, fp, fn = (sum(getattr(p, name) for p in images) for name in ("tp", "fp", "fn"))
    dq, sq = ratio(2 * tp, 2 * tp + fp + fn), ratio(sum(p.iou for p in images), tp)
    return {"dq": dq, "sq": sq, "pq": dq * sq if tp else dq}
