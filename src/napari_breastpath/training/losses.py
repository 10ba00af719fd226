"""Losses, by the name that a config gives them.

Each takes logits, the truth and a weight for every pixel (or tile) and gives one number. Logits are
(N, C, …); the truth of one class is float (N, 1, …) in 0–1, that of several the class's index,
int64 (N, …); weights are float (N, …), 0 where nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import torch

Function: TypeAlias = Callable[["torch.Tensor", "torch.Tensor", "torch.Tensor"], "torch.Tensor"]
SMOOTH: Final = 1.0
FOCAL_GAMMA: Final = 2.0


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss, and whether it is for one class (`one`), for several, or for both."""

    function: Function
    one: bool = False
    several: bool = False

    def fits(self, classes: int) -> bool:
        """Tell whether it can be used with so many classes."""
        return self.one if classes == 1 else self.several


def _mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean; 0 where no weight is."""
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


def bce(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy; soft truths (heat around points) are allowed."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    values = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return _mean(values, weight.unsqueeze(1))


def _overlap(
    logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the soft intersection and the sum of both areas, over the whole batch."""
    chance, known = logits.sigmoid(), weight.unsqueeze(1)
    return (chance * truth * known).sum(), ((chance + truth) * known).sum()


def bce_jaccard(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy + 1 − soft Jaccard index (Iglovikov and Shvets 2018, TernausNet)."""
    both, total = _overlap(logits, truth, weight)
    return bce(logits, truth, weight) + 1 - (both + SMOOTH) / (total - both + SMOOTH)


def bce_dice(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy + 1 − soft Dice coefficient (Milletari et al. 2016, V-Net)."""
    both, total = _overlap(logits, truth, weight)
    return bce(logits, truth, weight) + 1 - (2 * both + SMOOTH) / (total + SMOOTH)


def focal(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Focal loss, γ = 2: (1 − p)^γ times the cross-entropy of the truth (Lin et al. 2017)."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    cross = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    chance = logits.sigmoid()
    miss = (chance - truth).abs()
    return _mean(miss**FOCAL_GAMMA * cross, weight.unsqueeze(1))


def hinge(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Hinge loss of a linear SVM on top of the network (Tang 2013).

    One class: max(0, 1 − y·f), y = ±1. Several: max over the others of max(0, 1 + fₖ − f_truth)
    (Crammer and Singer 2001).
    """
    if truth.is_floating_point():
        return _mean(_margin(logits, truth), weight.unsqueeze(1))
    index = truth.clamp(min=0).unsqueeze(1)
    own = logits.gather(1, index)
    others = logits.scatter(1, index, float("-inf")).amax(dim=1, keepdim=True)
    return _mean((1 + others - own).clamp(min=0), weight.unsqueeze(1))


def _margin(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return (1 - (2 * truth - 1) * logits).clamp(min=0)


def rare_hinge(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Binary hinge loss in which the rare class weighs as much as the frequent one.

    Half of the mean over positives plus half of the mean over negatives of the batch: the SVM
    with a cost of its own for each class (Veropoulos et al. 1999), costs from the batch.
    """
    margin, known = _margin(logits, truth), weight.unsqueeze(1)
    means = [_mean(margin, known * part) for part in (truth, 1 - truth) if (known * part).any()]
    return sum(means, start=logits.sum() * 0) / max(len(means), 1)


def cross_entropy(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of several classes."""
    from torch.nn import functional

    return _mean(functional.cross_entropy(logits, truth.clamp(min=0), reduction="none"), weight)


def cross_entropy_dice(
    logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy + 1 − mean soft Dice of the classes that occur (Isensee et al. 2021)."""
    from torch.nn.functional import one_hot

    chance, known = logits.softmax(dim=1), weight.unsqueeze(1)
    wanted = one_hot(truth.clamp(min=0), logits.shape[1]).movedim(-1, 1).to(chance.dtype)
    axes = [0, *range(2, logits.ndim)]
    both = (chance * wanted * known).sum(dim=axes)
    present = (wanted * known).sum(dim=axes)
    total = (chance * known).sum(dim=axes) + present
    dice = ((2 * both + SMOOTH) / (total + SMOOTH))[present > 0]
    overlap = 1 - dice.mean() if len(dice) else logits.sum() * 0
    return cross_entropy(logits, truth, weight) + overlap


LOSSES: Final[dict[str, Loss]] = {
    "bce": Loss(bce, one=True),
    "bce_jaccard": Loss(bce_jaccard, one=True),
    "bce_dice": Loss(bce_dice, one=True),
    "focal": Loss(focal, one=True),
    "hinge": Loss(hinge, one=True, several=True),
    "rare_hinge": Loss(rare_hinge, one=True),
    "cross_entropy": Loss(cross_entropy, several=True),
    "cross_entropy_dice": Loss(cross_entropy_dice, several=True),
}
