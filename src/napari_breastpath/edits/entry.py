"""What hands do, as values: a change that a tool wants, and a line of the log of what was done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

UInt8Array: TypeAlias = NDArray[np.uint8]
BoolArray: TypeAlias = NDArray[np.bool_]
Window: TypeAlias = tuple[int, int, int, int]
EDIT, UNDO, REDO = "edit", "undo", "redo"
NOTES = ("extent", "extent_reset", "ruler", "area", "ruler_removed", "review", "reopen")
MAKERS = HAND, MACHINE = ("hand", "machine")


@dataclass(frozen=True, slots=True)
class Change:
    """Edit values that a tool wants in a window of the map.

    Attributes
    ----------
    row, column : int
        Upper left map pixel of the window; what lies beyond the map is left out.
    values : ndarray of uint8, shape (h, w)
        0 the model's again, k class k (1-based), 255 erased.
    where : ndarray of bool, shape (h, w)
        The pixels meant.
    """

    row: int
    column: int
    values: UInt8Array
    where: BoolArray

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape != self.where.shape:
            raise ValueError(f"values {self.values.shape} and where {self.where.shape} differ")

    def window(self, rows: slice, columns: slice) -> Change:
        """Return the part within (rows, columns) of the map, perhaps without pixels."""
        top, left = max(rows.start, self.row), max(columns.start, self.column)
        bottom = max(top, min(rows.stop, self.row + self.values.shape[0]))
        right = max(left, min(columns.stop, self.column + self.values.shape[1]))
        part = (
            slice(top - self.row, bottom - self.row),
            slice(left - self.column, right - self.column),
        )
        return Change(top, left, self.values[part], self.where[part])


@dataclass(frozen=True, slots=True)
class Block:
    """Edit values of a window of the map before and after an edit, uint8 (h, w)."""

    row: int
    column: int
    old: UInt8Array
    new: UInt8Array

    @property
    def window(self) -> Window:
        """(row, column, height, width)."""
        height, width = self.old.shape
        return self.row, self.column, height, width

    @property
    def pixels(self) -> int:
        """How many differ."""
        return int(np.count_nonzero(self.old != self.new))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log.

    Attributes
    ----------
    number : int
        1-based, in the order of what happened.
    action : str
        `edit`, `undo`, `redo`, or a note without pixels: one of `NOTES`.
    tool : str
        `brush`, `eraser`, `polygon`, `fill holes`, `import`, …; empty for undo and redo.
    maker : str
        `hand`, or `machine` when a tool computed the pixels.
    reader : str
        Who; empty when unknown.
    time : str
        ISO 8601, UTC.
    seconds : float
        Of work at it.
    pixels : int
        Map pixels whose edit value changed.
    window : (row, column, height, width) or None
        Map pixels within which they lie.
    of : int or None
        Undo and redo: number of the edit meant.
    detail : dict
        What else belongs to it, as JSON.
    """

    number: int
    action: str
    tool: str
    maker: str
    reader: str
    time: str
    seconds: float
    pixels: int
    window: Window | None
    of: int | None
    detail: dict[str, Any]

    def to_json(self) -> str:
        """Return the entry as one line of JSON, strict and ASCII."""
        return json.dumps(asdict(self), allow_nan=False, default=lambda value: value.tolist())

    @classmethod
    def from_json(cls, line: str | bytes) -> Entry:
        """Read one line; ValueError or TypeError where it is none."""
        entry = cls(**json.loads(line))
        if entry.window is None:
            return entry
        row, column, height, width = map(int, entry.window)
        return replace(entry, window=(row, column, height, width))
