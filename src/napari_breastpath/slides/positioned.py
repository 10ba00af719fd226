"""Reading a file by position from many threads at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class PositionedFile:
    """An open file without a current position.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; EOFError where the file ends before."""
        data = self._read(offset, length)
        if len(data) < length:
            raise EOFError(f"the file ends {length - len(data)} bytes too early")
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, offset: int, length: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), length, offset)
        with self._lock:  # Windows has no pread
            self._file.seek(offset)
            return self._file.read(length) or b""
