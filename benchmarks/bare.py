"""The network and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from napari_breastpath.models import Predictor


def forward_passes(predictor: Predictor, tiles: torch.Tensor) -> Callable[[], object]:
    """Return a function that predicts all tiles, uint8 (N, h, w, 3), on every stream of the engine.

    In batches of the predictor's size, or smaller ones where the streams would not all have one.
    """
    size = min(predictor.batch_size, -(-len(tiles) // predictor.streams))
    batches = tiles.to(predictor.device.name).split(size)
    pool = ThreadPoolExecutor(predictor.streams)
    return lambda: list(pool.map(predictor.predict, batches))
