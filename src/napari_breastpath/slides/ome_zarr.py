"""OME-Zarr 0.4 and 0.5, plain and in the bioformats2raw layout (ngff.openmicroscopy.org)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import SlideError
from napari_breastpath.core.geometry import Level
from napari_breastpath.slides.backend import Backend, Claim, Header, Pixels, reading
from napari_breastpath.slides.pixel_size import in_um
from napari_breastpath.slides.pixels import as_pixels, as_rgb, channels_of
from napari_breastpath.slides.tiff_pages import is_reduction

METADATA_FILES = (".zgroup", ".zattrs", "zarr.json")
ADVICE = "give an OME-Zarr image (0.4 or 0.5) with axes y, x and at most one of c, z, t each"


@dataclass(frozen=True, slots=True)
class Image:
    """One multiscale picture: its arrays, finest first, and where their axes are."""

    name: str
    folder: Path
    arrays: tuple[Any, ...]
    paths: tuple[str, ...]
    axes: tuple[str, ...]
    claims: tuple[Claim, ...]

    @property
    def samples(self) -> int:
        """Number of channels."""
        return int(self.arrays[0].shape[self.axes.index("c")]) if "c" in self.axes else 1

    def size(self, level: int) -> tuple[int, int]:
        """Return (height, width) of a level."""
        return self._spatial(self.arrays[level].shape)

    def chunk(self, level: int) -> tuple[int, int]:
        """Return (height, width) of a level's chunks."""
        return self._spatial(self.arrays[level].chunks)

    def read(self, level: int, rows: slice, columns: slice) -> NDArray[Any]:
        """Return (h, w, samples) of a window."""
        window = {"y": rows, "x": columns, "c": slice(None)}
        data = self.arrays[level][tuple(window.get(axis, 0) for axis in self.axes)]
        kept = [axis for axis in self.axes if axis in window]
        if "c" not in kept:
            data, kept = data[..., None], [*kept, "c"]
        return np.transpose(data, [kept.index(axis) for axis in "yxc"])

    def _spatial(self, shape: tuple[int, ...]) -> tuple[int, int]:
        return int(shape[self.axes.index("y")]), int(shape[self.axes.index("x")])


class OmeZarrBackend(Backend):
    """An OME-Zarr folder."""

    reader = "zarr"
    identifiers = ()

    def __init__(self, path: Path) -> None:
        with reading(path, "its OME-Zarr metadata cannot be read", ADVICE):
            images = read_images(path)
            self._image = image = max(images, key=lambda each: math.prod(each.size(0)))
            self.channels = channels_of(image.arrays[0].dtype, image.samples)
        self._path = path
        self._kept = [0, *(n for n in range(1, len(image.arrays)) if _is_level(image, n))]
        base = image.size(0)
        self.levels = tuple(Level.of(*image.size(n), *base) for n in self._kept)
        self.chunks = tuple(image.chunk(n) for n in self._kept)
        self.header = Header("ome-zarr", image.claims, properties={"name": image.name})
        self.files = data_files(image, path)
        self.associated: Mapping[str, Callable[[], NDArray[np.uint8]]] = {
            _name(each): partial(read_whole, path, each) for each in images if each is not image
        }

    def decode(self, level: int, row: int, column: int) -> Pixels | None:
        """Return one chunk; one that is zero throughout was never written and is no picture."""
        (height, width), shape = self.chunks[level], self.levels[level]
        rows = slice(row * height, min((row + 1) * height, shape.height))
        columns = slice(column * width, min((column + 1) * width, shape.width))
        with reading(self._path, f"chunk ({row}, {column}) of level {level} cannot be decoded"):
            samples = self._image.read(self._kept[level], rows, columns)
            if self.channels == 3 and not samples.any():
                return None
            return as_pixels(samples)

    def close(self) -> None:
        """Nothing is held open."""


