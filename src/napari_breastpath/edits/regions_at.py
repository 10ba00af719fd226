"""The region under the pointer, however large it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_breastpath.edits.corrections import Corrections
from napari_breastpath.edits.entry import BoolArray
from napari_breastpath.edits.operations import EIGHT

FIRST_PX = 128
ReadMask = Callable[[slice, slice], BoolArray]


@dataclass(frozen=True, slots=True)
class RegionWindow:
    """One region of the corrected mask.

    Attributes
    ----------
    row, column : int
        Upper left map pixel of the window around it.
    mask : ndarray of bool, shape (h, w)
        Its pixels.
    class_value : int
        Its class, 1-based.
    """

    row: int
    column: int
    mask: BoolArray
    class_value: int

    @property
    def rows(self) -> slice:
        """Rows of the map that it spans."""
        return slice(self.row, self.row + self.mask.shape[0])

    @property
    def columns(self) -> slice:
        """Columns of the map that it spans."""
        return slice(self.column, self.column + self.mask.shape[1])


def around(
    corrections: Corrections, rows: slice, columns: slice, by: tuple[int, int]
) -> tuple[slice, slice]:
    """Return a window grown by (rows, columns) on every side, within the map."""
    height, width = corrections.result.lattice.shape
    return (
        slice(max(rows.start - by[0], 0), min(rows.stop + by[0], height)),
        slice(max(columns.start - by[1], 0), min(columns.stop + by[1], width)),
    )


def region_at(
    corrections: Corrections, row: int, column: int, within_px: int = 2
) -> RegionWindow | None:
    """Return the 8-connected region of one class that a map pixel lies in.

    Parameters
    ----------
    corrections : Corrections
    row, column : int
        A map pixel.
    within_px : int, by default 2
        Where it lies in none, the nearest region up to that many pixels away is taken.

    Returns
    -------
    RegionWindow or None
    """
    seed = _nearest(corrections, row, column, within_px)
    if seed is None:
        return None
    rows, columns = (slice(i, i + 1) for i in seed)
    value = int(corrections.mask(rows, columns)[0, 0])
    return connected(
        corrections, lambda rows, columns: corrections.mask(rows, columns) == value, seed, value
    )


def _nearest(
    corrections: Corrections, row: int, column: int, within_px: int
) -> tuple[int, int] | None:
    here = slice(row, row + 1), slice(column, column + 1)
    rows, columns = around(corrections, *here, (within_px, within_px))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    set_at = np.argwhere(corrections.mask(rows, columns)) + np.array([rows.start, columns.start])
    distance = np.hypot(*(set_at - np.array([row, column])).T)
    if not (distance <= within_px).any():
        return None
    nearest = set_at[distance.argmin()]
    return int(nearest[0]), int(nearest[1])


def connected(
    corrections: Corrections, read: ReadMask, seed: tuple[int, int], class_value: int = 0
) -> RegionWindow:
    """Return what is 8-connected to a set pixel of `read`, in a window that grows to hold it."""
    from scipy import ndimage

    here = slice(seed[0], seed[0] + 1), slice(seed[1], seed[1] + 1)
    rows, columns = around(corrections, *here, (FIRST_PX, FIRST_PX))
    while True:
        labels, _ = ndimage.label(read(rows, columns), structure=EIGHT)
        mask = labels == labels[seed[0] - rows.start, seed[1] - columns.start]
        wider = _grown_where_touched(corrections, mask, rows, columns)
        if wider == (rows, columns):
            break
        rows, columns = wider
    (inner,) = ndimage.find_objects(mask.view(np.int8))
    top, left = rows.start + inner[0].start, columns.start + inner[1].start
    return RegionWindow(top, left, mask[inner], class_value)


def _grown_where_touched(
    corrections: Corrections, mask: BoolArray, rows: slice, columns: slice
) -> tuple[slice, slice]:
    """Double a window beyond the sides that a region reaches, within the map."""
    height, width = mask.shape
    wide = around(corrections, rows, columns, (height, width))
    return (
        slice(
            wide[0].start if mask[0].any() else rows.start,
            wide[0].stop if mask[-1].any() else rows.stop,
        ),
        slice(
            wide[1].start if mask[:, 0].any() else columns.start,
            wide[1].stop if mask[:, -1].any() else columns.stop,
        ),
    )
