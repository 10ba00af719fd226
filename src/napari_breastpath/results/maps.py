"""The probability map of a slide and its labels, on disk as one OME-Zarr with pyramids.

The unit of writing is a *block*, one chunk of level 0. The coarser levels of a few blocks are
written right after them; the states of tiles and blocks come last, so whatever a crash leaves
behind is either marked finished and whole, or not marked and written again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_breastpath.core.errors import ResultError
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.results import ngff
from napari_breastpath.results.halving import UInt8Array, halve_max, halve_mean

LABELS = ("mask", "edits", "tissue")
ERASED = 255
TODO, DONE, SKIPPED, FAILED = 0, 1, 2, 3
COARSEST_PX = 512


def chunk_size(lattice: Lattice) -> int:
    """Return the edge of a block in map pixels: small maps get small ones, to resume finely."""
    return 512 if max(lattice.shape) > 4096 else 256


def pyramid_lattices(lattice: Lattice, at_least: int = 1) -> tuple[Lattice, ...]:
    """Return the lattices of the ×2 levels down to about 512 pixels, `at_least` that many."""
    levels = [lattice]
    while max(levels[-1].shape) > COARSEST_PX or len(levels) < at_least:
        levels.append(levels[-1].coarser(2))
    return tuple(levels)


@contextmanager
def undamaged(where: object) -> Iterator[None]:
    """Say in one line that stored pixels cannot be read: a missing array, a chunk cut short."""
    try:
        yield
    except (KeyError, ValueError, RuntimeError) as error:
        advice = "restore it, or analyse the slide again with --no-resume"
        raise ResultError(where, f"is damaged ({error})", advice) from error


@dataclass(frozen=True, slots=True)
class Piece:
    """Pixels uint8 (…, h, w) of one level, their corner at (top, left)."""

    top: int
    left: int
    values: UInt8Array

    @property
    def rows(self) -> slice:
        """Rows of the level."""
        return slice(self.top, self.top + self.values.shape[-2])

    @property
    def columns(self) -> slice:
        """Columns of the level."""
        return slice(self.left, self.left + self.values.shape[-1])

    def halved(self, halve: Callable[[UInt8Array], UInt8Array]) -> Piece:
        """Return the same pixels on the next level."""
        return Piece(self.top // 2, self.left // 2, halve(self.values))


def _by_chunks(pieces: Iterable[Piece], chunk: int) -> list[list[Piece]]:
    """Group pieces by the chunks that they lie in, those of chunks side by side together."""
    held: dict[tuple[int, int], list[Piece]] = {}
    for piece in pieces:
        held.setdefault((piece.top // chunk, piece.left // chunk), []).append(piece)
    groups: list[list[Piece]] = []
    for row, column in sorted(held):
        if (row, column - 1) in held:
            groups[-1] += held[row, column]
        else:
            groups.append(held[row, column])
    return groups


def _span(slices: Iterable[slice]) -> slice:
    """Return the smallest slice that holds all of them."""
    held = list(slices)
    return slice(min(s.start for s in held), max(s.stop for s in held))


def _within(part: slice, whole: slice) -> slice:
    """Return `part` counted from the beginning of `whole`."""
    return slice(part.start - whole.start, part.stop - whole.start)


@dataclass(frozen=True)
class Pyramid:
    """Levels of one raster, finest first, written by windows of level 0.

    Attributes
    ----------
    levels : tuple of zarr.Array
        uint8, (c, y, x) or (y, x), each half as large as the one before.
    halve : callable
        How a coarser level comes from the finer one.
    """

    levels: tuple[zarr.Array[Any], ...]
    halve: Callable[[UInt8Array], UInt8Array]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of level 0."""
        height, width = self.levels[0].shape[-2:]
        return height, width

    def read(self, rows: slice, columns: slice, level: int = 0) -> UInt8Array:
        """Return a window of one level; `ResultError` where a chunk is damaged."""
        array = self.levels[level]
        with undamaged(array.store_path):
            values: UInt8Array = np.asarray(array[..., rows, columns])
        return values

    def write(self, row: int, column: int, values: UInt8Array) -> None:
        """Write `values` (…, h, w) with their corner at (row, column) of level 0, then upwards.

        Corners need not be whole at the coarser levels: what is missing is read first.
        """
        rows, columns = self.whole(row, row + values.shape[-2], column, column + values.shape[-1])
        filled = self._filled(rows, columns, row, column, values)
        self.write_blocks([Piece(rows.start, columns.start, filled)])

    def write_blocks(self, blocks: Iterable[Piece]) -> None:
        """Write blocks, each chunk of a coarser level once, however many of them it holds.

        Writing a part of a chunk takes as long as writing all of it, chunks side by side take less
        together, and blocks done one after the other are neighbours.

        Parameters
        ----------
        blocks : iterable of Piece
            Chunks of level 0, cut at the raster's edge; or one window, whole at every level.
        """
        pieces = list(blocks)
        for level, array in enumerate(self.levels):
            if level:
                pieces = [piece.halved(self.halve) for piece in pieces]
            for group in _by_chunks(pieces, array.chunks[-1]):
                self._write_together(level, group)

    def _write_together(self, level: int, pieces: Sequence[Piece]) -> None:
        """Write pieces of chunks side by side, with what is stored between them."""
        rows, columns = _span(p.rows for p in pieces), _span(p.columns for p in pieces)
        values = pieces[0].values
        if len(pieces) > 1:
            values = self._canvas(pieces, rows, columns, level)
            for piece in pieces:
                down, across = _within(piece.rows, rows), _within(piece.columns, columns)
                values[..., down, across] = piece.values
        array = self.levels[level]
        with undamaged(array.store_path):
            array[..., rows, columns] = values

    def _canvas(
        self, pieces: Sequence[Piece], rows: slice, columns: slice, level: int
    ) -> UInt8Array:
        """Return what is stored in a window; uninitialised where pieces, apart, fill all of it."""
        *lead, _, _ = pieces[0].values.shape
        shape = *lead, rows.stop - rows.start, columns.stop - columns.start
        if sum(piece.values.size for piece in pieces) == math.prod(shape):
            return np.empty(shape, np.uint8)
        return self.read(rows, columns, level)

    def whole(self, top: int, bottom: int, left: int, right: int) -> tuple[slice, slice]:
        """Return the rows and columns of level 0 of the coarsest level's pixels over a window."""
        size = 1 << (len(self.levels) - 1)
        ends = ((top, bottom, self.shape[0]), (left, right, self.shape[1]))
        rows, columns = (
            slice(low // size * size, min(-(-high // size) * size, end)) for low, high, end in ends
        )
        return rows, columns

    def _filled(
        self, rows: slice, columns: slice, row: int, column: int, values: UInt8Array
    ) -> UInt8Array:
        """Return `values` with what is stored around them, out to a larger window."""
        if values.shape[-2:] == (rows.stop - rows.start, columns.stop - columns.start):
            return values
        stored, (height, width) = self.read(rows, columns), values.shape[-2:]
        top, left = row - rows.start, column - columns.start
        stored[..., top : top + height, left : left + width] = values
        return stored


class MapStore:
    """The OME-Zarr of one result: probabilities, labels and the state of every tile and block.

    Parameters
    ----------
    path : Path
        The `probability.ome.zarr` folder, made by `MapStore.create`.
    mode : str, by default "r+"
        zarr's mode: "r" for reading only.

    Attributes
    ----------
    probability : Pyramid
        uint8 (c, y, x); 0 not inferred, else max(1, round(255·p)).
    lattice : Lattice
        Geometry of level 0.
    tile_state : ndarray, uint8 (rows, columns)
        0 to do, 1 done, 2 skipped, 3 failed.
    block_state : ndarray, uint8 (rows, columns)
        1 where the block is written whole.

    Raises
    ------
    ResultError
        There is no such map, or it is not one of ours.
    """

    def __init__(self, path: Path, mode: str = "r+") -> None:
        self.path = path
        self._labels: dict[str, Pyramid] = {}
        self._arrays: dict[str, Any] = {}
        try:
            self._group = zarr.open_group(path, mode=mode)  # type: ignore[arg-type]
            geometry: Any = self._group.attrs["breastpath"]
            self.lattice = Lattice(**geometry["lattice"])
            self.chunk = int(geometry["chunk"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ResultError(
                path, "not a probability map of this program", "analyse the slide again"
            ) from error
        self.probability = Pyramid(self._levels(""), halve_mean)

    @classmethod
    def create(
        cls,
        path: Path,
        lattice: Lattice,
        slide_mpp: PixelSize,
        classes: Sequence[tuple[str, tuple[int, int, int]]],
        tiles: tuple[int, int],
        at_least: int = 1,
    ) -> MapStore:
        """Make an empty map.

        Parameters
        ----------
        path : Path
            Folder to make; must not exist.
        lattice : Lattice
            Geometry of level 0 over the slide.
        slide_mpp : PixelSize
            µm/px of the slide's level 0.
        classes : sequence of (name, RGB)
            The model's classes, in channel order.
        tiles : (rows, columns)
            Shape of the tile grid.
        at_least : int, by default 1
            Number of pyramid levels wanted even if the map is small.
        """
        levels = pyramid_lattices(lattice, at_least)
        chunk, mpp = chunk_size(lattice), (slide_mpp.x, slide_mpp.y)
        names, colors = [name for name, _ in classes], [color for _, color in classes]
        root = zarr.create_group(path)
        _create_levels(root, levels, chunk, len(classes))
        _create_labels(root, levels, chunk, mpp, classes)
        blocks = tuple(-(-n // chunk) for n in lattice.shape)
        for name, shape in (("tile_state", tiles), ("block_state", blocks)):
            root.create_array(name, shape=shape, chunks=shape, dtype="u1", fill_value=0)
        fields = {name: getattr(lattice, name) for name in Lattice.__dataclass_fields__}
        root.attrs["ome"] = {
            "version": ngff.VERSION,
            "multiscales": ngff.multiscales("probability", levels, mpp, channels=True),
            "omero": ngff.omero(names, colors),
        }
        root.attrs["breastpath"] = {"lattice": fields, "chunk": chunk}
        return cls(path)

    def _levels(self, prefix: str) -> tuple[zarr.Array[Any], ...]:
        group: Any = self._group[prefix] if prefix else self._group
        count = len(group.attrs["ome"]["multiscales"][0]["datasets"])
        return tuple(group[str(k)] for k in range(count))

    def label(self, name: str) -> Pyramid:
        """Return the pyramid of one label: `mask`, `edits` or `tissue`, uint8 (y, x)."""
        if name not in self._labels:  # opening the arrays takes longer than reading a window
            with undamaged(self.path / "labels" / name):
                self._labels[name] = Pyramid(self._levels(f"labels/{name}"), halve_max)
        return self._labels[name]

    @property
    def blocks(self) -> tuple[int, int]:
        """(rows, columns) of blocks."""
        rows, columns = self._array("block_state").shape
        return rows, columns

    def _array(self, name: str) -> Any:
        if name not in self._arrays:  # opening it takes longer than writing all of it
            self._arrays[name] = self._group[name]
        return self._arrays[name]

    def _state(self, name: str) -> UInt8Array:
        with undamaged(self.path / name):
            return np.asarray(self._array(name)[:])

    @property
    def tile_state(self) -> UInt8Array:
        """State of every tile, a copy."""
        return self._state("tile_state")

    @tile_state.setter
    def tile_state(self, state: UInt8Array) -> None:
        self._array("tile_state")[:] = state

    @property
    def block_state(self) -> UInt8Array:
        """1 for every finished block, a copy."""
        return self._state("block_state")

    @block_state.setter
    def block_state(self, state: UInt8Array) -> None:
        self._array("block_state")[:] = state

    def block_window(self, row: int, column: int) -> tuple[slice, slice]:
        """Return the map pixels (rows, columns) of a block."""
        top, left = row * self.chunk, column * self.chunk
        return (
            slice(top, min(top + self.chunk, self.lattice.height)),
            slice(left, min(left + self.chunk, self.lattice.width)),
        )


def _create_levels(group: Any, levels: Sequence[Lattice], chunk: int, channels: int = 0) -> None:
    lead, names = ((channels,), ("c", "y", "x")) if channels else ((), ("y", "x"))
    for k, level in enumerate(levels):
        group.create_array(
            str(k),
            shape=(*lead, *level.shape),
            chunks=(*lead, chunk, chunk),
            dtype="u1",
            fill_value=0,
            dimension_names=names,
        )


def _create_labels(
    root: Any,
    levels: Sequence[Lattice],
    chunk: int,
    mpp: tuple[float, float],
    classes: Sequence[tuple[str, tuple[int, int, int]]],
) -> None:
    named = {k + 1: value for k, value in enumerate(classes)}
    values = {
        "mask": named,
        "edits": {**named, ERASED: ("erased", (255, 255, 255))},
        "tissue": {1: ("tissue", (0, 160, 200))},
    }
    labels = root.create_group("labels")
    labels.attrs["ome"] = {"version": ngff.VERSION, "labels": list(LABELS)}
    for name in LABELS:
        group = labels.create_group(name)
        _create_levels(group, levels, chunk)
        group.attrs["ome"] = {
            "version": ngff.VERSION,
            "multiscales": ngff.multiscales(name, levels, mpp, channels=False),
            "image-label": ngff.image_label(values[name]),
        }
