"""The network and nothing else; the decoding and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias
from unittest import mock

import numpy as np
import torch
from by_turns import seconds

from napari_breastpath.inference import Grid
from napari_breastpath.inference.engine import read_tile
from napari_breastpath.models import ModelBundle, Predictor
from napari_breastpath.results import Result
from napari_breastpath.results.maps import DONE
from napari_breastpath.slides import Slide, open_slide
from napari_breastpath.slides.backend import Pixels

Chunk: TypeAlias = tuple[int, int, int]
"""Level, row and column."""


def forward_passes(predictor: Predictor, tiles: torch.Tensor) -> Callable[[], object]:
    """Return a function that predicts all tiles, uint8 (N, h, w, 3), on every stream of the engine.

    In batches of the predictor's size, or smaller ones where the streams would not all have one.
    """
    size = min(predictor.batch_size, -(-len(tiles) // predictor.streams))
    batches = tiles.to(predictor.device.name).split(size)
    pool = ThreadPoolExecutor(predictor.streams)
    return lambda: list(pool.map(predictor.predict, batches))


def decoded_chunks(slide: Slide, read: Callable[[], object]) -> list[Chunk]:
    """Return each chunk that is decoded while `read` reads a slide, once."""
    chunks, decode = dict[Chunk, None](), slide.backend.decode

    def noted(*chunk: int) -> Pixels | None:
        chunks[chunk] = None
        return decode(*chunk)

    with mock.patch.object(slide.backend, "decode", noted):
        read()
    return list(chunks)


def decode_all(path: Path, chunks: list[Chunk], threads: int | None) -> None:
    """Open a slide and decode some of its chunks."""
    with open_slide(path) as slide, ThreadPoolExecutor(threads) as pool:
        for pixels in pool.map(lambda chunk: slide.backend.decode(*chunk), chunks):
            assert pixels is not None


def bare_decoding(path: Path, bundle: ModelBundle, result: Result) -> float:
    """Return the seconds per tile of decoding, on all cores, each chunk under the run's tiles."""
    size, overlap = bundle.tile_size, result.record["settings"]["overlap"]
    tiles = [tuple(index) for index in np.argwhere(result.map.tile_state == DONE)]
    with open_slide(path) as slide:
        grid = Grid.over(slide.lattice(bundle.mpp), size, overlap, bundle.output_stride)
        chunks = decoded_chunks(slide, lambda: [read_tile(slide, grid, each) for each in tiles])
    return seconds(lambda: decode_all(path, chunks, os.cpu_count())) / len(tiles)
