"""Masks from outside: label images and GeoJSON polygons, laid on a lattice of the slide."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import SlideError
from napari_breastpath.core.geometry import Lattice

BoolArray = NDArray[np.bool_]
MAX_ASPECT_ERROR = 0.02
ADVICE = "give a GeoJSON of polygons, or a PNG/TIFF mask of the whole slide"


def polygons_mask(rings: Sequence[NDArray[np.float64]], lattice: Lattice) -> BoolArray:
    """Return the lattice pixels whose centres lie in any of the rings.

    Parameters
    ----------
    rings : sequence of ndarray, float (n, 2)
        Corners (x, y) in level-0 pixels, closed or not.
    lattice : Lattice

    Returns
    -------
    ndarray, bool (y, x)
    """
    from skimage.draw import polygon

    mask = np.zeros(lattice.shape, bool)
    for ring in rings:
        rows, columns = ring[:, 1] / lattice.step_y - 0.5, ring[:, 0] / lattice.step_x - 0.5
        mask[polygon(rows, columns, lattice.shape)] = True
    return mask


def read_mask(path: str | Path, lattice: Lattice) -> BoolArray:
    """Read a mask of the whole slide from an image (not 0 = inside) or GeoJSON polygons.

    Parameters
    ----------
    path : str or Path
        PNG, TIFF… of any size with the slide's aspect, or GeoJSON (`.gz` too) in level-0 pixels.
    lattice : Lattice
        Where to lay it.

    Returns
    -------
    ndarray, bool (y, x)

    Raises
    ------
    SlideError
        The file cannot be read, or its shape is not the slide's.
    """
    path = Path(path)
    if path.name.lower().endswith((".json", ".geojson", ".geojson.gz")):
        return _read_geojson(path, lattice)
    return _read_image(path, lattice)


def _read_image(path: Path, lattice: Lattice) -> BoolArray:
    from skimage.io import imread

    try:
        image = imread(path)
    except (OSError, ValueError) as error:
        raise SlideError(path, f"not a readable mask ({error})", ADVICE) from error
    inside = image > 0 if image.ndim == 2 else (image[..., :3] > 0).any(axis=-1)
    aspect = inside.shape[1] * lattice.height / (inside.shape[0] * lattice.width)
    if abs(aspect - 1) > MAX_ASPECT_ERROR + 2 / min(*inside.shape, *lattice.shape):
        raise SlideError(path, "not of the slide's proportions", ADVICE)
    rows, columns = (
        (np.arange(n) * have + have // 2) // n
        for n, have in zip(lattice.shape, inside.shape, strict=True)
    )
    mask: BoolArray = inside[np.ix_(rows, columns)]
    return mask


def _read_geojson(path: Path, lattice: Lattice) -> BoolArray:
    mask = np.zeros(lattice.shape, bool)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            polygons = list(_polygons(json.load(file)))
        for exterior, *holes in polygons:
            part = polygons_mask([exterior], lattice)
            if holes:
                part &= ~polygons_mask(holes, lattice)
            mask |= part
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise SlideError(path, f"not readable as GeoJSON polygons ({error})", ADVICE) from error
    if not polygons:
        raise SlideError(path, "holds no polygon", ADVICE)
    return mask


def _polygons(value: Any) -> Iterator[list[NDArray[np.float64]]]:
    """Yield the rings of every polygon in any GeoJSON object, exterior first."""
    if isinstance(value, list):
        for item in value:
            yield from _polygons(item)
    elif value["type"] == "FeatureCollection":
        yield from _polygons(value["features"])
    elif value["type"] == "Feature":
        yield from _polygons(value["geometry"])
    elif value["type"] in ("Polygon", "MultiPolygon"):
        parts = value["coordinates"]
        for rings in [parts] if value["type"] == "Polygon" else parts:
            yield [np.asarray(ring, float)[:, :2] for ring in rings]
