"""A small synthetic slide that comes with the package; nothing on it is from a patient."""

from __future__ import annotations

from pathlib import Path


def sample_slide_path() -> Path:
    """Return the packaged slide's path; its truth lies beside it as ``sample_slide.json``."""
    return Path(__file__).with_name("sample_slide.tif")
