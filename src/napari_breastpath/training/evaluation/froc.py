"""CAMELYON16's lesion-based FROC.

Source: the challenge's `Evaluation_FROC.py` and MONAI's `LesionFROC`, here in µm per axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int32]
FALSE_POSITIVES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
GROWN_UM = 75.0
ITC_UM = 200.0


@dataclass(frozen=True, slots=True)
class Lesions:
    """The true lesions of one slide.

    Attributes
    ----------
    labels : ndarray, int32 (y, x)
        Grown and filled; 0 is none.
    count : int
    itc : frozenset of int
        Labels of isolated tumour cells: neither missed nor found nor false.
    """

    labels: Labels
    count: int
    itc: frozenset[int]


@dataclass(frozen=True, slots=True)
class Hits:
    """What a slide's detections hit: probabilities.

    Attributes
    ----------
    false : ndarray, float (f,)
        Detections outside every lesion.
    found : ndarray, float (lesions,)
        The best detection in each lesion that counts, 0 where there is none.
    """

    false: Floats
    found: Floats


def true_lesions(mask: NDArray[np.bool_], mpp: tuple[float, float]) -> Lesions:
    """Return the lesions of a truth mask as CAMELYON16 counts them.

    The mask is grown by 37.5 µm on each side (75 µm, five cells, join lesions), its holes are
    filled, its 8-connected components are the lesions. Those whose moment axis is below 275 µm are
    isolated tumour cells.

    Parameters
    ----------
    mask : ndarray, bool (y, x)
    mpp : (x, y)
        µm/px of the mask.
    """
    from scipy import ndimage
    from skimage.measure import label, regionprops

    spacing = (mpp[1], mpp[0])
    if not mask.any():
        return Lesions(np.zeros(mask.shape, np.int32), 0, frozenset())
    grown = ndimage.distance_transform_edt(~mask, sampling=spacing) < GROWN_UM / 2
    labels = label(ndimage.binary_fill_holes(grown), connectivity=2).astype(np.int32)
    found = regionprops(labels, spacing=spacing)
    small = frozenset(int(r.label) for r in found if r.axis_major_length < ITC_UM + GROWN_UM)
    return Lesions(labels, len(found), small)


def score_detections(lesions: Lesions, rows: Floats, columns: Floats, probability: Floats) -> Hits:
    """Tell what each detection hits.

    Parameters
    ----------
    lesions : Lesions
    rows, columns : ndarray of float, shape (n,)
        In pixels of the lesions' raster; pixel i covers [i, i + 1). Beyond it nothing is hit.
    probability : ndarray of float, shape (n,)
    """
    y, x = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    height, width = lesions.labels.shape
    inside = (y >= 0) & (x >= 0) & (y < height) & (x < width)
    hit = np.zeros(len(probability), np.int64)
    hit[inside] = lesions.labels[y[inside], x[inside]]
    best = np.zeros(lesions.count + 1)
    np.maximum.at(best, hit, probability)
    counted = [k for k in range(1, lesions.count + 1) if k not in lesions.itc]
    return Hits(np.asarray(probability, dtype=float)[hit == 0], best[counted])


def froc_curve(slides: Sequence[Hits]) -> tuple[Floats, Floats]:
    """Return false positives per slide and sensitivity, over falling thresholds, from (0, 0).

    A detection counts at every threshold up to its own probability. The challenge's code leaves out
    the lowest threshold, which is 0 whenever a lesion is missed; here it is left out only then.
    """
    false = np.sort(np.concatenate([s.false for s in slides]))
    found = np.sort(np.concatenate([s.found for s in slides]))
    levels = np.unique(np.concatenate([false, found]))
    levels = levels[levels > 0][::-1]
    fp = len(false) - np.searchsorted(false, levels)
    tp = len(found) - np.searchsorted(found, levels)
    hits = np.append(0, tp)
    sensitivity = hits / len(found) if len(found) else np.full(len(hits), np.nan)
    return np.append(0, fp) / len(slides), sensitivity


def froc(slides: Sequence[Hits], at: Sequence[float] = FALSE_POSITIVES) -> dict[str, float]:
    """Return the sensitivity at each mean number of false positives per slide, and their mean.

    Linear between the points of the curve, its end beyond them. `froc` is CAMELYON16's score.
    """
    fp, sensitivity = froc_curve(slides)
    values = np.interp(at, fp, sensitivity)
    named = {f"sensitivity_at_{a:g}_fp": float(v) for a, v in zip(at, values, strict=True)}
    return {"froc": float(values.mean()), **named}


def peaks(
    probability: Floats, mpp: tuple[float, float], least: float = 0.5, apart_um: float = 150.0
) -> tuple[Floats, Floats, Floats]:
    """Return a map's peaks: rows, columns (pixel centres) and probabilities, strongest first.

    Parameters
    ----------
    probability : ndarray of float 0..1, shape (y, x)
    mpp : (x, y)
        µm/px; peaks are at least `apart_um` apart along the axis with the larger pixels.
    least : float
        Peaks lie above it.
    """
    from skimage.feature import peak_local_max

    distance = max(1, round(apart_um / min(mpp)))
    found = peak_local_max(
        probability, min_distance=distance, threshold_abs=least, exclude_border=False
    )
    return found[:, 0] + 0.5, found[:, 1] + 0.5, probability[found[:, 0], found[:, 1]]
