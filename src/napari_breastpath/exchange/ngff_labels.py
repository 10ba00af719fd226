"""OME-NGFF labels, 0.4 and 0.5, laid on a lattice by their own scale and translation.

NGFF puts the centre of a label's pixel 0 at its translation and that of the slide's level-0 pixel 0
at 0 (https://ngff.openmicroscopy.org/0.5/, multiscales and image-label).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import AnnotationError
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.exchange.label_image import Labels, covering, labels_of
from napari_breastpath.slides.ome_zarr import axis_names, ome_attributes
from napari_breastpath.slides.pixel_size import in_um

PREFERRED: Final = "mask"
NAME_KEYS: Final = ("name", "class", "class_name", "label")
ADVICE: Final = "give an OME-Zarr 0.4 or 0.5 with labels of axes y, x"


@dataclass(frozen=True)
class _Plane:
    """A (y, x) view of an array whose other axes have length 1, sliced by rows."""

    source: Any
    axes: tuple[str, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.source.dtype
        return dtype

    @property
    def shape(self) -> tuple[int, int]:
        height, width = (int(self.source.shape[self.axes.index(axis)]) for axis in "yx")
        return height, width

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        window = {"y": rows, "x": slice(None)}
        plane: NDArray[Any] = np.asarray(
            self.source[tuple(window.get(axis, 0) for axis in self.axes)]
        )
        return plane if self.axes.index("y") < self.axes.index("x") else plane.T


def find_labels(path: Path) -> Path:
    """Return the label group that is meant: the folder itself, its `mask`, or its only one.

    Raises
    ------
    AnnotationError
        It holds no labels, or several of which none is called `mask`.
    """
    with labels_of(path):
        attributes = ome_attributes(path)
    if "image-label" in attributes:
        return path
    parent = path if "labels" in attributes else path / "labels"
    with labels_of(path):
        names = list(ome_attributes(parent).get("labels", ())) if parent.is_dir() else []
    if not names and "multiscales" in attributes:
        return path
    if PREFERRED in names or len(names) == 1:
        return parent / (PREFERRED if PREFERRED in names else names[0])
    if not names:
        raise AnnotationError(path, "holds no labels", ADVICE)
    choice = ", ".join(f"labels/{name}" for name in names)
    raise AnnotationError(path, "holds several labels", f"give one of {choice}")


def read_ngff_labels(
    path: Path, lattice: Lattice, slide_mpp: PixelSize, size: tuple[int, int]
) -> Labels:
    """Open the labels of an OME-Zarr.

    Parameters
    ----------
    path : Path
        A label group, a `labels` group, or an image with labels.
    lattice : Lattice
    slide_mpp : PixelSize
    size : (width, height)
        Of the slide, in level-0 px. Labels without a unit of length must cover it.

    Returns
    -------
    Labels
        With the names of their values, where the group has `properties` with names.

    Raises
    ------
    AnnotationError
    """
    group = find_labels(path)
    with labels_of(group):
        attributes = ome_attributes(group)
        multiscale = attributes["multiscales"][0]
        datasets = multiscale["datasets"]
        planes = [_plane(group, multiscale, each["path"]) for each in datasets]
        placed = [_placement(multiscale, each) for each in datasets]
    names = value_names(attributes.get("image-label", {}))
    if any(found is None for found in placed):
        whole = covering(planes[0], lattice, size, group)
        return Labels(whole.array, whole.rows, whole.columns, group, names)
    known = [found for found in placed if found is not None]
    fine = [k for k, (scale, _) in enumerate(known) if scale[0] <= lattice.mpp_y * 1.001]
    level = fine[-1] if fine else 0
    (scale_y, scale_x), (start_y, start_x) = known[level]
    height, width = planes[level].shape
    rows = _nearest(lattice.height, lattice.mpp_y, slide_mpp.y, scale_y, start_y, height)
    columns = _nearest(lattice.width, lattice.mpp_x, slide_mpp.x, scale_x, start_x, width)
    if not (rows >= 0).any() or not (columns >= 0).any():
        raise AnnotationError(group, "lies outside the slide", "give the labels of this slide")
    return Labels(planes[level], rows, columns, group, names)


def _plane(group: Path, multiscale: Mapping[str, Any], name: str) -> _Plane:
    import zarr

    array: Any = zarr.open_group(group, mode="r")[name]
    axes = axis_names(multiscale, array.ndim)
    lengths = zip(axes, array.shape, strict=True)
    if not {"y", "x"} <= set(axes) or any(n != 1 for axis, n in lengths if axis not in "yx"):
        raise ValueError(f"axes {', '.join(axes)} of shape {array.shape} are no plane")
    if array.dtype.kind not in "iub":
        raise ValueError(f"{array.dtype} values are no labels")
    return _Plane(array, axes)


def _placement(
    multiscale: Mapping[str, Any], dataset: Mapping[str, Any]
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Return scale and translation (y, x) in µm; None without a unit of length."""
    axes = [axis for axis in multiscale.get("axes", ()) if isinstance(axis, Mapping)]
    scale, start = _transformed(len(axes), multiscale, dataset)
    found: dict[str, tuple[float, float]] = {}
    for axis, factor, shift in zip(axes, scale, start, strict=True):
        um = in_um(1.0, axis.get("unit"))
        if axis["name"] in ("y", "x") and um is not None and factor > 0:
            found[axis["name"]] = factor * um, shift * um
    if len(found) < 2:
        return None
    return (found["y"][0], found["x"][0]), (found["y"][1], found["x"][1])


def _transformed(
    ndim: int, multiscale: Mapping[str, Any], dataset: Mapping[str, Any]
) -> tuple[list[float], list[float]]:
    """Apply a dataset's transformations, then those of the whole multiscale."""
    scale, start = [1.0] * ndim, [0.0] * ndim
    for holder in (dataset, multiscale):
        for step in holder.get("coordinateTransformations", ()):
            by: Sequence[float] = step.get("scale") or [1.0] * ndim
            shift: Sequence[float] = step.get("translation") or [0.0] * ndim
            scale = [a * float(b) for a, b in zip(scale, by, strict=True)]
            pairs = zip(start, by, shift, strict=True)
            start = [a * float(b) + float(c) for a, b, c in pairs]
    return scale, start


def _nearest(
    count: int, map_um: float, slide_um: float, label_um: float, start_um: float, size: int
) -> NDArray[np.int64]:
    """Return the label pixel under the centre of every lattice pixel, -1 where there is none."""
    centre_um = (np.arange(count) + 0.5) * map_um - slide_um / 2
    index = np.floor((centre_um - start_um) / label_um + 0.5 + 1e-6).astype(np.int64)
    return np.where((index >= 0) & (index < size), index, -1)


def value_names(image_label: Mapping[str, Any]) -> dict[int, str]:
    """Return the names that `properties` give to label values."""
    names: dict[int, str] = {}
    for entry in image_label.get("properties", ()):
        name = next((entry[key] for key in NAME_KEYS if isinstance(entry.get(key), str)), None)
        if name is not None and "label-value" in entry:
            names[int(entry["label-value"])] = name
    return names