def is_zarr(path: Path) -> bool:
    """Tell whether the folder is a zarr group."""
    return any((path / name).is_file() for name in METADATA_FILES)


def read_images(path: Path) -> list[Image]:
    """Return the image of a folder, or all images of a bioformats2raw folder."""
    attributes = ome_attributes(path)
    if "multiscales" in attributes:
        return [read_image(path, attributes)]
    if "plate" in attributes:
        raise SlideError(path, "it is a plate of many fields", "give the folder of one image")
    names = ome_attributes(path / "OME").get("series") if is_zarr(path / "OME") else None
    if names is None:
        names = sorted(item.name for item in path.iterdir() if item.name.isdigit())
    return [read_image(path / name, ome_attributes(path / name)) for name in names]


def ome_attributes(path: Path) -> dict[str, Any]:
    """Return a group's OME attributes: under `ome` since 0.5, at the top before."""
    import zarr

    attributes = dict(zarr.open_group(path, mode="r").attrs)
    found = attributes.get("ome", attributes)
    return found if isinstance(found, dict) else {}


def read_image(path: Path, attributes: Mapping[str, Any]) -> Image:
    """Return the first multiscale of a group."""
    import zarr

    multiscale = attributes["multiscales"][0]
    group = zarr.open_group(path, mode="r")
    paths = tuple(dataset["path"] for dataset in multiscale["datasets"])
    arrays: tuple[Any, ...] = tuple(group[name] for name in paths)
    axes = axis_names(multiscale, arrays[0].ndim)
    single = all(arrays[0].shape[n] == 1 for n, axis in enumerate(axes) if axis not in "yxc")
    if not {"y", "x"} <= set(axes) or not single:
        raise ValueError(f"axes {', '.join(axes)} of shape {arrays[0].shape} are no slide")
    name = str(multiscale.get("name") or path.name)
    return Image(name, path, arrays, paths, axes, claims_of(multiscale))


def axis_names(multiscale: Mapping[str, Any], ndim: int) -> tuple[str, ...]:
    """Return one letter per axis; before 0.3 they were always t, c, z, y, x."""
    axes = multiscale.get("axes") or "tczyx"[-ndim:]
    return tuple(axis["name"] if isinstance(axis, dict) else str(axis) for axis in axes)


def claims_of(multiscale: Mapping[str, Any]) -> tuple[Claim, ...]:
    """Return the pixel size of level 0, if x and y have a scale and a unit of length."""
    scale: dict[str, float] = {}
    axes = [axis for axis in multiscale.get("axes", ()) if isinstance(axis, dict)]
    for holder in (multiscale["datasets"][0], multiscale):
        for transform in holder.get("coordinateTransformations", ()):
            for axis, factor in zip(axes, transform.get("scale", ()), strict=False):
                scale[axis["name"]] = scale.get(axis["name"], 1.0) * float(factor)
    units = {axis["name"]: axis.get("unit") for axis in axes}
    x, y = (in_um(scale[name], units[name]) if name in scale else None for name in "xy")
    return () if x is None or y is None else (Claim("OME-Zarr scale", x, y),)


def data_files(image: Image, root: Path) -> tuple[Path, ...]:
    """Return all files of one image: metadata and chunks, not what others put beside them."""
    metadata = [folder / name for folder in {root, image.folder} for name in METADATA_FILES]
    chunks = (item for name in image.paths for item in (image.folder / name).rglob("*"))
    return tuple(sorted(item for item in (*metadata, *chunks) if item.is_file()))


def read_whole(path: Path, image: Image) -> NDArray[np.uint8]:
    """Return level 0 of a small image as (h, w, 3) uint8."""
    with reading(path, f"its image {image.name} cannot be read"):
        return as_rgb(as_pixels(image.read(0, slice(None), slice(None))))


def _is_level(image: Image, level: int) -> bool:
    return is_reduction(image.size(level), image.size(0))


def _name(image: Image) -> str:
    return image.name.removesuffix(" image") or image.folder.name
