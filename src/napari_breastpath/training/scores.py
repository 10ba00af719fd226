"""What a validation says: loss, confusion, figures, and logits to calibrate by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.training.config import Config
from napari_breastpath.training.evaluation.slide_measures import roc_auc

if TYPE_CHECKING:
    import torch

Counts: TypeAlias = NDArray[np.int64]
LOGITS_PER_TILE = 500
# Points: chances are compared in cells about as large as a cell's nucleus.
CELL_UM = 8.0
NEAR_POINT = 0.1


@dataclass
class Tally:
    """Sums over the tiles of a validation.

    Attributes
    ----------
    confusion : ndarray of int64 (classes or 2, same)
        Rows the truth, columns the prediction; of one class: not it, it.
    loss_sum, weight : float
    logits, truths : list of ndarray
        Some of each tile's, for calibration: (n, C) and (n,).
    cells, hits : list of ndarray
        `points`: largest chance in each cell, and whether a point is in it.
    """

    confusion: Counts
    loss_sum: float = 0.0
    weight: float = 0.0
    logits: list[NDArray[Any]] = field(default_factory=list)
    truths: list[NDArray[Any]] = field(default_factory=list)
    cells: list[NDArray[Any]] = field(default_factory=list)
    hits: list[NDArray[np.bool_]] = field(default_factory=list)

    @classmethod
    def empty(cls, config: Config) -> Tally:
        """Return one with nothing in it."""
        size = max(2, len(config.classes))
        return cls(np.zeros((size, size), np.int64))

    @property
    def loss(self) -> float:
        """Mean loss."""
        return self.loss_sum / max(self.weight, 1e-9)

    def add(
        self, config: Config, logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor
    ) -> None:
        """Count a batch; arguments as those of a loss."""
        known = weight > 0
        found, true = predicted(logits), labels(truth)
        pairs = (true * len(self.confusion) + found)[known].cpu().numpy()
        self.confusion += np.bincount(pairs, minlength=self.confusion.size).reshape(
            self.confusion.shape
        )
        flat = logits.movedim(1, -1)[known].float().cpu().numpy()
        soft = (truth.squeeze(1) if truth.is_floating_point() else truth)[known].cpu().numpy()
        step = max(1, len(flat) // (LOGITS_PER_TILE * len(logits)))
        self.logits.append(flat[::step])
        self.truths.append(soft[::step])
        if config.task == "points":
            self._add_cells(config, logits, truth, weight)

    def _add_cells(
        self, config: Config, logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor
    ) -> None:
        from torch.nn.functional import max_pool2d

        cell = max(1, round(CELL_UM / config.mpp))
        chance = max_pool2d(logits.sigmoid().float() * (weight > 0).unsqueeze(1), cell)
        nearness = max_pool2d(truth.float(), cell)
        clear = (nearness > 0.5) | (nearness < NEAR_POINT)
        self.cells.append(chance[clear].cpu().numpy())
        self.hits.append((nearness > 0.5)[clear].cpu().numpy())

    def figures(self, config: Config) -> dict[str, float]:
        """Return what the curves and the card show."""
        found = {"loss": self.loss} | confusion_figures(self.confusion)
        if config.task == "points":
            found["cell_auc"] = roc_auc(_joined(self.hits), _joined(self.cells))
        elif config.task == "classification" and len(config.classes) == 1:
            found["auc"] = roc_auc(_joined(self.truths) > 0.5, _joined(self.logits)[:, 0])
        return {name: round(float(value), 6) for name, value in found.items()}


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0)


def predicted(logits: torch.Tensor) -> torch.Tensor:
    """Return the likeliest class, (N, …) int64; of one class 0 or 1."""
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).long()
    return logits.argmax(dim=1)


def labels(truth: torch.Tensor) -> torch.Tensor:
    """Return a truth as class numbers from 0, (N, …) int64."""
    return (truth[:, 0] > 0.5).long() if truth.is_floating_point() else truth.clamp(min=0)


def confusion_figures(confusion: Counts) -> dict[str, float]:
    """Return accuracy, and Dice, IoU, sensitivity and specificity of all but the first class.

    Of several classes the mean over those that occur; NaN where nothing occurs.
    """
    total = confusion.sum()
    hit = np.diag(confusion).astype(float)
    true, found = confusion.sum(axis=1), confusion.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        each = {
            "dice": 2 * hit / (true + found),
            "iou": hit / (true + found - hit),
            "sensitivity": hit / true,
            "specificity": (total - true - found + hit) / (total - true),
        }
        figures = {"accuracy": float(hit.sum() / total)}
    return figures | {name: _mean(values[1:]) for name, values in each.items()}


def _mean(values: NDArray[np.float64]) -> float:
    present = values[np.isfinite(values)]
    return float(present.mean()) if present.size else float("nan")


def misclassified(
    task: str, logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Return which tiles of a batch are wrong, bool (N,).

    A class that is not the tile's; a point that is missed or chance where no point is near; of a
    mask less than half shared (intersection over union) with what was found.
    """
    if task == "classification":
        return (predicted(logits) != labels(truth)) & (weight > 0)
    found, true = (predicted(logits) > 0) & (weight > 0), (labels(truth) > 0) & (weight > 0)
    if task == "points":
        near = (truth[:, 0] >= NEAR_POINT) & (weight > 0)
        false_alarm = (found & ~near).flatten(1).any(1)
        missed = true.flatten(1).any(1) & ~(found & near).flatten(1).any(1)
        return false_alarm | missed
    both, either = ((m.flatten(1).sum(1)) for m in (found & true, found | true))
    return both * 2 < either
