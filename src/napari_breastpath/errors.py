"""The errors a caller may want to catch, under the name the contract gives."""

from napari_breastpath.core.errors import (
    AnnotationError,
    BreastPathError,
    InferenceError,
    ModelError,
    PixelSizeError,
    ResultError,
    SlideError,
    UsageError,
)

__all__ = [
    "AnnotationError",
    "BreastPathError",
    "InferenceError",
    "ModelError",
    "PixelSizeError",
    "ResultError",
    "SlideError",
    "UsageError",
]
