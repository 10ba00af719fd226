"""A window of one level, put together from decoded chunks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from napari_breastpath.slides.backend import Backend, Pixels, dtype_of
from napari_breastpath.slides.cache import ChunkCache
from napari_breastpath.slides.pixels import WHITE

Span = tuple[int, int]


def background(channels: int) -> int:
    """Return what lies beyond a slide: white glass, or the dark of a mammogram."""
    return WHITE if channels == 3 else 0


def read_window(
    backend: Backend, cache: ChunkCache, level: int, rows: Span, columns: Span
) -> Pixels:
    """Return level pixels [rows) × [columns), which may lie outside the level.

    Returns
    -------
    ndarray
        (h, w, channels); possibly a read-only view of one cached chunk.
    """
    shape, chunk = backend.levels[level], backend.chunks[level]
    inside_y, inside_x = _clip(rows, shape.height), _clip(columns, shape.width)
    if single := _single_chunk(inside_y, inside_x, chunk, whole=(rows, columns)):
        found = cache.get((level, *single), partial(backend.decode, level, *single))
        if found is not None:
            top, left = single[0] * chunk[0], single[1] * chunk[1]
            return found[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
    size = (rows[1] - rows[0], columns[1] - columns[0], backend.channels)
    out: Pixels = np.empty(size, dtype_of(backend.channels))
    beyond = background(backend.channels)
    if (inside_y, inside_x) != (rows, columns):
        out[:] = beyond
    along = list(_pieces(inside_x, chunk[1], columns[0]))
    for row, to_y, from_y in _pieces(inside_y, chunk[0], rows[0]):
        for column, to_x, from_x in along:
            found = cache.get((level, row, column), partial(backend.decode, level, row, column))
            out[to_y, to_x] = beyond if found is None else found[from_y, from_x]
    return out


def _clip(span: Span, size: int) -> Span:
    return max(span[0], 0), min(span[1], size)


def _single_chunk(
    rows: Span, columns: Span, chunk: tuple[int, int], whole: tuple[Span, Span]
) -> Span | None:
    """Return the one chunk that holds the whole window, None when there are more or less."""
    if (rows, columns) != whole:
        return None
    first = rows[0] // chunk[0], columns[0] // chunk[1]
    last = (rows[1] - 1) // chunk[0], (columns[1] - 1) // chunk[1]
    return first if first == last else None


def _pieces(span: Span, length: int, origin: int) -> Iterator[tuple[int, slice, slice]]:
    """Yield the index of each chunk, where its part of `span` lies from `origin` on and in it."""
    if span[0] >= span[1]:
        return
    for index in range(span[0] // length, -(-span[1] // length)):
        start, stop = max(span[0], index * length), min(span[1], (index + 1) * length)
        first = index * length
        yield index, slice(start - origin, stop - origin), slice(start - first, stop - first)
