"""Runs: the horizontal stretches of pixels of one label, on which regions are measured.

A tumour map has some hundred times fewer runs than pixels, and area, moments, hull and perimeter
follow exactly from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

BAND_PIXELS = 1 << 20


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

    def __len__(self) -> int:
        return len(self.label)

    @property
    def length(self) -> NDArray[np.int64]:
        """Pixels in each run."""
        return self.end.astype(np.int64) - self.start

    def within(self, rows: slice) -> slice:
        """Return the slice of the runs that lie in a range of rows."""
        first, last = np.searchsorted(self.row, (rows.start, rows.stop))
        return slice(int(first), int(last))

    def take(self, which: NDArray[Any] | slice) -> Runs:
        """Return some of the runs, chosen by index, mask or slice."""
        parts = (self.label, self.row, self.start, self.end)
        return _runs((part[which] for part in parts), self.shape)

    def relabelled(self, label: NDArray[np.integer]) -> Runs:
        """Return the same runs with other labels."""
        return replace(self, label=label.astype(np.int32, copy=False))

    def keys(self, row_shift: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return start and end as flat positions, rows two pixels further apart than wide.

        Thus the neighbours of a border pixel lie in the padding and not in the next row.
        """
        begin = (self.row.astype(np.int64) + row_shift) * (self.shape[1] + 2) + 1
        return begin + self.start, begin + self.end


def _runs(columns: Iterable[NDArray[np.integer]], shape: tuple[int, int]) -> Runs:
    label, row, start, end = (column.astype(np.int32, copy=False) for column in columns)
    return Runs(label, row, start, end, shape)


class LabelImage(Protocol):
    """What can be read like a label image (y, x), by ranges of rows."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width)."""

    @property
    def dtype(self) -> Any:
        """Of what the rows hold."""

    def __getitem__(self, rows: slice, /) -> NDArray[Any]:
        """Return some rows."""


@dataclass(frozen=True, slots=True)
class PaintedRuns:
    """A label image, int32 (y, x), of which only the rows asked for are ever painted."""

    runs: Runs
    dtype = np.dtype(np.int32)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.runs.shape

    def __getitem__(self, rows: slice) -> NDArray[np.int32]:
        height, width = self.runs.shape
        top, bottom, _ = rows.indices(height)
        some = self.runs.take(self.runs.within(slice(top, bottom)))
        edges = np.zeros((max(bottom - top, 0), width + 1), dtype=np.int32)
        # Runs that touch end and begin in one place: both count.
        np.add.at(edges, (some.row - top, some.start), some.label)
        np.subtract.at(edges, (some.row - top, some.end), some.label)
        return np.cumsum(edges, axis=1, dtype=np.int32, out=edges)[:, :-1]


