"""Points from a CSV of x, y, or from the discs of a label image."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import AnnotationError

ADVICE = "give a CSV with columns x and y in level-0 pixels, or an image of discs"


def read_points(path: Path) -> NDArray[np.float64]:
    """Return the points of a file, float64 (n, 2): x, y in level-0 pixels.

    Parameters
    ----------
    path : Path
        CSV with columns x and y, or an image whose separate discs are points.

    Raises
    ------
    AnnotationError
        No such columns, or values that are no numbers.
    """
    return _table(path) if path.suffix.lower() in (".csv", ".txt", ".tsv") else _discs(path)


def _table(path: Path) -> NDArray[np.float64]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        points = np.array([[float(row["x"]), float(row["y"])] for row in rows], np.float64)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise AnnotationError(path, f"holds no points ({error})", ADVICE) from error
    if not np.isfinite(points).all():
        raise AnnotationError(path, "holds a point that is not a number", ADVICE)
    return points.reshape(-1, 2)


def _discs(path: Path) -> NDArray[np.float64]:
    from PIL import Image
    from scipy.ndimage import center_of_mass, label

    try:
        with Image.open(path) as image:
            discs, count = label(np.asarray(image.convert("L")) > 0)
    except OSError as error:
        raise AnnotationError(path, f"cannot be read ({error})", ADVICE) from error
    centres = np.array(center_of_mass(discs > 0, discs, range(1, count + 1)), np.float64)
    return centres.reshape(-1, 2)[:, ::-1] + 0.5
