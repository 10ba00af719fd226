"""Strokes on their way to disk, in order; one that cannot be written is kept and tried again."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.edits import Change, Corrections, Entry


@dataclass(frozen=True, slots=True)
class Stroke:
    """One stroke of a hand.

    Attributes
    ----------
    corrections : Corrections
        Where it belongs.
    change : Change
    tool : str
    seconds : float
        From pressing the mouse to letting go.
    """

    corrections: Corrections
    change: Change
    tool: str
    seconds: float

    def write(self) -> Entry | None:
        """Write it; None where nothing changes."""
        return self.corrections.apply(self.change, self.tool, seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of waiting strokes.

    Attributes
    ----------
    entries : tuple of Entry
        Of those that are on disk now.
    refused : tuple of Change
        Those of a result that was reviewed meanwhile: they are gone.
    error : BreastPathError or None
        Why the others wait on.
    """

    entries: tuple[Entry, ...] = ()
    refused: tuple[Change, ...] = ()
    error: BreastPathError | None = None


class Strokes:
    """Strokes that are not on disk yet."""

    def __init__(self) -> None:
        self._waiting: deque[Stroke] = deque()
        self._added = self._gone = 0
        self._writing = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def last(self) -> int:
        """Number of the stroke that was added last."""
        return self._added

    def add(self, stroke: Stroke) -> None:
        """Put a stroke behind the others."""
        self._waiting.append(stroke)
        self._added += 1

    def write(self, last: int) -> Written:
        """Write those that wait, up to number `last`, in any thread; on an error they wait on."""
        entries: list[Entry] = []
        refused: list[Change] = []
        with self._writing:
            while self._gone < last:
                stroke = self._waiting[0]
                try:
                    entry = stroke.write()
                except BreastPathError as error:
                    if stroke.corrections.state.reviewed is None:
                        return Written(tuple(entries), tuple(refused), error)
                    refused.append(stroke.change)
                else:
                    entries += [entry] if entry is not None else []
                self._waiting.popleft()
                self._gone += 1
        return Written(tuple(entries), tuple(refused))
