"""Tools: each looks at the corrected mask and returns the `Change` it wants, None for none.

Points are (row, column) in map px, pixel i covering [i, i+1); lengths are in µm. A class painted
over a region never takes pixels of another class, except where a hand draws the outline itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from napari_breastpath.edits.corrections import Corrections
from napari_breastpath.edits.entry import BoolArray, Change, UInt8Array
from napari_breastpath.edits.operations import (
    EIGHT,
    Mpp,
    Point,
    fill_holes,
    grow,
    half_size,
    line_mask,
    polygon_mask,
    remove_islands,
    separating_width,
    smooth,
)
from napari_breastpath.edits.regions_at import RegionWindow, around, connected, region_at
from napari_breastpath.results.maps import ERASED


def fill_holes_in(corrections: Corrections, region: RegionWindow) -> Change | None:
    """Paint what a region encloses and nothing else holds with its class."""
    return _become(corrections, region, fill_holes(region.mask), region.rows, region.columns)


def smooth_region(
    corrections: Corrections, region: RegionWindow, radius_um: float
) -> Change | None:
    """Even out a region's outline; what is thinner than the radius goes."""
    rows, columns, mask = _padded(corrections, region, radius_um)
    smoothed = smooth(mask, radius_um, _mpp(corrections))
    return _become(corrections, region, smoothed, rows, columns)


def grow_region(corrections: Corrections, region: RegionWindow, um: float) -> Change | None:
    """Move a region's outline outwards by `um`, inwards where negative."""
    rows, columns, mask = _padded(corrections, region, abs(um))
    return _become(corrections, region, grow(mask, um, _mpp(corrections)), rows, columns)


def split_region(
    corrections: Corrections, region: RegionWindow, line_points: Sequence[Point], width_um: float
) -> Change | None:
    """Erase a region along a line, at least as wide as it takes to part it."""
    mpp = _mpp(corrections)
    line = _moved(line_points, region.row, region.column)
    cut = line_mask(_shape(region.mask), line, separating_width(width_um, mpp), mpp)
    return _change(region.row, region.column, ERASED, cut & region.mask)


def merge_regions(
    corrections: Corrections, a_point: Point, b_point: Point, width_um: float
) -> Change | None:
    """Join the regions at two points by a straight bridge of the first one's class."""
    points = a_point, b_point
    regions = [region_at(corrections, int(row), int(column)) for row, column in points]
    if regions[0] is None or regions[1] is None:
        return None
    rows, columns, bridge = _line(corrections, points, width_um)
    free = bridge & (corrections.mask(rows, columns) == 0)
    return _change(rows.start, columns.start, regions[0].class_value, free)


def delete_region(corrections: Corrections, region: RegionWindow) -> Change | None:
    """Erase a region."""
    return _change(region.row, region.column, ERASED, region.mask)


def revert_region(corrections: Corrections, region: RegionWindow) -> Change | None:
    """Take back what hands did in a region and in the painted or erased areas that touch it."""

    def touched(rows: slice, columns: slice) -> BoolArray:
        own = _placed(region, rows, columns)
        return own | _touching(corrections.edits(rows, columns), own)

    first = np.argwhere(region.mask)[0] + np.array([region.row, region.column])
    whole = connected(corrections, touched, (int(first[0]), int(first[1])))
    edited = whole.mask & (corrections.edits(whole.rows, whole.columns) != 0)
    return _change(whole.row, whole.column, 0, edited)


def remove_islands_in(
    corrections: Corrections, rows: slice, columns: slice, min_mm2: float
) -> Change | None:
    """Erase the regions smaller than `min_mm2` in a window of the map.

    Those that reach beyond the window stay: how large they are is not known.
    """
    mask = corrections.mask(rows, columns)
    small = np.zeros(mask.shape, dtype=bool)
    for value in np.unique(mask[mask > 0]):
        own = mask == value
        islands = own & ~remove_islands(own, min_mm2, _mpp(corrections))
        small |= islands & ~_reaching_out(corrections, islands, rows, columns)
    return _change(rows.start, columns.start, ERASED, small)


def polygon(corrections: Corrections, points: Sequence[Point], value: int) -> Change | None:
    """Paint what an outline encloses with class `value`; 0 erases."""
    if len(points) < 3:
        return None
    rows, columns = _around_points(corrections, points, (1, 1))
    inside = polygon_mask(_size(rows, columns), _moved(points, rows.start, columns.start))
    return _change(rows.start, columns.start, value or ERASED, inside)


def paint(
    corrections: Corrections, points: Sequence[Point], radius_um: float, value: int
) -> Change | None:
    """Paint along a line with a round brush of class `value`; 0 erases."""
    rows, columns, brushed = _line(corrections, points, 2 * radius_um)
    return _change(rows.start, columns.start, value or ERASED, brushed)


