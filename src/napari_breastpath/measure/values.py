"""What rasters over the same pixels say about each region: probabilities, pieces, flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure.runs import Runs, overlaps, row_bands, sum_by_label, touching

Floats: TypeAlias = NDArray[np.float64]
AT_ONCE = 1 << 21


@dataclass(frozen=True, slots=True)
class RunValues:
    """The probabilities along each of some runs.

    Attributes
    ----------
    highest, total : ndarray of float64, shape (n,)
        Maximum and sum over the inferred pixels, 0 where there are none.
    seen : ndarray of int64, shape (n,)
        Number of inferred pixels.
    whole : float
        Value that stands for probability 1.
    """

    highest: Floats
    total: Floats
    seen: NDArray[np.int64]
    whole: float = 255.0

    def take(self, which: NDArray[Any] | slice) -> RunValues:
        """Return those of some of the runs."""
        return RunValues(self.highest[which], self.total[which], self.seen[which], self.whole)


def joined_values(parts: list[RunValues]) -> RunValues:
    """Return the values of runs given in several parts."""
    names = ("highest", "total", "seen")
    highest, total, seen = (
        np.concatenate([getattr(part, name) for part in parts]) for name in names
    )
    return RunValues(highest, total, seen, parts[0].whole)


def band_values(band: NDArray[Any], runs: Runs, top: int) -> RunValues:
    """Return the probabilities along runs of a band of rows, the first of which is `top`.

    Parameters
    ----------
    band : ndarray, shape (rows, x)
        uint8: 1..255 as v/255, 0 never inferred. Floats: 0..1, NaN never inferred.
    runs : Runs
        Within the band, rows counted in the whole raster.
    top : int
    """
    row = runs.row.astype(np.int64) - top
    if band.dtype == np.uint8:
        return _stored_values(band, runs, row)
    return _float_values(band.astype(np.float64), runs, row)


def _stored_values(band: NDArray[np.uint8], runs: Runs, row: NDArray[np.int64]) -> RunValues:
    from napari_breastpath.measure import kernels

    values = np.empty((len(runs), 3), dtype=np.int64)
    kernels.stored_values(np.ascontiguousarray(band), row, runs.start, runs.end, values)
    return RunValues(values[:, 0].astype(np.float64), values[:, 1].astype(np.float64), values[:, 2])


def _float_values(band: Floats, runs: Runs, row: NDArray[np.int64]) -> RunValues:
    if not len(runs):
        return RunValues(np.zeros(0), np.zeros(0), np.zeros(0, np.int64), 1.0)
    flat = band.reshape(-1)
    inferred = ~np.isnan(flat)
    values = np.where(inferred, flat, 0.0)
    begin = row * band.shape[1]
    bounds = np.column_stack((begin + runs.start, begin + runs.end)).reshape(-1)
    highest, total = (_per_run(of, values, bounds) for of in (np.maximum, np.add))
    return RunValues(highest, total, _per_run(np.add, inferred.astype(np.int64), bounds), 1.0)


def _per_run(operation: np.ufunc, flat: NDArray[Any], bounds: NDArray[np.int64]) -> Any:
    """Apply `operation` over flat[bounds[0]:bounds[1]], flat[bounds[2]:bounds[3]], …"""
    inside = bounds[:-1] if bounds[-1] == flat.size else bounds
    return operation.reduceat(flat, inside)[::2]


def run_values(probability: Any, runs: Runs) -> RunValues:
    """Return the probabilities along all runs of a raster (y, x); read by rows, so zarr does."""
    bands = [rows for rows in row_bands(runs.shape) if len(runs.take(runs.within(rows)))]
    parts = [
        band_values(np.asarray(probability[rows]), runs.take(runs.within(rows)), rows.start)
        for rows in bands or [slice(0, 0)]
    ]
    return joined_values(parts)


def probability_statistics(
    values: RunValues, label: NDArray[np.integer], count: int
) -> tuple[Floats, Floats]:
    """Return the maximum and mean probability of each label over its inferred pixels.

    Parameters
    ----------
    values : RunValues
    label : ndarray of int, shape (n,)
        Of the same runs.
    count : int
        Number of labels.

    Returns
    -------
    maximum, mean : ndarray of float64, shape (count,)
        NaN where no pixel was inferred.
    """
    from napari_breastpath.measure.kernels import add_up, raise_to

    highest, total = np.zeros(count + 1), np.zeros(count + 1)
    raise_to(highest, label, values.highest)
    add_up(total, label, values.total)
    seen = sum_by_label(label, values.seen, count)
    return _over_seen(highest[1:] / values.whole, total[1:] / values.whole, seen)


def _over_seen(highest: Floats, total: Floats, seen: NDArray[np.int64]) -> tuple[Floats, Floats]:
    if highest.max(initial=0.0) > 1:
        raise UsageError(
            "probability", "holds values over 1", "give floats 0..1 or uint8 stored values"
        )
    mean = np.full(len(seen), np.nan)
    np.divide(total, seen, out=mean, where=seen > 0)
    return np.where(seen > 0, highest, np.nan), mean


def main_piece(runs: Runs, pieces: Runs, count: int) -> NDArray[np.int64]:
    """Return the tissue piece that holds most of each label's pixels, 0 where none holds any.

    Of pieces with equally many, the one with the lower number.
    """
    from napari_breastpath.measure.kernels import add_up

    run, other, pixels = overlaps(runs, pieces)
    label, piece = runs.label[run], pieces.label[other]
    main, most = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    at_once = max(1, min(AT_ONCE // (count + 1), int(pieces.label.max(initial=0))))
    for low in range(1, int(pieces.label.max(initial=0)) + 1, at_once):
        some = (piece >= low) & (piece < low + at_once)
        shared = np.zeros((count + 1, at_once), dtype=np.int64)
        add_up(shared.reshape(-1), label[some] * at_once + piece[some] - low, pixels[some])
        best = shared[1:].argmax(axis=1)
        pixels_of_best = shared[np.arange(1, count + 1), best]
        better = pixels_of_best > most
        main[better], most[better] = best[better] + low, pixels_of_best[better]
    return main


def flagged(runs: Runs, flag: Runs, count: int, reach: int = 0) -> NDArray[np.bool_]:
    """Tell which labels have a pixel in `flag`, grown by `reach` 8-neighbours."""
    found = np.zeros(count + 1, dtype=bool)
    found[runs.label[touching(runs, flag, reach)]] = True
    return found[1:]


def on_border(runs: Runs, count: int) -> NDArray[np.bool_]:
    """Tell which labels have a pixel in the first or last row or column."""
    height, width = runs.shape
    outer = (runs.row == 0) | (runs.row == height - 1) | (runs.start == 0) | (runs.end == width)
    found = np.zeros(count + 1, dtype=bool)
    found[runs.label[outer]] = True
    return found[1:]
