"""Edits in the map: what of a change is new, and how it gets into `edits` and `mask`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_breastpath.edits.entry import Block, Change, UInt8Array, Window
from napari_breastpath.results import Result
from napari_breastpath.results.maps import ERASED
from napari_breastpath.results.masks import Band, measured_mask

PIECE_PX = 2048


def band_of(result: Result, rows: slice, columns: slice) -> Band:
    """Return map and edits of a window, as they are on disk."""
    heat = result.map.probability.read(rows, columns)
    return Band(rows, heat, result.map.label("edits").read(rows, columns))


def model_of(result: Result, rows: slice, columns: slice, threshold: float) -> UInt8Array:
    """Return the model's own mask of a window: 0 nothing, k class k."""
    heat = result.map.probability.read(rows, columns)
    untouched = Band(rows, heat, np.zeros(heat.shape[1:], np.uint8))
    return measured_mask(untouched, result.classes, threshold)


def put_block(result: Result, block: Block, threshold: float, *, back: bool) -> None:
    """Write a block's new values, or the old ones, into `edits`, and the mask of its window.

    Pixels that the edit did not change keep what they have.
    """
    row, column, height, width = block.window
    label, mask = result.map.label("edits"), result.map.label("mask")
    # Whole at the coarsest level, so that no level is read to write it.
    rows, columns = label.whole(row, row + height, column, column + width)
    band, top, left = band_of(result, rows, columns), row - rows.start, column - columns.start
    inner = band.edits[top : top + height, left : left + width]
    np.copyto(inner, block.old if back else block.new, where=block.old != block.new)
    label.write(rows.start, columns.start, band.edits)
    mask.write(rows.start, columns.start, measured_mask(band, result.classes, threshold))


def changed_blocks(result: Result, change: Change) -> Iterator[Block]:
    """Yield what of a change differs from the edits on disk, in pieces of bounded size."""
    allowed = [*range(len(result.classes) + 1), ERASED]
    if not np.isin(change.values[change.where], allowed).all():
        raise ValueError(f"edit values other than {allowed}")
    for rows, columns in _pieces(change, result.lattice.shape):
        block = _block(result, change.window(rows, columns))
        if block is not None and block.pixels:
            yield block


def _pieces(change: Change, shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Yield the windows of `PIECE_PX`, aligned to the map, that a change reaches into."""
    inside = change.window(slice(0, shape[0]), slice(0, shape[1]))
    height, width = inside.values.shape
    for rows in _cuts(inside.row, inside.row + height):
        for columns in _cuts(inside.column, inside.column + width):
            yield rows, columns


def _cuts(start: int, stop: int) -> Iterator[slice]:
    for begin in range(start // PIECE_PX * PIECE_PX, stop, PIECE_PX):
        yield slice(max(begin, start), min(begin + PIECE_PX, stop))


def _block(result: Result, change: Change) -> Block | None:
    """Return the edits before and after, in the window around the pixels meant."""
    if not change.where.any():
        return None
    row, column, height, width = _box(change)
    rows, columns = slice(row, row + height), slice(column, column + width)
    old, inner = result.map.label("edits").read(rows, columns), change.window(rows, columns)
    return Block(row, column, old, np.where(inner.where, inner.values, old))


def _box(change: Change) -> Window:
    rows, columns = (np.flatnonzero(change.where.any(axis=axis)) for axis in (1, 0))
    top, left = change.row + int(rows[0]), change.column + int(columns[0])
    return top, left, int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
