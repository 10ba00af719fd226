"""A few validation tiles with what the network makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.training.loop import Trainer

if TYPE_CHECKING:
    import torch

COUNT = 6


def examples(
    trainer: Trainer, temperature: float
) -> list[tuple[NDArray[np.uint8], NDArray[Any], NDArray[Any]]]:
    """Return (image as the network sees it, truth, chance of anything but the first class).

    Of tiles with something in them where there are such; nothing for a classification.
    """
    job = trainer.job
    if job.config.task == "classification":
        return []
    kinds = job.validation.tiles.kind
    among = np.flatnonzero(kinds > 0) if (kinds > 0).any() else np.arange(len(kinds))
    chosen = among[np.linspace(0, len(among) - 1, min(COUNT, len(among))).round().astype(int)]
    return [_example(trainer, int(tile), temperature) for tile in chosen]


def _example(
    trainer: Trainer, tile: int, temperature: float
) -> tuple[NDArray[np.uint8], NDArray[Any], NDArray[Any]]:
    import torch

    cut = trainer.job.validation.plain(tile)
    with torch.inference_mode():
        logits = trainer.logits(torch.from_numpy(cut.image)[None])[0] / temperature
    truth = cut.truth[0] if cut.truth.ndim == 3 else cut.truth / max(len(logits) - 1, 1)
    return cut.image, np.asarray(truth), _chance(logits)


def _chance(logits: torch.Tensor) -> NDArray[Any]:
    chance = logits.sigmoid()[0] if len(logits) == 1 else 1 - logits.softmax(dim=0)[0]
    found: NDArray[Any] = chance.cpu().numpy()
    return found
