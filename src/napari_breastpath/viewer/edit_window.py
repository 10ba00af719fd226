"""The part of a map that is open to the brush: where it lies, how it looks, what a stroke says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.geometry import Box, Lattice
from napari_breastpath.edits import Change
from napari_breastpath.results.maps import ERASED
from napari_breastpath.viewer.coordinates import lattice_placement
from napari_breastpath.viewer.layers import TAG, LayerData, class_look

if TYPE_CHECKING:
    from napari_breastpath.results import Result

UInt8Array = NDArray[np.uint8]
LARGEST_PX = 4096
SMALLEST_PX, MARGIN = 1024, 0.25
"""Least edge of a window, and the share of the view it reaches beyond it on each side."""
EDIT_ROLE = "edit"


@dataclass(frozen=True, slots=True)
class EditWindow:
    """A window of a map.

    Attributes
    ----------
    row, column, height, width : int
        In map pixels.
    """

    row: int
    column: int
    height: int
    width: int

    @property
    def rows(self) -> slice:
        """Rows of the map."""
        return slice(self.row, self.row + self.height)

    @property
    def columns(self) -> slice:
        """Columns of the map."""
        return slice(self.column, self.column + self.width)

    @classmethod
    def of(cls, rows: slice, columns: slice) -> EditWindow:
        """Return the window of these rows and columns."""
        return cls(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)

    def holds(self, other: EditWindow) -> bool:
        """Tell whether `other` lies within."""
        return self.shared(other) == other

    def shared(self, other: EditWindow) -> EditWindow | None:
        """Return what both hold, None where they are apart."""
        rows, columns = _shared(self.rows, other.rows), _shared(self.columns, other.columns)
        return EditWindow.of(rows, columns) if rows and columns else None

    def around(self, other: EditWindow | None) -> EditWindow:
        """Return the smallest window that holds both."""
        if other is None:
            return self
        return EditWindow.of(_span(self.rows, other.rows), _span(self.columns, other.columns))

    def size_mm(self, lattice: Lattice) -> tuple[float, float]:
        """Return (width, height) in mm."""
        return self.width * lattice.mpp_x / 1000, self.height * lattice.mpp_y / 1000


def _shared(one: slice, two: slice) -> slice | None:
    start, stop = max(one.start, two.start), min(one.stop, two.stop)
    return slice(start, stop) if start < stop else None


def _span(one: slice, two: slice) -> slice:
    return slice(min(one.start, two.start), max(one.stop, two.stop))


def seen_window(view: Box, lattice: Lattice) -> EditWindow | None:
    """Return the map pixels that a view (level-0 px) touches, None where it shows none."""
    rows, columns = lattice.window(view)
    window = EditWindow.of(rows, columns)
    return window if window.height > 0 and window.width > 0 else None


def window_around(seen: EditWindow, lattice: Lattice, largest_px: int = LARGEST_PX) -> EditWindow:
    """Return the window to open for what is seen: with a margin, within the map.

    Raises
    ------
    UsageError
        More is seen than can be open at once.
    """
    if max(seen.height, seen.width) > largest_px:
        width, height = seen.size_mm(lattice)
        most = largest_px * max(lattice.mpp) / 1000
        cause = f"the view is {width:.0f} × {height:.0f} mm, the brush reaches {most:.0f} mm"
        raise UsageError("Correct", cause, "zoom in")
    rows = _with_margin(seen.rows, lattice.height, largest_px)
    return EditWindow.of(rows, _with_margin(seen.columns, lattice.width, largest_px))


def _with_margin(seen: slice, length: int, largest_px: int) -> slice:
    length_px = seen.stop - seen.start
    room = largest_px - length_px
    by = min(max(round(length_px * MARGIN), (SMALLEST_PX - length_px) // 2), room // 2)
    return slice(max(seen.start - by, 0), min(seen.stop + by, length))


def window_placement(result: Result, window: EditWindow) -> dict[str, Any]:
    """Return napari's layer arguments for a window of a result's map."""
    placed = lattice_placement(result.lattice, result.slide_mpp)
    corner = np.multiply((window.row, window.column), placed["scale"])
    return placed | {"translate": tuple(np.add(placed["translate"], corner))}


def edit_layer(result: Result, window: EditWindow, mask: UInt8Array) -> LayerData:
    """Describe the layer that hands paint in: the corrected mask of a window, in memory."""
    arguments = {
        "name": "Correct here",
        "opacity": 0.45,
        "metadata": {TAG: {"role": EDIT_ROLE, "result": result.path}},
        **class_look(result.classes),
        **window_placement(result, window),
    }
    return mask, arguments, "labels"


def stroke_change(atoms: Sequence[Any], window: EditWindow) -> Change | None:
    """Return what a stroke of napari's tools changed, as edit values.

    Parameters
    ----------
    atoms : sequence
        What `Labels.events.paint` carries: per dab the box, the pixels that changed in it (None for
        all) and the new value; or (indices, old values, new values).
    window : EditWindow
        Where the layer lies.

    Returns
    -------
    Change or None
        Only pixels the hand changed; 0 becomes erased. None when there are none.
    """
    boxes = [box for atom in atoms if (box := _box(atom)) is not None]
    if not boxes:
        return None
    rows = slice(min(r.start for r, _ in boxes), max(r.stop for r, _ in boxes))
    columns = slice(min(c.start for _, c in boxes), max(c.stop for _, c in boxes))
    values = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    where = np.zeros(values.shape, dtype=bool)
    for atom in atoms:
        _lay(atom, rows.start, columns.start, values, where)
    values[where & (values == 0)] = ERASED
    return Change(window.row + rows.start, window.column + columns.start, values, where)


def _box(atom: Any) -> tuple[slice, slice] | None:
    if hasattr(atom, "slice_key"):
        rows, columns = atom.slice_key
        return rows, columns
    (rows, columns), *_ = atom
    return (_extent(rows), _extent(columns)) if len(rows) else None


def _extent(indices: NDArray[np.intp]) -> slice:
    return slice(int(indices.min()), int(indices.max()) + 1)


def _lay(atom: Any, row: int, column: int, values: UInt8Array, where: NDArray[np.bool_]) -> None:
    """Put one dab into the stroke's box, whose corner is at (row, column) of the layer."""
    if not hasattr(atom, "slice_key"):
        (rows, columns), _, new = atom
        values[rows - row, columns - column] = new
        where[rows - row, columns - column] = True
        return
    rows, columns = atom.slice_key
    part = (
        slice(rows.start - row, rows.stop - row),
        slice(columns.start - column, columns.stop - column),
    )
    changed = np.ones(values[part].shape, bool) if atom.mask is None else atom.mask
    values[part][changed] = atom.new_value
    where[part] |= changed
