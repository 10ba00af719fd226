"""How long work says how far it has come, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a run.

    Attributes
    ----------
    stage : str
        `model`, `tissue`, `stain`, `inference` or `measure`; `download`, in bytes.
    done, total : int
        Units of this stage (tiles for `inference`) finished and expected.
    tiles_per_s : float
        Mean rate of this stage so far; 0.0 where it means nothing.
    """

    stage: str
    done: int
    total: int
    tiles_per_s: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until this stage ends, None where nothing is known."""
        return (self.total - self.done) / self.tiles_per_s if self.tiles_per_s > 0 else None


ProgressCallback: TypeAlias = Callable[[Progress], None]


def ignore_progress(progress: Progress) -> None:
    """Take a `Progress` and do nothing with it."""
