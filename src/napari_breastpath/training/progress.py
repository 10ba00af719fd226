"""What a training tells while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from napari_breastpath.core.progress import Progress


@dataclass(frozen=True, slots=True)
class TrainingProgress(Progress):
    """One batch, or one epoch, of a training.

    `done` and `total` count batches of the epoch.

    Attributes
    ----------
    fold, epoch, epochs : int
        From 1; epochs at most.
    row : mapping of str to float
        Once per finished epoch: its line of curves.csv; empty otherwise.
    """

    fold: int = 1
    epoch: int = 1
    epochs: int = 1
    row: Mapping[str, float] = field(default_factory=dict)
