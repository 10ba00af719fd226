"""A small synthetic slide that comes with the package; nothing on it is from a patient."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def sample_slide_path() -> Path:
    """Return the packaged slide's path; its truth lies beside it as ``sample_slide.json``."""
    return Path(__file__).with_name("sample_slide.tif")


def sample_truth() -> dict[str, Any]:
    """Return what is known of the packaged slide: nests, tissue, stain matrix, µm/px."""
    truth: dict[str, Any] = json.loads(sample_slide_path().with_suffix(".json").read_text("utf-8"))
    return truth
