"""Runs: the horizontal stretches of pixels of one label, on which regions are measured.

A tumour map has some hundred times fewer runs than pixels, and area, moments, hull and perimeter
follow exactly from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BAND_PIXELS = 1 << 22
NOWHERE = -(1 << 62)
EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, slots=True)
class Runs:
    """Stretches of equal, non-zero label, in raster order.

    Attributes
    ----------
    label, row, start, end : ndarray of int32, shape (n,)
        Label, row, first column and the column after the last.
    shape : tuple of int
        (height, width) of the raster.
    """

    label: NDArray[np.int32]
    row: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    shape: tuple[int, int]

    @property
    def length(self) -> NDArray[np.int64]:
        """Pixels in each run."""
        return self.end.astype(np.int64) - self.start

    def within(self, rows: slice) -> slice:
        """Return the slice of the runs that lie in a range of rows."""
        first, last = np.searchsorted(self.row, (rows.start, rows.stop))
        return slice(int(first), int(last))


def row_bands(shape: tuple[int, int], pixels: int = BAND_PIXELS) -> Iterator[slice]:
    """Yield slices of rows that hold about `pixels` pixels each, from top to bottom."""
    height, width = shape
    rows = max(1, pixels // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(height, top + rows))


def label_mask(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Return the 8-connected components of `mask`, numbered in raster order, and their count."""
    from scipy import ndimage

    labels = np.empty(mask.shape, dtype=np.int32)
    count = ndimage.label(mask, structure=EIGHT_CONNECTED, output=labels) if mask.size else 0
    return labels, int(count)


def _changes(band: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Mark the pixels that differ from their left neighbour, and the first of every row."""
    change = np.empty(band.shape, dtype=bool)
    change[:, :1] = True
    np.not_equal(band[:, 1:], band[:, :-1], out=change[:, 1:])
    return change


def _band_runs(
    band: NDArray[np.integer], also: NDArray[np.integer] | None
) -> tuple[NDArray[np.int32], ...]:
    width = band.shape[1]
    change = _changes(band) if also is None else _changes(band) | _changes(also)
    begin = np.flatnonzero(change)
    label = band.reshape(-1)[begin]
    length = np.diff(begin, append=band.size)
    kept = np.flatnonzero(label)
    row, start = np.divmod(begin[kept], width)
    parts = (label[kept], row, start, start + length[kept])
    return tuple(part.astype(np.int32, copy=False) for part in parts)


def label_runs(labels: NDArray[np.integer], also: NDArray[np.integer] | None = None) -> Runs:
    """Return the runs of a label image.

    Parameters
    ----------
    labels : ndarray of int, shape (y, x)
        0 is background; touching labels are kept apart.
    also : ndarray of int, shape (y, x), optional
        Runs end where this one changes, too.
    """
    found: list[tuple[NDArray[np.int32], ...]] = [(np.zeros(0, dtype=np.int32),) * 4]
    for rows in row_bands(labels.shape):
        label, row, *columns = _band_runs(labels[rows], None if also is None else also[rows])
        found.append((label, row + np.int32(rows.start), *columns))
    label, row, start, end = (np.concatenate(column) for column in zip(*found, strict=True))
    return Runs(label, row, start, end, (labels.shape[0], labels.shape[1]))


def sum_by_label(
    label: NDArray[np.integer], values: NDArray[np.integer], count: int
) -> NDArray[np.int64]:
    """Return the exact sums of integer `values` over the labels 1..count, shape (count,)."""
    total = np.zeros(count + 1, dtype=np.int64)
    np.add.at(total, label, values.astype(np.int64, copy=False))
    return total[1:]


def foreground_before(runs: Runs, position: NDArray[np.int64], stride: int) -> NDArray[np.int64]:
    """Return how many run pixels come before flat `position` = row · stride + column + 1.

    `stride` is at least the raster's width + 2, so that the neighbours of a border pixel lie in the
    padding and not in the next row.
    """
    start = runs.row.astype(np.int64) * stride + runs.start + 1
    before = np.concatenate(([0], np.cumsum(runs.length)))
    index = np.searchsorted(start, position, side="right")
    last_end = np.concatenate(([NOWHERE], start + runs.length))[index]
    return before[index] - np.maximum(last_end - position, 0)
