"""Breast-cancer whole-slide image analysis, in napari and without it.

The names below are loaded on first use, so that importing the package stays instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_breastpath import errors
    from napari_breastpath.analyses import analyze
    from napari_breastpath.models import load_model
    from napari_breastpath.results import load_result
    from napari_breastpath.slides import Slide, open_slide

__version__ = "0.1.0"
__all__ = ["Slide", "analyze", "errors", "load_model", "load_result", "open_slide"]

_HOMES = {
    "Slide": "slides",
    "open_slide": "slides",
    "analyze": "analyses",
    "load_model": "models",
    "load_result": "results",
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("napari_breastpath.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"napari_breastpath.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
