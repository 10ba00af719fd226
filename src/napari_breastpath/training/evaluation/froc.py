"""CAMELYON16's lesion-based FROC.

Source: the challenge's `Evaluation_FROC.py` and MONAI's `LesionFROC`, here in µm per axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

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
    heat: NDArray[Any], mpp: tuple[float, float], least: float = 0.5, apart_um: float = 150.0
) -> tuple[Floats, Floats, Floats]:
    """Return a map's peaks: rows, columns (pixel centres) and values, highest first.

    The highest pixel of each cell of half that distance, strongest first, unless a stronger one is
    nearer than `apart_um`: non-maximum suppression as in CAMELYON16's systems, on large maps too.

    Parameters
    ----------
    heat : ndarray, shape (y, x)
    mpp : (x, y)
        µm/px.
    least : float
        Peaks lie above it, in the map's own unit.
    apart_um : float
    """
    rows, columns = _cell_maxima(heat, [max(1, round(apart_um / 2 / m)) for m in mpp[::-1]])
    values = heat[rows, columns]
    order = np.argsort(-values.astype(float), kind="stable")
    order = order[values[order] > least]
    places = np.column_stack((rows * mpp[1], columns * mpp[0]))
    kept: list[int] = []
    for k in order:
        if not kept or np.hypot(*(places[kept] - places[k]).T).min() >= apart_um:
            kept.append(int(k))
    y, x = (np.asarray(each[kept], dtype=np.float64) + 0.5 for each in (rows, columns))
    return y, x, np.asarray(values[kept], dtype=np.float64)


def _cell_maxima(
    heat: NDArray[Any], cell: Sequence[int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the row and column of the first highest pixel of every cell of a grid."""
    padded = np.pad(heat, [(0, -n % c) for n, c in zip(heat.shape, cell, strict=True)])
    tall, wide = (n // c for n, c in zip(padded.shape, cell, strict=True))
    cells = padded.reshape(tall, cell[0], wide, cell[1]).swapaxes(1, 2).reshape(tall * wide, -1)
    inside = cells.argmax(axis=1)
    number = np.arange(tall * wide)
    rows = number // wide * cell[0] + inside // cell[1]
    columns = number % wide * cell[1] + inside % cell[1]
    held = (rows < heat.shape[0]) & (columns < heat.shape[1])
    return rows[held], columns[held]
