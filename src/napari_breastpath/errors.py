"""The errors a caller may want to catch, under the name the contract gives."""

from napari_breastpath.core.errors import (
    BreastPathError,
    InferenceError,
    ModelError,
    PixelSizeError,
    ResultError,
    SlideError,
    UsageError,
)

__all__ = [
    "BreastPathError",
    "InferenceError",
    "ModelError",
    "PixelSizeError",
    "ResultError",
    "SlideError",
    "UsageError",
]
