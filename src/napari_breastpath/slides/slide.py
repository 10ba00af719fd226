"""`Slide`: one whole-slide image, whatever its format."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import SlideError
from napari_breastpath.core.geometry import Lattice, Level, PixelSize, snap
from napari_breastpath.slides.associated import AssociatedImages
from napari_breastpath.slides.backend import Backend, Pixels, dtype_of
from napari_breastpath.slides.cache import ChunkCache
from napari_breastpath.slides.detect import open_backend
from napari_breastpath.slides.fingerprint import fingerprint
from napari_breastpath.slides.pixel_size import both_axes, from_header, from_user
from napari_breastpath.slides.resample import Axis, area_means
from napari_breastpath.slides.window import read_window

if TYPE_CHECKING:
    import dask.array

# A level this much coarser than asked for still serves: levels of odd sizes are 2.0005×, not 2×.
LEVEL_TOLERANCE = 1.01
BLOCK_PX = 2048


@dataclass(frozen=True, eq=False)
class Slide:
    """A lazily read pyramid with a pixel size.

    Many threads may read one slide; it pickles (path and options) to a worker process; as a context
    manager it closes itself. Made by `open_slide`.

    Attributes
    ----------
    path : Path
        File or folder.
    mpp : PixelSize
        µm per level-0 pixel, and where the value came from.
    backend : Backend
        What reads the format.
    options : tuple
        (mpp, magnification) as given to `open_slide`.
    properties : dict of str
        Header facts; `pixel size from` names the part of the header that gave it.
    """

    path: Path
    mpp: PixelSize
    backend: Backend = field(repr=False)
    options: tuple[float | tuple[float, float] | None, float | None] = (None, None)
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    _cache: ChunkCache = field(default_factory=ChunkCache, repr=False)

    @property
    def levels(self) -> tuple[Level, ...]:
        """Resolutions stored in the file, finest first."""
        return self.backend.levels

    @property
    def width(self) -> int:
        """Level-0 pixels in x."""
        return self.levels[0].width

    @property
    def height(self) -> int:
        """Level-0 pixels in y."""
        return self.levels[0].height

    @property
    def vendor(self) -> str:
        """Format family, named as OpenSlide names it."""
        return self.backend.header.vendor

    @property
    def reader(self) -> str:
        """Library that reads it: `tifffile`, `openslide`, `zarr` or `pillow`."""
        return self.backend.reader

    @property
    def channels(self) -> int:
        """3 (RGB uint8) or 1 (grey uint16)."""
        return self.backend.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 for RGB, uint16 for grey."""
        return dtype_of(self.channels)

    @property
    def bounds_offset(self) -> tuple[float, float]:
        """Level-0 (x, y) of this slide's origin in the scanner's own coordinates (MRXS…)."""
        return self.backend.header.bounds_offset

    @property
    def objective_power(self) -> float | None:
        """Magnification of the objective, None when the header has none."""
        return self.backend.header.objective_power

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the fingerprint is about."""
        return self.backend.files

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex: of total size + first and last MiB of each file; DICOM: of its UIDs."""
        return fingerprint(self.files, self.backend.identifiers)

    @cached_property
    def associated_images(self) -> Mapping[str, NDArray[np.uint8]]:
        """Label, macro, thumbnail: name → (h, w, 3) uint8, read when asked for."""
        return AssociatedImages(self.backend.associated)

    def lattice(self, mpp: float | tuple[float, float]) -> Lattice:
        """Return the raster of `mpp` µm/px over the whole slide."""
        return Lattice.over(self.width, self.height, self.mpp, mpp)

    def read(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        mpp: float | tuple[float, float] | None = None,
    ) -> NDArray[Any]:
        """Return the pixels of a box.

        Each output pixel is the area mean of its footprint, which starts at (x, y) and has exactly
        `mpp`; reads on one grid give the same bits however they are cut.

        Parameters
        ----------
        x, y, width, height : float
            Box in level-0 pixels; may reach beyond the slide, where it is white (grey slides: 0).
        mpp : float or (float, float), optional
            µm/px of the output (x, y); level 0 as stored when not given.

        Returns
        -------
        ndarray
            (h, w, 3) uint8, or (h, w) uint16 for grey slides; h, w = round(size·mpp_slide/mpp).

        Raises
        ------
        SlideError
            When the file cannot be read there; other boxes are unaffected.
        """
        step_x, step_y = self._steps(mpp)
        if not all(map(math.isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
            cause = f"a box of {width} × {height} px at ({x}, {y}) has no pixels"
            raise SlideError(self.path, cause, "give a box with positive width and height")
        return self.sample(Axis.covering(y, height, step_y), Axis.covering(x, width, step_x))

    def thumbnail(self, max_size: int = 1024) -> NDArray[Any]:
        """Return the whole slide with its longer side at most `max_size` pixels."""
        factor = max(1.0, max(self.width, self.height) / max_size)
        height, width = max(1, round(self.height / factor)), max(1, round(self.width / factor))
        return self.sample(
            Axis(0, height, self.height / height), Axis(0, width, self.width / width)
        )

    def pyramid(self) -> list[dask.array.Array]:
        """Return dask arrays for display, finest first, with ×2 levels where steps are wide."""
        from napari_breastpath.slides.pyramid import pyramid

        return pyramid(self)

    def close(self) -> None:
        """Close the file and forget decoded pixels."""
        self._cache.clear()
        self.backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return open_slide, (self.path.absolute(), *self.options)

    def _steps(self, mpp: float | tuple[float, float] | None) -> tuple[float, float]:
        if mpp is None:
            return 1.0, 1.0
        mpp_x, mpp_y = both_axes(mpp)
        if not (0 < mpp_x < math.inf and 0 < mpp_y < math.inf):
            raise SlideError(self.path, f"{mpp} µm/px cannot be read", "give a positive µm/px")
        return snap(mpp_x / self.mpp.x), snap(mpp_y / self.mpp.y)

    def _level_for(self, step_x: float, step_y: float) -> int:
        """Return the coarsest level that is still fine enough."""
        fine = (
            index
            for index, level in enumerate(self.levels)
            if level.downsample_x <= step_x * LEVEL_TOLERANCE
            and level.downsample_y <= step_y * LEVEL_TOLERANCE
        )
        return max(fine, default=0)

    def sample(self, rows: Axis, columns: Axis, level: int | None = None) -> NDArray[Any]:
        """Return the area means of an output raster, from the level just fine enough for it, or
        from a given one."""
        level = self._level_for(columns.step, rows.step) if level is None else level
        tall = _blocks(rows, self.levels[level].downsample_y)
        wide = _blocks(columns, self.levels[level].downsample_x)
        if len(tall) == len(wide) == 1:
            out = self._block(level, rows, columns)
        else:
            out = np.empty((rows.count, columns.count, self.channels), self.dtype)
            for top, bottom in tall:
                for left, right in wide:
                    out[top:bottom, left:right] = self._block(
                        level, rows.part(top, bottom), columns.part(left, right)
                    )
        return out if self.channels == 3 else out[..., 0]

    def _block(self, level: int, rows: Axis, columns: Axis) -> Pixels:
        scale = self.levels[level]
        read = partial(read_window, self.backend, self._cache, level)
        return area_means(read, rows, columns, scale.downsample_y, scale.downsample_x)


def _blocks(axis: Axis, downsample: float) -> list[tuple[int, int]]:
    """Return pieces of an axis that need about `BLOCK_PX` source pixels, to bound the memory."""
    length = max(1, int(BLOCK_PX * downsample / axis.step))
    return [(start, min(start + length, axis.count)) for start in range(0, axis.count, length)]


def open_slide(
    path: str | Path,
    mpp: float | tuple[float, float] | None = None,
    magnification: float | None = None,
) -> Slide:
    """Open a whole-slide image or a photomicrograph, detected by its content.

    Parameters
    ----------
    path : str or Path
        A file, or the folder of a DICOM series or an OME-Zarr.
    mpp : float or (float, float), optional
        µm/px of level 0 (x, y); overrides the header's.
    magnification : float, optional
        Objective magnification of a photomicrograph; µm/px = 10 / magnification.

    Returns
    -------
    Slide

    Raises
    ------
    PixelSizeError
        When the pixel size is missing, contradictory or impossible.
    SlideError
        When the file cannot be opened.
    UsageError
        When both `mpp` and `magnification` are given.
    """
    path = Path(path)
    size = from_user(path, mpp, magnification)
    backend = open_backend(path)
    try:
        size, origin = (size, size.source) if size else from_header(path, backend.header.claims)
    except SlideError:
        backend.close()
        raise
    facts = {**backend.header.properties, "pixel size from": origin}
    return Slide(path, size, backend, (mpp, magnification), facts)
