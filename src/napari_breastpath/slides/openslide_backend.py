"""MRXS, BIF, VMS, DICOM WSI and whatever else tifffile cannot place, through OpenSlide."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import Level
from napari_breastpath.slides.backend import INCOMPLETE, Backend, Claim, Header, Pixels, reading
from napari_breastpath.slides.pixels import as_pixels

if TYPE_CHECKING:
    from openslide import OpenSlide

MIN_CHUNK_PX = 512
CACHE_BYTES = 64 * 2**20


def vendor_of(path: Path) -> str | None:
    """Return the vendor that OpenSlide sees in the file's content, None when it cannot read it."""
    import openslide

    vendor: str | None = openslide.OpenSlide.detect_format(path)
    return vendor


class OpenSlideBackend(Backend):
    """A slide read by OpenSlide, cropped to its bounds as QuPath shows it."""

    reader = "openslide"
    channels = 3

    def __init__(
        self, path: Path, files: tuple[Path, ...] = (), identifiers: tuple[str, ...] = ()
    ) -> None:
        self._path = path
        self.files = files or companions(path)
        self.identifiers = identifiers
        self._reopening = threading.Lock()
        with reading(path, "OpenSlide cannot open it"):
            self._slide = open_handle(path)
            properties = dict(self._slide.properties)
            self.header = read_header(properties)
            self.levels, self._downsamples = cropped_levels(self._slide, properties)
            self.chunks = tuple(chunk_shape(properties, level) for level in range(len(self.levels)))
        self.associated: Mapping[str, Callable[[], NDArray[np.uint8]]] = {
            name: partial(self._read_associated, name) for name in self._slide.associated_images
        }

    def decode(self, level: int, row: int, column: int) -> Pixels | None:
        """Return one chunk; after an error the handle is dead, so reopen it and try once more."""
        (height, width), shape = self.chunks[level], self.levels[level]
        x, y = column * width, row * height
        box = (x, y, min(width, shape.width - x), min(height, shape.height - y))
        slide = self._slide
        try:
            return self._read(slide, level, *box)
        except Exception:  # noqa: BLE001 - whatever failed, the second attempt reports it
            slide = self._reopened(slide)
        try:
            with reading(self._path, f"tile ({row}, {column}) of level {level} cannot be decoded"):
                return self._read(slide, level, *box)
        except Exception:
            self._reopened(slide)
            raise

    def close(self) -> None:
        """Close the file."""
        self._slide.close()

    def _read(
        self, slide: OpenSlide, level: int, x: int, y: int, width: int, height: int
    ) -> Pixels:
        downsample, offset = self._downsamples[level], self.header.bounds_offset
        corner = (round(offset[0] + x * downsample), round(offset[1] + y * downsample))
        return as_pixels(np.asarray(slide.read_region(corner, level, (width, height))))

    def _reopened(self, dead: OpenSlide) -> OpenSlide:
        """Replace a handle unless another thread has; readers may still hold the dead one."""
        with self._reopening:
            if self._slide is dead:
                with reading(self._path, "OpenSlide cannot open it again"):
                    self._slide = open_handle(self._path)
            return self._slide

    def _read_associated(self, name: str) -> NDArray[np.uint8]:
        with reading(self._path, f"its {name} image cannot be read"):
            pixels = as_pixels(np.asarray(self._slide.associated_images[name].convert("RGBA")))
            return pixels.astype(np.uint8, copy=False)


def open_handle(path: Path) -> OpenSlide:
    """Open the file and give the handle a tile cache of its own."""
    import openslide

    slide = openslide.OpenSlide(path)
    slide.set_cache(openslide.OpenSlideCache(CACHE_BYTES))
    return slide


def read_header(properties: Mapping[str, str]) -> Header:
    """Return pixel size, objective and bounds from OpenSlide's own properties."""
    sizes = [_float(properties, f"openslide.mpp-{axis}") for axis in "xy"]
    x, y = sizes
    power = _float(properties, "openslide.objective-power")
    vendor = properties.get("openslide.vendor", "unknown")
    origin = "DICOM PixelSpacing" if vendor == "dicom" else f"{vendor} header"
    return Header(
        vendor,
        () if x is None or y is None else (Claim(origin, x, y),),
        power,
        {key: value for key, value in properties.items() if key.startswith("openslide.")},
        (
            _float(properties, "openslide.bounds-x") or 0.0,
            _float(properties, "openslide.bounds-y") or 0.0,
        ),
    )


def cropped_levels(
    slide: Any, properties: Mapping[str, str]
) -> tuple[tuple[Level, ...], tuple[float, ...]]:
    """Return the levels cut to the bounds, and OpenSlide's own downsample of each."""
    base_width, base_height = slide.level_dimensions[0]
    width = _float(properties, "openslide.bounds-width") or base_width
    height = _float(properties, "openslide.bounds-height") or base_height
    whole = (width, height) == (base_width, base_height)
    levels = []
    for level_width, level_height in slide.level_dimensions:
        full = Level.of(level_height, level_width, base_height, base_width)
        cut = Level(
            max(1, math.floor(height / full.downsample_y)),
            max(1, math.floor(width / full.downsample_x)),
            full.downsample_x,
            full.downsample_y,
        )
        levels.append(full if whole else cut)
    return tuple(levels), tuple(slide.level_downsamples)


def chunk_shape(properties: Mapping[str, str], level: int) -> tuple[int, int]:
    """Return (height, width) of whole tiles of that level, at least `MIN_CHUNK_PX` each."""
    sizes = [
        int(_float(properties, f"openslide.level[{level}].tile-{name}") or MIN_CHUNK_PX)
        for name in ("height", "width")
    ]
    height, width = (size * max(1, -(-MIN_CHUNK_PX // size)) for size in sizes)
    return min(height, 4 * MIN_CHUNK_PX), min(width, 4 * MIN_CHUNK_PX)


def companions(path: Path) -> tuple[Path, ...]:
    """Return the slide's file and those of its folder (MRXS) or named in it (VMS)."""
    folder = path.with_suffix("")
    if (folder / "Slidedat.ini").is_file():
        return (path, *sorted(item for item in folder.iterdir() if item.is_file()))
    if path.suffix.lower() in (".vms", ".vmu"):
        text = path.read_text(errors="replace")
        named = (item for item in path.parent.iterdir() if item != path and item.name in text)
        return (path, *sorted(named))
    return (path,)


def missing_folder(path: Path) -> str | None:
    """Return what an .mrxs file without its folder lacks, None for everything else."""
    alone = path.suffix.lower() == ".mrxs" and not (path.with_suffix("") / "Slidedat.ini").is_file()
    return f"its folder {path.stem}/ is missing ({INCOMPLETE})" if alone else None


def _float(properties: Mapping[str, str], key: str) -> float | None:
    try:
        return float(properties[key])
    except (KeyError, ValueError):
        return None
