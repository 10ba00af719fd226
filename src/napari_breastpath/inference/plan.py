"""What a run has still to do: tiles to infer, blocks to write."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.inference.grid import BoolArray, window_sums
from napari_breastpath.inference.stitch import Blocks, Index
from napari_breastpath.results.maps import DONE, FAILED, SKIPPED, TODO

States = NDArray[np.uint8]
# Edge, in blocks, of the squares of which one block each comes first.
GROUP = 4


@dataclass(frozen=True)
class Plan:
    """One run over part of a grid.

    Attributes
    ----------
    tiles : list of (row, column)
        Tiles to infer, in order.
    blocks : set of (row, column)
        Blocks to write.
    fill : bool
        Keep what a block already holds and write only where it is 0.
    again : int
        How many of `tiles` had been inferred before, around unfinished blocks.
    """

    tiles: list[Index]
    blocks: set[Index]
    fill: bool = False
    again: int = 0


def _indices(mask: BoolArray) -> list[Index]:
    return [(int(r), int(c)) for r, c in np.argwhere(mask)]


def first_blocks(blocks: Blocks, tissue: BoolArray, factor: int) -> frozenset[Index]:
    """Return of each 4 × 4 blocks the one with most tissue: a coarse map of the slide.

    They and the tiles around them are a fifth of the work, and no tile is done twice: all of a
    slide of 50 000 × 40 000 px can be judged after 20 % of its tiles instead of 91 %
    (`benchmarks/order.py`).

    Parameters
    ----------
    blocks : Blocks
    tissue : ndarray, bool (y, x)
        On `blocks.grid.map_lattice.coarser(factor)`.
    factor : int
    """
    held = _tissue_per_block(blocks, tissue, factor)
    groups: dict[Index, Index] = {}
    for block in _indices(held > 0):
        group = block[0] // GROUP, block[1] // GROUP
        if held[block] > held[groups.setdefault(group, block)]:
            groups[group] = block
    return frozenset(groups.values())


def _tissue_per_block(blocks: Blocks, tissue: BoolArray, factor: int) -> NDArray[np.int64]:
    """Return the tissue pixels that each block holds, (rows, columns)."""
    edges = []
    for count, pixels in zip(blocks.shape, tissue.shape, strict=True):
        starts = np.arange(count) * blocks.chunk // factor
        edges += [starts, np.minimum(starts + max(1, blocks.chunk // factor), pixels)]
    return window_sums(tissue, *edges)


def plan_run(
    blocks: Blocks,
    wanted: BoolArray,
    tiles: States,
    finished: States,
    first: Collection[Index] = (),
) -> Plan:
    """Plan a new run, or the rest of one that was interrupted.

    Parameters
    ----------
    blocks : Blocks
    wanted : ndarray, bool (rows, columns)
        Tiles that hold tissue.
    tiles : ndarray, uint8 (rows, columns)
        Tile states so far. Blocks touched by a failed tile are opened again: it is retried.
    finished : ndarray, uint8
        Block states so far.
    first : collection of (row, column)
        Blocks to do before the others.
    """
    retried = {b for t in _indices(tiles == FAILED) for b in blocks.of_tile(t)}
    touched = {b for t in _indices(wanted) for b in blocks.of_tile(t)}
    todo = {b for b in touched if not finished[b] or b in retried}
    chosen = {t for b in todo for t in blocks.tiles(b) if wanted[t]}
    return Plan(
        tiles=blocks.order(chosen, first),
        blocks=todo,
        again=sum(tiles[t] == DONE for t in chosen),
    )


def plan_addition(blocks: Blocks, wanted: BoolArray, added: BoolArray, tiles: States) -> Plan:
    """Plan the inference of added tissue: only tiles that reach into newly analysed pixels.

    Parameters
    ----------
    blocks : Blocks
    wanted : ndarray, bool (rows, columns)
        Tiles that hold tissue now.
    added : ndarray, bool (rows, columns)
        Tiles that reach into pixels analysed now and not before.
    tiles : ndarray, uint8 (rows, columns)
        Tile states so far.
    """
    chosen = _indices(wanted & added)
    touched = {b for t in chosen for b in blocks.of_tile(t)}
    again = sum(int(tiles[t] == DONE) for t in chosen)
    return Plan(blocks.order(chosen), touched, fill=True, again=again)


def initial_states(wanted: BoolArray, states: States) -> States:
    """Mark unwanted tiles skipped and newly wanted ones to do; keep all others."""
    kept = np.where(wanted & (states == SKIPPED), TODO, states)
    return np.where(~wanted & (kept == TODO), SKIPPED, kept).astype(np.uint8)
