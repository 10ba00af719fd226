"""What the log of edits is in words: what can be undone, how much was done and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_breastpath.edits import Entry, hands_summary
from napari_breastpath.edits.entry import REDO, UNDO
from napari_breastpath.edits.state import Steps

MODE_TOOLS = {"paint": "brush", "erase": "eraser", "polygon": "polygon", "fill": "fill"}
"""napari's modes of a Labels layer, and what the log calls them."""


@dataclass(frozen=True, slots=True)
class NextSteps:
    """What undo and redo will do; None for nothing.

    Attributes
    ----------
    log : tuple of Entry
    undo, redo : Entry or None
    """

    log: tuple[Entry, ...]
    undo: Entry | None
    redo: Entry | None

    def said(self, entry: Entry) -> str:
        """Return what has just happened."""
        if entry.action not in (UNDO, REDO) or entry.of is None:
            return ""
        verb = "Undone" if entry.action == UNDO else "Done again"
        return f"{verb}: {tool_title(self.log[entry.of - 1].tool).lower()}"


def steps_of(log: Sequence[Entry]) -> NextSteps:
    """Return what can be undone and redone."""
    steps = Steps()
    for entry in log:
        steps.take(entry)
    undo, redo = (
        log[numbers[-1] - 1] if numbers else None for numbers in (steps.done, steps.undone)
    )
    return NextSteps(tuple(log), undo, redo)


def tool_title(tool: str) -> str:
    """Return a tool's name as a sentence begins with it."""
    return tool[:1].upper() + tool[1:]


def step_text(verb: str, entry: Entry | None) -> str:
    """Return a button's tooltip: what it will do, how large it was and by whom."""
    if entry is None:
        return f"Nothing to {verb.lower()}"
    who = f" · {entry.reader}" if entry.reader else ""
    return f"{verb}: {entry.tool} · {entry.pixels:,} map pixels{who}".replace(",", " ")


def summary_text(log: Sequence[Entry]) -> str:
    """Return "12 strokes · 3.4 min · A. Reader"; "" before anything was done."""
    done = hands_summary(log, 0)
    if not done["strokes"] and not done["seconds"]:
        return ""
    count = done["strokes"]
    parts = [f"{count} stroke{'' if count == 1 else 's'}", work_text(done["seconds"])]
    return " · ".join([*parts, *([", ".join(done["readers"])] if done["readers"] else [])])


def work_text(seconds: float) -> str:
    """Return time at work: 42 s, 3.4 min."""
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
