"""One run at a time on a result folder, whichever process it is in."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_breastpath.core.errors import ResultError
from napari_breastpath.results.folder import owner, result_path

BUSY_ERRORS = (BlockingIOError, PermissionError)
PATIENCE_S, STEP_S = 10.0, 0.1

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Tell whether a result folder is ours alone until the block ends.

    The lock is a hidden file beside the folder; the system lets go of it when a process is killed.
    """
    file = path.with_name(f".{path.name}.lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT)
    mine = _taken(handle, file)
    try:
        yield mine
    finally:
        if mine and sys.platform != "win32":
            file.unlink(missing_ok=True)
        os.close(handle)


def _taken(handle: int, file: Path) -> bool:
    try:
        _take(handle)
    except BUSY_ERRORS:
        return False
    except OSError:
        return True  # a file system without locks: the user has to take care
    # The one who held it before may have removed the file after we opened it.
    return file.exists() and os.path.samestat(os.fstat(handle), file.stat())


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let no other run touch a result folder until the block ends; `ResultError` if one does."""
    with locked(path) as mine:
        if not mine:
            raise _busy(path)
        yield


def _busy(path: Path) -> ResultError:
    return ResultError(path, "another run is at work on it", "wait or choose another --out")


@contextmanager
def claimed(out: Path, slide_name: str, analysis: str, fingerprint: str) -> Iterator[Path]:
    """Give the folder of a slide's result, which no other run touches until the block ends.

    Parameters
    ----------
    out : Path
    slide_name, analysis, fingerprint : str
        As for `result_path`.

    Raises
    ------
    ResultError
        Another run is at work on the same slide.
    """
    end = time.monotonic() + PATIENCE_S
    while True:
        path = result_path(out, slide_name, analysis, fingerprint)
        with locked(path) as mine:
            # Another slide of that name may have taken the folder in the meantime.
            if mine and path == result_path(out, slide_name, analysis, fingerprint):
                yield path
                return
        if owner(path) == fingerprint or time.monotonic() > end:
            raise _busy(path)
        time.sleep(STEP_S)
