"""A file that people or programs made, as label values on a slide's lattice; nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import AnnotationError
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.exchange.annotation import Annotation
from napari_breastpath.exchange.annotations import ADVICE, PACKED, read_annotations
from napari_breastpath.exchange.class_names import LEAVE_OUT, ClassNames, unknown_class
from napari_breastpath.exchange.label_image import Labels, read_label_image
from napari_breastpath.exchange.ngff_labels import read_ngff_labels
from napari_breastpath.exchange.rasterise import paint, painting_order
from napari_breastpath.results import Result
from napari_breastpath.results.maps import ERASED

UInt8Array = NDArray[np.uint8]
REGION_TYPES: Final = ("annotation", "tile")
"""QuPath's objects that stand for areas of tissue; cells and cores are no regions."""
AREAS, LABEL_VALUES = "areas", "label values"
TEXT_STARTS: Final = (b"<", b"{", b"[")


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where to paint.

    Attributes
    ----------
    lattice : Lattice
    slide_mpp : PixelSize
    size : (width, height)
        Of the slide, in level-0 px.
    bounds_offset : (x, y)
        The slide's origin in the scanner's coordinates.
    """

    lattice: Lattice
    slide_mpp: PixelSize
    size: tuple[int, int]
    bounds_offset: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, result: Result) -> Canvas:
        """Return the map of a result."""
        slide, lattice = result.record["slide"], result.lattice
        width = slide.get("width", round(lattice.width * lattice.step_x))
        height = slide.get("height", round(lattice.height * lattice.step_y))
        x, y = slide.get("bounds_offset", (0.0, 0.0))
        return cls(lattice, result.slide_mpp, (width, height), (x, y))


@dataclass(frozen=True, slots=True)
class Painting:
    """What a file says about every pixel.

    Attributes
    ----------
    raster : ndarray, uint8 (y, x)
        0 nothing, k class k, 255 erased.
    count : int
        How many things were painted.
    things : str
        What they are: `areas` or `label values`.
    notes : tuple of str
        What was left out, and why.
    """

    raster: UInt8Array
    count: int
    things: str = AREAS
    notes: tuple[str, ...] = ()


def read_painting(path: Path, canvas: Canvas, names: ClassNames) -> Painting:
    """Read annotations or labels of any known format as classes.

    Parameters
    ----------
    path : Path
        What `read_annotations` or `read_label_image` reads, or an OME-Zarr with labels.
    canvas : Canvas
    names : ClassNames
        Value k of labels is class k unless the file names its values; 255 is erased. An image of
        nothing but 0 and 255 is a mask of the tumour class.

    Raises
    ------
    AnnotationError
        Malformed, or nothing of it lies on the slide.
    UsageError
        A class that is not known, or a value that is none.
    """
    if not is_annotation_file(path):
        return _painted_labels(path, _labels(path, canvas), names)
    found = read_annotations(path, canvas.bounds_offset)
    areas, notes = _areas(path, found)
    valued = [(area, names.of(area)) for area in areas]
    unknown = [area.class_name for area, value in valued if value is None]
    if unknown:
        raise unknown_class(path, unknown, names)
    return _painted(path, [(area, value or LEAVE_OUT) for area, value in valued], notes, canvas)


def read_area(path: Path, canvas: Canvas, names: ClassNames | None = None) -> Painting:
    """Read what any area or label of a file covers, as 1; what the file cuts out is not covered.

    The parameters and errors are those of `read_painting`; classes need not be known.
    """
    if not is_annotation_file(path):
        return _covered_labels(_labels(path, canvas))
    areas, notes = _areas(path, read_annotations(path, canvas.bounds_offset))
    valued = [(area, _covering(area, names or ClassNames(()))) for area in areas]
    painted = _painted(path, valued, notes, canvas)
    covered = (painted.raster == 1).astype(np.uint8)
    return replace(painted, raster=covered)


def is_annotation_file(path: Path) -> bool:
    """Tell XML, JSON and what packs them from images and folders, by content.

    Raises
    ------
    AnnotationError
        There is no such file.
    """
    if path.is_dir():
        return False
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise AnnotationError(path, f"cannot be read ({error.strerror})", ADVICE) from None
    text = start.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")
    return start.startswith(PACKED) or text.startswith(TEXT_STARTS)


def _covering(area: Annotation, names: ClassNames) -> int:
    value = names.of(area)
    if value == LEAVE_OUT and area.class_name.casefold() in {k.casefold() for k in names.given}:
        return LEAVE_OUT
    return ERASED if value == ERASED else 1


def _labels(path: Path, canvas: Canvas) -> Labels:
    if path.is_dir():
        return read_ngff_labels(path, canvas.lattice, canvas.slide_mpp, canvas.size)
    return read_label_image(path, canvas.lattice, canvas.size)


def _areas(path: Path, found: Sequence[Annotation]) -> tuple[list[Annotation], list[str]]:
    """Return the annotations that are areas of tissue, and what the others are."""
    areas = [each for each in found if each.is_area and each.object_type in REGION_TYPES]
    others = Counter(
        each.object_type if each.is_area else each.kind
        for each in found
        if not (each.is_area and each.object_type in REGION_TYPES)
    )
    listed = [f"{count} × {kind}" for kind, count in sorted(others.items())]
    if not areas:
        cause = f"holds no area to paint ({', '.join(listed)})"
        raise AnnotationError(path, cause, "give polygons, rectangles or ellipses")
    return areas, [f"left out, as no area of tissue: {', '.join(listed)}"] if listed else []


def _painted(
    path: Path, valued: Sequence[tuple[Annotation, int]], notes: Sequence[str], canvas: Canvas
) -> Painting:
    wanted = painting_order([pair for pair in valued if pair[1] != LEAVE_OUT], ERASED)
    ignored = len(valued) - len(wanted)
    raster, missed = paint(wanted, canvas.lattice)
    if wanted and len(missed) == len(wanted):
        size = f"{canvas.size[0]} × {canvas.size[1]} px"
        cause = f"none of its {len(wanted)} areas covers anything of this slide ({size})"
        raise AnnotationError(path, cause, "check that it belongs to this slide")
    said = list(notes)
    if ignored:
        said.append(f"{ignored} areas are of classes that are ignored")
    if missed:
        said.append(f"{len(missed)} areas are off the slide or smaller than a pixel of the map")
    return Painting(raster, len(wanted) - len(missed), notes=tuple(said))


def _painted_labels(path: Path, labels: Labels, names: ClassNames) -> Painting:
    present = labels.values()
    values = _meanings(path, labels, present, names)
    return Painting(_look_up(labels, values), len(present), LABEL_VALUES)


def _covered_labels(labels: Labels) -> Painting:
    present = labels.values()
    return Painting(_look_up(labels, dict.fromkeys(present, 1)), len(present), LABEL_VALUES)


def _meanings(
    path: Path, labels: Labels, present: Sequence[int], names: ClassNames
) -> dict[int, int]:
    """Return class k, erased or left out for every label value that occurs."""
    if not present:
        raise AnnotationError(path, "holds nothing but 0", "give labels of this slide")
    if present == [255] and 255 not in labels.names:
        return {255: names.value("tumour") or 1}
    meant = {value: _meaning(value, labels.names.get(value), names) for value in present}
    unknown = [labels.names.get(v, f"value {v}") for v, m in meant.items() if m is None]
    if unknown:
        raise unknown_class(path, unknown, names)
    return {value: meaning or LEAVE_OUT for value, meaning in meant.items()}


def _meaning(value: int, name: str | None, names: ClassNames) -> int | None:
    found = names.value(name if name is not None else f"value {value}")
    if found is not None or name is not None:
        return found
    return value if value in (*range(1, len(names.classes) + 1), ERASED) else None


def _look_up(labels: Labels, values: dict[int, int]) -> UInt8Array:
    """Replace every label value by its meaning, band by band."""
    raster = np.zeros((len(labels.rows), len(labels.columns)), np.uint8)
    if not values:
        return raster
    keys = np.array(sorted(values), np.int64)
    meanings = np.array([values[int(key)] for key in keys], np.uint8)
    for rows, band in labels.bands():
        at = np.minimum(np.searchsorted(keys, band), len(keys) - 1)
        raster[rows] = np.where(keys[at] == band, meanings[at], 0)
    return raster
