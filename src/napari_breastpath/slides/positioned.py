"""Reading a file by position from many threads at once."""

from __future__ import annotations

import os
import threading
from io import FileIO
from pathlib import Path

PREAD = getattr(os, "pread", None)  # Windows has none


class PositionedFile:
    """A file without a current position, opened when first read.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; EOFError where the file ends before."""
        file = self._file or self._open()
        if PREAD is None:
            data = self._seek_and_read(file, length, offset)
        else:
            data = PREAD(file.fileno(), length, offset)
        if len(data) < length:
            raise EOFError(f"the file ends {length - len(data)} bytes too early")
        return data

    def close(self) -> None:
        """Close the file; reading opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _open(self) -> FileIO:
        with self._lock:
            if self._file is None:
                self._file = self._path.open("rb", buffering=0)
            return self._file

    def _seek_and_read(self, file: FileIO, length: int, offset: int) -> bytes:
        with self._lock:
            file.seek(offset)
            return file.read(length) or b""
