"""Label images of a whole slide (PNG, TIFF), read onto a lattice by bands of rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import AnnotationError, SlideError
from napari_breastpath.core.geometry import Lattice
from napari_breastpath.slides.backend import reading
from napari_breastpath.slides.flat import MAX_FLAT_PX, complete_only, open_image

Ints = NDArray[np.integer[Any]]
MAX_ASPECT_ERROR: Final = 0.02
BAND_ROWS: Final = 512
MASK_SERIES: Final = "mask"
"""Name of the image that is read of several in one OME-TIFF, such as ours."""
ADVICE: Final = "give a PNG or TIFF of the whole slide, one whole number a pixel"


@contextmanager
def labels_of(path: Path) -> Iterator[None]:
    """Turn whatever a format library raises into an `AnnotationError` of one line."""
    try:
        with reading(path, "no readable labels", ADVICE):
            yield
    except SlideError as error:
        raise AnnotationError(error.subject, error.cause, error.advice) from error


@dataclass(frozen=True)
class Labels:
    """Label values under the pixels of a lattice, read when asked for.

    Attributes
    ----------
    array : array-like of int (y, x)
        Sliced by rows.
    rows, columns : ndarray of int64
        Where each row and column of the lattice lies in `array`; -1 is beyond it.
    path : Path
        For messages.
    names : dict of int to str
        Class names of values, where the file has them.
    """

    array: Any
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    path: Path
    names: dict[int, str] = field(default_factory=dict)

    def bands(self) -> Iterator[tuple[slice, Ints]]:
        """Yield rows of the lattice and their values, from the top down; 0 beyond the array."""
        for top in range(0, len(self.rows), BAND_ROWS):
            wanted = self.rows[top : top + BAND_ROWS]
            band = slice(top, top + len(wanted))
            yield band, self._take(wanted)

    def values(self) -> list[int]:
        """Return all values but 0 that occur, in order."""
        found: set[int] = set()
        for _, band in self.bands():
            found |= set(_unique(band).tolist())
        return sorted(found - {0})

    def _take(self, wanted: NDArray[np.int64]) -> Ints:
        inside = wanted >= 0
        out = np.zeros((len(wanted), len(self.columns)), self.array.dtype)
        if inside.any():
            low, high = int(wanted[inside].min()), int(wanted.max()) + 1
            with labels_of(self.path):
                band = np.asarray(self.array[low:high])
            columns = self.columns >= 0
            rows = wanted[inside] - low
            out[np.ix_(inside, columns)] = band[np.ix_(rows, self.columns[columns])]
        return out


def _unique(values: Ints) -> NDArray[Any]:
    if values.dtype == np.uint8:
        return np.flatnonzero(np.bincount(values.reshape(-1), minlength=256))
    return np.unique(values)


def covering(array: Any, lattice: Lattice, size: tuple[int, int], path: Path) -> Labels:
    """Return labels whose array covers the whole slide; nearest pixels.

    Parameters
    ----------
    array : array-like of int (y, x)
    lattice : Lattice
    size : (width, height)
        Of the slide, in level-0 px. An array of the lattice's own shape is the lattice; others
        have the slide's proportions in pixels or, where these are not square, in µm.
    path : Path
        For messages.

    Raises
    ------
    AnnotationError
        The array has not the slide's proportions.
    """
    height, width = array.shape
    if (height, width) == lattice.shape:
        return Labels(array, np.arange(height), np.arange(width), path)
    if not any(_proportional((height, width), each) for each in (size[::-1], lattice.shape)):
        cause = f"{width} × {height} has not the proportions of the slide ({size[0]} × {size[1]})"
        raise AnnotationError(path, cause, ADVICE)
    rows = (np.arange(lattice.height) + 0.5) * lattice.step_y / size[1] * height
    columns = (np.arange(lattice.width) + 0.5) * lattice.step_x / size[0] * width
    return Labels(
        array,
        np.minimum(rows.astype(np.int64), height - 1),
        np.minimum(columns.astype(np.int64), width - 1),
        path,
    )


def _proportional(shape: tuple[int, int], whole: tuple[int, int]) -> bool:
    """Tell whether two (height, width) are alike but for rounding to whole pixels."""
    aspect = shape[1] * whole[0] / (shape[0] * whole[1])
    return abs(aspect - 1) <= MAX_ASPECT_ERROR + 2 / min(*shape, *whole)


def read_label_image(path: Path, lattice: Lattice, size: tuple[int, int]) -> Labels:
    """Open a label image of the whole slide.

    Parameters
    ----------
    path : Path
        TIFF (of a pyramid the coarsest level that is no coarser than the lattice), PNG or another
        image that Pillow reads, up to `MAX_FLAT_PX` pixels. A palette's indices are the
        labels.
    lattice : Lattice
    size : (width, height)
        Of the slide, in level-0 px.

    Returns
    -------
    Labels

    Raises
    ------
    AnnotationError
        Unreadable, a colour picture, no whole numbers, or not of the slide's proportions.
    """
    with labels_of(path):
        array = _tiff(path, lattice) if _is_tiff(path) else _flat(path)
    return covering(array, lattice, size, path)


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _flat(path: Path) -> Ints:
    with open_image(path) as image:
        if image.width * image.height > MAX_FLAT_PX:
            raise ValueError(f"more than {MAX_FLAT_PX} pixels")
        with complete_only():
            return _grey(np.asarray(image))


def _grey(array: NDArray[Any]) -> Ints:
    """Return one whole number a pixel."""
    if array.ndim == 3:
        colours = array[..., :3]
        if (colours != colours[..., :1]).any():
            raise ValueError("a colour picture, no labels")
        array = array[..., 0]
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.ndim != 2 or array.dtype.kind not in "iu":
        raise ValueError(f"{array.dtype} of shape {array.shape}")
    return array


def _tiff(path: Path, lattice: Lattice) -> Any:
    import tifffile
    import zarr

    with tifffile.TiffFile(path) as file:
        names = [series.name for series in file.series]
        series = names.index(MASK_SERIES) if MASK_SERIES in names else 0
        levels = file.series[series].levels
        fine = [k for k, level in enumerate(levels) if _reaches(level.shape, lattice.shape)]
        level = fine[-1] if fine else 0
        if len(levels[level].shape) != 2 or levels[level].dtype.kind not in "iu":
            return _grey(levels[level].asarray())
    store = tifffile.imread(path, aszarr=True, series=series, level=level)
    return zarr.open_array(store, mode="r")


def _reaches(shape: tuple[int, ...], wanted: tuple[int, int]) -> bool:
    return len(shape) >= 2 and shape[0] >= wanted[0] and shape[1] >= wanted[1]
