"""Libraries that only some formats need."""

from __future__ import annotations

import importlib
from typing import Any

from napari_breastpath.core.errors import UsageError


def needed(library: str, extra: str) -> Any:
    """Import a library of one of our extras; `UsageError` says how to install it."""
    try:
        return importlib.import_module(library)
    except ImportError as error:
        advice = f'pip install "napari-breastpath[{extra}]"'
        raise UsageError("export", f"it needs {library} ({error})", advice) from error