def row_bands(shape: tuple[int, int], pixels: int = BAND_PIXELS) -> Iterator[slice]:
    """Yield slices of rows that hold about `pixels` pixels each, from top to bottom."""
    height, width = shape
    rows = max(1, pixels // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(height, top + rows))


def _changes(band: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the pixels that differ from their left neighbour, and the first of every row."""
    change = np.empty(band.shape, dtype=bool)
    change[:, :1] = True
    np.not_equal(band[:, 1:], band[:, :-1], out=change[:, 1:])
    return change


def band_runs(band: NDArray[Any], top: int, height: int) -> Runs:
    """Return the runs of some rows of a label image `height` rows high, the first of them `top`."""
    width = band.shape[1]
    if not band.any():  # what hands edited, what could not be read: most often nothing
        return joined([], (height, width))
    begin = np.flatnonzero(_changes(band))
    label = band.reshape(-1)[begin]
    length = np.diff(begin, append=band.size)
    kept = np.flatnonzero(label)
    row, start = np.divmod(begin[kept], max(width, 1))
    return _runs((label[kept], row + top, start, start + length[kept]), (height, width))


def joined(parts: list[Runs], shape: tuple[int, int]) -> Runs:
    """Return the runs of bands, given from top to bottom, as those of the whole raster."""
    empty = np.zeros(0, dtype=np.int32)
    names = ("label", "row", "start", "end")
    columns = ([empty, *(getattr(part, name) for part in parts)] for name in names)
    return _runs(map(np.concatenate, columns), shape)


def label_runs(labels: LabelImage) -> Runs:
    """Return the runs of a label image or mask (y, x): 0 is background; touching labels part."""
    shape = (labels.shape[0], labels.shape[1])
    bands = row_bands(shape)
    return joined([band_runs(labels[rows], rows.start, shape[0]) for rows in bands], shape)


def together(parts: Iterable[Runs]) -> Runs:
    """Return the runs of rasters of one shape, at least one, in raster order."""
    given = list(parts)
    runs = joined(given, given[0].shape)
    return runs if len(given) == 1 else runs.take(np.argsort(runs.keys()[0], kind="stable"))


def enlarged(runs: Runs, factor: int, shape: tuple[int, int]) -> Runs:
    """Return the runs of a raster made `factor` times finer, cut to `shape`."""
    row = (runs.row[:, None] * factor + np.arange(factor)).reshape(-1)
    label, start, end = (
        column.repeat(factor) for column in (runs.label, runs.start * factor, runs.end * factor)
    )
    finer = _runs((label, row, start, np.minimum(end, shape[1])), shape)
    inside = finer.take((row < shape[0]) & (start < shape[1]))
    return inside.take(np.argsort(inside.row, kind="stable"))


@dataclass(frozen=True, slots=True)
class Components:
    """The 8-connected components of a mask.

    Attributes
    ----------
    runs : Runs
        Labelled by component, which are numbered in raster order of their first pixel.
    count : int
        How many there are.
    pairs : ndarray of int64, shape (n, 3)
        The run's pixels whose upper neighbour one column back, above, one column on is foreground.
    """

    runs: Runs
    count: int
    pairs: NDArray[np.int64]


def connected(runs: Runs) -> Components:
    """Return the components that runs in raster order make up, whatever their labels."""
    from napari_breastpath.measure import kernels

    label, parent = np.empty_like(runs.label), np.arange(len(runs), dtype=np.int32)
    pairs = np.zeros((len(runs), 3), dtype=np.int64)
    kernels.link(runs.row, runs.start, runs.end, parent, pairs)
    count = kernels.number(parent, label)
    return Components(runs.relabelled(label), count, pairs)


def touching(runs: Runs, others: Runs, reach: int = 0) -> NDArray[np.bool_]:
    """Tell which runs share a pixel with `others`, or with those grown by `reach` 8-neighbours."""
    from napari_breastpath.measure.kernels import places_of

    found = np.zeros(len(runs), dtype=bool)
    begin, stop = others.keys()
    for shift in range(-reach, reach + 1):
        start, end = runs.keys(shift)
        before = places_of(start - reach, stop, True)
        found |= places_of(end + reach, begin, False) > before
    return found


def overlaps(
    runs: Runs, others: Runs
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (run, other, pixels) of every pair of runs of two rasters that share pixels."""
    from napari_breastpath.measure.kernels import places_of

    (start, end), (begin, stop) = runs.keys(), others.keys()
    first = places_of(start, stop, True)
    number = places_of(end, begin, False) - first
    run = np.repeat(np.arange(len(runs)), number)
    other = first[run] + np.arange(len(run)) - np.repeat(np.cumsum(number) - number, number)
    return run, other, np.minimum(end[run], stop[other]) - np.maximum(start[run], begin[other])


def sum_by_label(
    label: NDArray[np.integer], values: NDArray[np.integer], count: int
) -> NDArray[np.int64]:
    """Return the exact sums of integer `values` over the labels 1..count, shape (count,)."""
    from napari_breastpath.measure.kernels import add_up

    total = np.zeros(count + 1, dtype=np.int64)
    add_up(total, label, values.astype(np.int64, copy=False))
    return total[1:]
