"""Zip archives that others made: looked at before they are unpacked."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from napari_breastpath.core.errors import ModelError

MAX_BYTES = 8 << 30
MAX_ENTRIES = 100_000
DAMAGED = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError)
# Deflate reaches 1032; what a network's files reach is below 10.
MAX_RATIO = 200
SMALL_BYTES = 1 << 20
ADVICE = "do not use it; ask its maker for a plain archive"


def unpack(archive: Path, folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Unpack a zip into a new folder, all of it or nothing.

    Parameters
    ----------
    archive : Path
    folder : Path
        Must not exist yet.
    max_bytes : int
        What its files may hold together.

    Raises
    ------
    ModelError
        No zip, damaged, encrypted, or with entries that lead out of the folder, are links, or are
        far larger than the archive.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
            check_entries(archive, entries, max_bytes)
            folder.mkdir(parents=True)
            for entry in entries:
                _extract(opened, entry, folder)
    except DAMAGED as error:
        shutil.rmtree(folder, ignore_errors=True)
        cause = f"cannot be unpacked ({error})"
        raise ModelError(archive, cause, "get the file again") from error


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    """Write one file; zipfile gives at most the size that the entry states, then checks its CRC."""
    target = folder.joinpath(*PurePosixPath(entry.filename).parts)
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(entry) as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def check_entries(archive: Path, entries: Sequence[zipfile.ZipInfo], max_bytes: int) -> None:
    """Refuse an archive by what its directory says of its entries.

    Raises
    ------
    ModelError
        Naming the entry and what is wrong with it.
    """
    total = 0
    if len(entries) > MAX_ENTRIES:
        raise ModelError(archive, f"holds {len(entries)} entries", ADVICE)
    for entry in entries:
        total += entry.file_size
        if fault := _fault(entry):
            raise ModelError(archive, f"its entry {entry.filename!r} {fault}", ADVICE)
    if total > max_bytes:
        cause = f"would take {total} bytes unpacked, more than {max_bytes}"
        raise ModelError(archive, cause, ADVICE)


def _fault(entry: zipfile.ZipInfo) -> str:
    name = entry.filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or set(name) & set("\\:\0") or not path.parts:
        return "leads out of the folder"
    mode = entry.external_attr >> 16
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and stat.S_IFMT(mode):
        return "is a link or a device"
    if entry.flag_bits & 1:
        return "is encrypted"
    bomb = entry.file_size > max(SMALL_BYTES, MAX_RATIO * entry.compress_size)
    return "is far larger than what it is packed in" if bomb else ""