def paint_probable(
    corrections: Corrections,
    points: Sequence[Point],
    radius_um: float,
    value: int,
    threshold: float,
) -> Change | None:
    """Paint along a line where the model's probability exceeds `threshold`; 0 erases there."""
    rows, columns, brushed = _line(corrections, points, 2 * radius_um)
    probable = corrections.heat(rows, columns) > threshold * 255
    return _change(rows.start, columns.start, value or ERASED, brushed & probable)


def _mpp(corrections: Corrections) -> Mpp:
    return corrections.result.lattice.mpp


def _shape(mask: BoolArray) -> tuple[int, int]:
    return mask.shape[0], mask.shape[1]


def _size(rows: slice, columns: slice) -> tuple[int, int]:
    return rows.stop - rows.start, columns.stop - columns.start


def _change(row: int, column: int, value: int, where: BoolArray) -> Change | None:
    if not where.any():
        return None
    return Change(row, column, np.full(where.shape, value, np.uint8), where)


def _become(
    corrections: Corrections, region: RegionWindow, wanted: BoolArray, rows: slice, columns: slice
) -> Change | None:
    """Return what makes a region equal `wanted`, but for pixels of other regions."""
    mask, own = corrections.mask(rows, columns), _placed(region, rows, columns)
    added, removed = wanted & (mask == 0), own & ~wanted
    if not (added.any() or removed.any()):
        return None
    values = np.where(removed, ERASED, region.class_value).astype(np.uint8)
    return Change(rows.start, columns.start, values, added | removed)


def _placed(region: RegionWindow, rows: slice, columns: slice) -> BoolArray:
    """Return the part of a region that lies in a window of the map."""
    whole = Change(region.row, region.column, region.mask.view(np.uint8), region.mask)
    part = whole.window(rows, columns)
    own = np.zeros(_size(rows, columns), dtype=bool)
    top, left = part.row - rows.start, part.column - columns.start
    own[top : top + part.where.shape[0], left : left + part.where.shape[1]] = part.where
    return own


def _padded(
    corrections: Corrections, region: RegionWindow, um: float
) -> tuple[slice, slice, BoolArray]:
    """Return a region in a window with `um` and a pixel around it, within the map."""
    by_rows, by_columns = half_size(um, _mpp(corrections))
    margin = by_rows + 1, by_columns + 1
    rows, columns = around(corrections, region.rows, region.columns, margin)
    return rows, columns, _placed(region, rows, columns)


def _moved(points: Iterable[Point], row: int, column: int) -> list[Point]:
    return [(y - row, x - column) for y, x in points]


def _around_points(
    corrections: Corrections, points: Sequence[Point], by: tuple[int, int]
) -> tuple[slice, slice]:
    """Return the window of the map around points, perhaps empty."""
    low, high = np.floor(np.min(points, axis=0)), np.ceil(np.max(points, axis=0))
    height, width = corrections.result.lattice.shape
    top, left = (int(v) for v in np.clip(low, 0, (height, width)))
    bottom, right = (int(v) for v in np.clip(high, 0, (height, width)))
    return around(corrections, slice(top, bottom), slice(left, right), by)


def _line(
    corrections: Corrections, points: Sequence[Point], width_um: float
) -> tuple[slice, slice, BoolArray]:
    """Return a line without gaps, with its window of the map."""
    mpp = _mpp(corrections)
    width_um = separating_width(width_um, mpp)
    by_rows, by_columns = half_size(width_um / 2, mpp)
    rows, columns = _around_points(corrections, points, (by_rows + 1, by_columns + 1))
    line = _moved(points, rows.start, columns.start)
    return rows, columns, line_mask(_size(rows, columns), line, width_um, mpp)


def _touching(edits: UInt8Array, own: BoolArray) -> BoolArray:
    """Return the connected areas of equal edit value that touch a region or lie in it."""
    from scipy import ndimage

    near = ndimage.binary_dilation(own, EIGHT)
    touching = np.zeros(own.shape, dtype=bool)
    for value in np.unique(edits[near & (edits > 0)]):
        labels, _ = ndimage.label(edits == value, structure=EIGHT)
        touching |= (labels > 0) & np.isin(labels, labels[near])
    return touching


def _reaching_out(
    corrections: Corrections, islands: BoolArray, rows: slice, columns: slice
) -> BoolArray:
    """Return the islands that touch a side of the window which is no side of the map."""
    from scipy import ndimage

    labels, _ = ndimage.label(islands, structure=EIGHT)
    height, width = corrections.result.lattice.shape
    sides = (
        (labels[0], rows.start > 0),
        (labels[-1], rows.stop < height),
        (labels[:, 0], columns.start > 0),
        (labels[:, -1], columns.stop < width),
    )
    touching = [np.unique(side[side > 0]) for side, goes_on in sides if goes_on]
    return np.isin(labels, np.concatenate(touching)) if touching else np.zeros_like(islands)
