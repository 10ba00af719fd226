"""What tests read off results, and small slides that they write."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import tifffile

from napari_breastpath.results import Result


def heat(result: Result) -> np.ndarray:
    return np.asarray(result.map.probability.levels[0][:])


def log(result: Result) -> str:
    return (result.path / "run.log").read_text()


def planned(result: Result) -> list[dict[str, int]]:
    """Read from the log what each run meant to do."""
    pattern = r"inferring (\d+) of (\d+) tiles in (\d+) blocks; (\d+) of them again"
    names = ("tiles", "total", "blocks", "again")
    return [
        dict(zip(names, map(int, m.groups()), strict=True))
        for m in re.finditer(pattern, log(result))
    ]


def write_flat(path: Path, pixels: np.ndarray, mpp: float) -> Path:
    per_cm = round(1e4 / mpp)
    tifffile.imwrite(
        path,
        pixels,
        tile=(256, 256),
        resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER",
    )
    return path
