"""Keeping rulers and areas in a result's journal: what is to be noted, and noting it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.viewer.coordinates import to_level0
from napari_breastpath.viewer.ruler_shapes import Figure

if TYPE_CHECKING:
    from napari_breastpath.core.geometry import PixelSize
    from napari_breastpath.edits import Corrections, Entry


@dataclass(frozen=True, slots=True)
class Noted:
    """A figure that is in the journal, and the number of its entry."""

    number: int
    figure: Figure


@dataclass(frozen=True, slots=True)
class Step:
    """One figure to be brought up to date.

    Attributes
    ----------
    key : int
        Which of the layer's figures.
    old : int or None
        Entry to be taken back.
    figure : Figure or None
        What is there now; None where it was deleted.
    """

    key: int
    old: int | None
    figure: Figure | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some steps: what is in the journal now by key, and why it stopped early."""

    noted: dict[int, Noted | None]
    entries: tuple[Entry, ...] = ()
    error: str = ""


def steps(drawn: Mapping[int, Figure], noted: Mapping[int, Noted]) -> list[Step]:
    """Return what it takes to have in the journal exactly what is drawn."""
    gone = [Step(key, kept.number, None) for key, kept in noted.items() if key not in drawn]
    moved = [
        Step(key, kept.number, drawn[key])
        for key, kept in noted.items()
        if key in drawn and not kept.figure.same_as(drawn[key])
    ]
    new = [Step(key, None, figure) for key, figure in drawn.items() if key not in noted]
    return [*gone, *moved, *new]


def take(corrections: Corrections, mpp: PixelSize, wanted: Iterable[Step]) -> Outcome:
    """Note steps in the journal, in order, until one is refused."""
    done: dict[int, Noted | None] = {}
    entries: list[Entry] = []
    try:
        for step in wanted:
            if step.old is not None:
                entries.append(corrections.note("ruler_removed", {"number": step.old}))
                done[step.key] = None
            if step.figure is not None:
                entries.append(_add(corrections, mpp, step.figure))
                done[step.key] = Noted(entries[-1].number, step.figure)
    except BreastPathError as error:
        return Outcome(done, tuple(entries), str(error))
    return Outcome(done, tuple(entries))


def _add(corrections: Corrections, mpp: PixelSize, figure: Figure) -> Entry:
    points = [[float(x), float(y)] for x, y in to_level0(figure.points, mpp)]
    return corrections.note(figure.kind, {"points": points})
