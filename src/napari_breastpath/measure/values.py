"""What rasters over the same pixels say about each region: probabilities, pieces, flags."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure.runs import Runs, label_runs, row_bands, sum_by_label

Floats: TypeAlias = NDArray[np.float64]


def _inferred(band: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the values with 0 where never inferred, and where they were inferred."""
    if band.dtype == np.uint8:
        return band.reshape(-1), band.reshape(-1) > 0
    values = band.astype(np.float64).reshape(-1)
    inferred = ~np.isnan(values)
    return np.where(inferred, values, 0.0), inferred


def _per_run(operation: np.ufunc, flat: NDArray[Any], bounds: NDArray[np.int64], **kw: Any) -> Any:
    """Apply `operation` over flat[bounds[0]:bounds[1]], flat[bounds[2]:bounds[3]], …"""
    inside = bounds[:-1] if bounds[-1] == flat.size else bounds
    return operation.reduceat(flat, inside, **kw)[::2]


def _bounds(runs: Runs, some: slice, rows: slice) -> NDArray[np.int64]:
    offset = (runs.row[some].astype(np.int64) - rows.start) * runs.shape[1]
    return np.column_stack((offset + runs.start[some], offset + runs.end[some])).reshape(-1)


def probability_statistics(probability: Any, runs: Runs, count: int) -> tuple[Floats, Floats]:
    """Return the maximum and mean probability of each label over its inferred pixels.

    Parameters
    ----------
    probability : array_like, shape (y, x)
        Read by rows, so a zarr array does. uint8: 1..255 as v/255, 0 never inferred. Floats: 0..1,
        NaN never inferred.
    runs : Runs
    count : int
        Number of labels.

    Returns
    -------
    maximum, mean : ndarray of float64, shape (count,)
        NaN where no pixel was inferred.
    """
    whole = 255.0 if probability.dtype == np.uint8 else 1.0
    wide = np.int64 if whole == 255.0 else np.float64
    highest, total = np.zeros(count + 1), np.zeros(count + 1)
    seen = np.zeros(count, dtype=np.int64)
    for rows in row_bands(runs.shape):
        some = runs.within(rows)
        if some.start == some.stop:
            continue
        values, inferred = _inferred(np.asarray(probability[rows]))
        label, bounds = runs.label[some], _bounds(runs, some, rows)
        np.maximum.at(highest, label, _per_run(np.maximum, values, bounds).astype(np.float64))
        np.add.at(total, label, _per_run(np.add, values, bounds, dtype=wide).astype(np.float64))
        seen += sum_by_label(label, _per_run(np.add, inferred, bounds, dtype=np.int64), count)
    return _over_seen(highest[1:] / whole, total[1:] / whole, seen)


def _over_seen(highest: Floats, total: Floats, seen: NDArray[np.int64]) -> tuple[Floats, Floats]:
    if highest.max(initial=0.0) > 1:
        raise UsageError(
            "probability", "holds values over 1", "give floats 0..1 or uint8 stored values"
        )
    mean = np.full(len(seen), np.nan)
    np.divide(total, seen, out=mean, where=seen > 0)
    return np.where(seen > 0, highest, np.nan), mean


def main_piece(
    labels: NDArray[np.int32], pieces: NDArray[np.integer], count: int
) -> NDArray[np.int64]:
    """Return the tissue piece that holds most of each label's pixels, 0 where none holds any."""
    runs = label_runs(labels, also=pieces)
    piece = pieces[runs.row, runs.start].astype(np.int64)
    pairs, which = np.unique(
        np.column_stack((runs.label, piece))[piece > 0], axis=0, return_inverse=True
    )
    pixels = sum_by_label(which.reshape(-1) + 1, runs.length[piece > 0], len(pairs))
    order = np.lexsort((-pairs[:, 1], pixels, pairs[:, 0]))
    main = np.zeros(count + 1, dtype=np.int64)
    main[pairs[order, 0]] = pairs[order, 1]
    return main[1:]


def flagged(labels: NDArray[np.int32], flag: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Tell which labels have a pixel in `flag`."""
    found = np.zeros(count + 1, dtype=bool)
    for rows in row_bands(labels.shape):
        found[labels[rows][flag[rows]]] = True
    return found[1:]


def grown(flag: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `flag` grown by its 8 neighbours."""
    wide = flag.copy()
    wide[:, 1:] |= flag[:, :-1]
    wide[:, :-1] |= flag[:, 1:]
    tall = wide.copy()
    tall[1:] |= wide[:-1]
    tall[:-1] |= wide[1:]
    return tall


def on_border(labels: NDArray[np.int32], count: int) -> NDArray[np.bool_]:
    """Tell which labels have a pixel in the first or last row or column."""
    found = np.zeros(count + 1, dtype=bool)
    for line in (labels[:1], labels[-1:], labels[:, :1], labels[:, -1:]):
        found[line] = True
    return found[1:]
