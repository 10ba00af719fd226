"""Files that are either whole or not there: temporary name, then rename."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_breastpath.core.errors import ResultError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its name when the block ends well."""
    draft = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    r"""Write UTF-8 text, all of it or nothing; a file name's stray bytes as \udcNN, as in JSON."""
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Say in one line that `path` cannot be written (a full disk, no permission)."""
    try:
        yield
    except OSError as error:
        advice = "make room, or choose another --out, and run again"
        raise ResultError(path, f"cannot be written ({error})", advice) from error


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON (no NaN), all of it or nothing."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
