"""How far a fold is: its curve, and what its last epoch got wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from napari_breastpath.training.config import Config

Row: TypeAlias = dict[str, float]


@dataclass
class State:
    """What a checkpoint holds beside the tensors.

    Attributes
    ----------
    history : list of Row
        One row per finished epoch.
    wrong, right : list of int
        Tiles of the last epoch that were misclassified, and those that were not.
    """

    history: list[Row] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)

    @property
    def best(self) -> float:
        """Lowest validation loss so far."""
        return min((row["val_loss"] for row in self.history), default=float("inf"))

    def is_finished(self, config: Config) -> bool:
        """Tell whether epochs, patience or minutes are used up."""
        losses = [row["val_loss"] for row in self.history]
        stale = len(losses) - 1 - int(np.argmin(losses)) if losses else 0
        minutes = sum(row["seconds"] for row in self.history) / 60
        out_of_time = 0 < config.fit.minutes <= minutes
        return len(losses) >= config.fit.epochs or stale >= config.fit.patience or out_of_time
