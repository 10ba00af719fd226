"""The journal beside a result: a log of lines, and a file of pixels for every edit.

An edit's file is on the disk before its line, its line before a pixel of the map changes, and the
marker follows when all have. So whatever a crash leaves, the log's last whole line is the truth,
and what comes after the marker is applied again.
"""

from __future__ import annotations

import json
import os
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from napari_breastpath.core.errors import ResultError
from napari_breastpath.edits.entry import Block, Entry, UInt8Array, Window
from napari_breastpath.results import Result
from napari_breastpath.results.files import whole, write_json
from napari_breastpath.results.lock import locked

FOLDER, LOG, MARKER = "journal", "log.jsonl", "applied.json"
UNREADABLE = (OSError, EOFError, KeyError, ValueError, zlib.error, zipfile.BadZipFile)
OLD, NEW = "_old.npy", "_new.npy"
PATIENCE_S, STEP_S = 30.0, 0.005
RESTORE = "restore it from a copy, or set the journal folder aside to go on without undo"


@dataclass(frozen=True, slots=True)
class Stored:
    """What an edit's file holds: how many pixels change, and the window around them."""

    pixels: int
    window: Window


@dataclass(frozen=True, slots=True)
class Marker:
    """How far the map is.

    Attributes
    ----------
    applied : int
        The last entry that `edits` and `mask` show.
    threshold : float or None
        At which all of the mask is; None where strokes were at others.
    is_whole : bool
        False while the mask is being written anew at that threshold.
    """

    applied: int = 0
    threshold: float | None = None
    is_whole: bool = True


@contextmanager
def waited_for(path: Path) -> Iterator[None]:
    """Wait until a file is ours alone, until the block ends."""
    end = time.monotonic() + PATIENCE_S
    while True:
        with locked(path) as mine:
            if mine:
                yield
                return
        if time.monotonic() > end:
            raise ResultError(path, "another program is writing to it", "wait for it")
        time.sleep(STEP_S)


class Journal:
    """The log of one result as far as it has been read, and the files beside it.

    Parameters
    ----------
    result : Result
    """

    def __init__(self, result: Result) -> None:
        self.path = result.path / FOLDER
        self._size = 0

    def alone(self) -> AbstractContextManager[None]:
        """Wait until nobody else writes edits of this result, until the block ends."""
        return waited_for(self.path)

    def news(self) -> list[Entry]:
        """Read the whole lines written since the last call; a torn last one is left alone."""
        log = self.path / LOG
        size = log.stat().st_size if log.exists() else 0
        if size < self._size:
            raise ResultError(log, "became shorter meanwhile", "open the result again")
        if size == self._size:
            return []
        with log.open("rb") as file:
            file.seek(self._size)
            lines = file.read().split(b"\n")
        return list(self._read(lines))

    def _read(self, lines: list[bytes]) -> Iterator[Entry]:
        """Yield the entries of lines of which the last was not ended."""
        last = len(lines) - 2
        for k, line in enumerate(lines[:-1]):
            try:
                entry = Entry.from_json(line)
            except (ValueError, TypeError) as error:
                if k == last:
                    return
                cause = f"a line after {self._size} bytes is damaged ({error})"
                raise ResultError(self.path / LOG, cause, RESTORE) from error
            self._size += len(line) + 1
            yield entry

    def drop_torn_line(self) -> bool:
        """Cut off what follows the last whole line; tell whether there was something."""
        log = self.path / LOG
        if not log.exists() or log.stat().st_size == self._size:
            return False
        os.truncate(log, self._size)
        return True

    def append(self, entry: Entry) -> Entry:
        """Add a line; return the entry as it will be read."""
        self.path.mkdir(exist_ok=True)
        line = entry.to_json().encode()
        with (self.path / LOG).open("ab") as log:
            log.write(line + b"\n")
            flush(log)
        if not self._size:
            flush_folder(self.path)
            flush_folder(self.path.parent)
        self._size += len(line) + 1
        return Entry.from_json(line)

    def store(self, number: int, blocks: Iterable[Block]) -> Stored | None:
        """Write an edit's file, block by block; None, and no file, where there are none."""
        rest = iter(blocks)
        first = next(rest, None)
        if first is None:
            return None
        self.path.mkdir(exist_ok=True)
        with whole(self._file(number)) as draft, draft.open("wb") as file:
            stored = _write_blocks(file, chain((first,), rest))
            flush(file)
        flush_folder(self.path)
        return stored

    def blocks(self, number: int) -> Iterator[Block]:
        """Read an edit's file, block by block."""
        file = self._file(number)
        try:
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    if name.endswith(OLD):
                        yield _read_block(archive, name)
        except UNREADABLE as error:
            raise ResultError(file, f"cannot be read ({error})", RESTORE) from error

    def check(self, number: int) -> None:
        """Read an edit's file to its end; `ResultError` where it is damaged."""
        for _ in self.blocks(number):
            pass

    def _file(self, number: int) -> Path:
        return self.path / f"{number:06d}.npz"

    @property
    def marker(self) -> Marker | None:
        """How far the map is; None before the first entry."""
        try:
            return Marker(**json.loads((self.path / MARKER).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def is_older_than_restart(self) -> bool:
        """Whether the machine was started anew since the marker was written."""
        import psutil

        file = self.path / MARKER
        return file.exists() and file.stat().st_mtime < psutil.boot_time()

    def mark(self, marker: Marker) -> None:
        """Say how far the map is."""
        write_json(self.path / MARKER, asdict(marker))


def _write_blocks(file: BinaryIO, blocks: Iterable[Block]) -> Stored:
    """Write a NumPy .npz archive of `ROW_COLUMN_old` and `ROW_COLUMN_new`."""
    pixels, windows = 0, []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for block in blocks:
            pixels += block.pixels
            windows.append(block.window)
            for name, values in ((OLD, block.old), (NEW, block.new)):
                with archive.open(f"{block.row}_{block.column}{name}", "w") as member:
                    np.lib.format.write_array(member, np.ascontiguousarray(values))
    return Stored(pixels, _around(windows))


def _read_block(archive: zipfile.ZipFile, name: str) -> Block:
    stem = name.removesuffix(OLD)
    row, column = map(int, stem.split("_"))
    old, new = (_read_array(archive, stem + tail) for tail in (OLD, NEW))
    return Block(row, column, old, new)


def _read_array(archive: zipfile.ZipFile, name: str) -> UInt8Array:
    with archive.open(name) as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False), np.uint8)


def _around(windows: list[Window]) -> Window:
    rows, columns, heights, widths = np.array(windows).T
    row, column = int(rows.min()), int(columns.min())
    return row, column, int((rows + heights).max()) - row, int((columns + widths).max()) - column


def flush(file: BinaryIO) -> None:
    """Put what was written on the disk."""
    file.flush()
    os.fsync(file.fileno())


def flush_folder(path: Path) -> None:
    """Put a folder's names on the disk; Windows does so by itself and opens no folder."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_log(result: Result) -> tuple[Entry, ...]:
    """Return the edit log of a result, oldest first, without applying anything."""
    return tuple(Journal(result).news())


def applied_log(result: Result) -> tuple[Entry, ...]:
    """Return the part of a result's edit log that its map shows already, oldest first."""
    journal = Journal(result)
    marker = journal.marker  # before the log: what comes meanwhile does not count
    return tuple(journal.news()[: marker.applied if marker else 0])
