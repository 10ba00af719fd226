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
    for row, piece_y in _pieces(inside_y, chunk[0]):
        for column, piece_x in _pieces(inside_x, chunk[1]):
            found = cache.get((level, row, column), partial(backend.decode, level, row, column))
            target = _relative(piece_y, rows[0]), _relative(piece_x, columns[0])
            source = _relative(piece_y, row * chunk[0]), _relative(piece_x, column * chunk[1])
            out[target] = beyond if found is None else found[source]
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


def _pieces(span: Span, length: int) -> Iterator[tuple[int, Span]]:
    """Yield (chunk index, the part of `span` that lies in it)."""
    if span[0] >= span[1]:
        return
    for index in range(span[0] // length, -(-span[1] // length)):
        yield index, (max(span[0], index * length), min(span[1], (index + 1) * length))


def _relative(span: Span, origin: int) -> slice:
    return slice(span[0] - origin, span[1] - origin)
