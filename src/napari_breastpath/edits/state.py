"""What the log comes to: the extent drawn by hand, rulers, the review, the undo steps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from napari_breastpath.edits.entry import EDIT, REDO, UNDO, Entry


@dataclass(frozen=True, slots=True)
class ManualExtent:
    """The longest extent as drawn by hand: ends in level-0 px, length in mm."""

    x1: float
    y1: float
    x2: float
    y2: float
    length_mm: float
    reader: str
    time: str


@dataclass(frozen=True, slots=True)
class Ruler:
    """A length (`ruler`) or an outline (`area`), points (x, y) in level-0 px."""

    number: int
    kind: str
    points: tuple[tuple[float, float], ...]
    reader: str
    time: str


@dataclass(frozen=True, slots=True)
class Review:
    """Who called the result reviewed, and when (ISO 8601, UTC)."""

    reader: str
    time: str


@dataclass(frozen=True, slots=True)
class HandState:
    """What hands left on a result besides edited pixels.

    Attributes
    ----------
    extent : ManualExtent or None
        The last one drawn and not reset.
    rulers : tuple of Ruler
        Those not removed, in the order drawn.
    reviewed : Review or None
        While set, nothing is changed before a `reopen`.
    """

    extent: ManualExtent | None = None
    rulers: tuple[Ruler, ...] = ()
    reviewed: Review | None = None

    def after(self, entry: Entry) -> HandState:
        """Return the state once `entry` has happened.

        Raises
        ------
        KeyError, TypeError, ValueError
            The entry's detail lacks what its action needs.
        """
        if entry.action in ("extent", "extent_reset"):
            return replace(self, extent=_extent(entry) if entry.action == "extent" else None)
        if entry.action in ("ruler", "area"):
            return replace(self, rulers=(*self.rulers, _ruler(entry)))
        if entry.action == "ruler_removed":
            gone = entry.detail["number"]
            return replace(self, rulers=tuple(r for r in self.rulers if r.number != gone))
        if entry.action in ("review", "reopen"):
            reviewed = Review(entry.reader, entry.time) if entry.action == "review" else None
            return replace(self, reviewed=reviewed)
        return self


def _extent(entry: Entry) -> ManualExtent:
    names = ("x1", "y1", "x2", "y2", "length_mm")
    x1, y1, x2, y2, length_mm = (_finite(entry.detail[name]) for name in names)
    return ManualExtent(x1, y1, x2, y2, length_mm, entry.reader, entry.time)


def _ruler(entry: Entry) -> Ruler:
    points = tuple((_finite(x), _finite(y)) for x, y in entry.detail["points"])
    if len(points) < (2 if entry.action == "ruler" else 3):
        raise ValueError(f"{len(points)} points")
    return Ruler(entry.number, entry.action, points, entry.reader, entry.time)


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no place")
    return float(value)


def folded(log: Iterable[Entry]) -> HandState:
    """Return what a log comes to."""
    return reduce(HandState.after, log, HandState())


class Steps:
    """Which edits are in force and which can be done again, in order."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.undone: list[int] = []

    def take(self, entry: Entry) -> None:
        """Bring one entry of the log in."""
        if entry.action == EDIT:
            self.done.append(entry.number)
            self.undone.clear()
        elif entry.action == UNDO:
            self.undone.append(self.done.pop())
        elif entry.action == REDO:
            self.done.append(self.undone.pop())


def hands_summary(log: Iterable[Entry], pixels: int) -> dict[str, Any]:
    """Return result.json's `edits`: strokes in force, pixels now edited, work in s, readers."""
    entries, steps = tuple(log), Steps()
    for entry in entries:
        steps.take(entry)
    return {
        "strokes": len(steps.done),
        "pixels": pixels,
        "seconds": round(sum(entry.seconds for entry in entries), 1),
        "readers": sorted({entry.reader for entry in entries if entry.reader}),
    }
