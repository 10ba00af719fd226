"""The pyramid a viewer draws: stored levels, with ×2 levels synthesised where steps are wide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import Level
from napari_breastpath.slides.resample import Axis

if TYPE_CHECKING:
    import dask.array

    from napari_breastpath.slides.slide import Slide

COARSEST_PX = 2048
WIDEST_STEP = 4.2  # ×4 with the rounding of odd sizes
CHUNK_PX = 1024


@dataclass(frozen=True)
class LevelArray:
    """One level as an array that reads when it is indexed.

    Attributes
    ----------
    slide : Slide
    level : Level
    source : int, optional
        The stored level to read; by default the one just fine enough.
    """

    slide: Slide
    level: Level
    source: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, 3), or (height, width) for grey slides."""
        return (*self.level.shape, 3) if self.slide.channels == 3 else self.level.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 for RGB, uint16 for grey."""
        return self.slide.dtype

    @property
    def ndim(self) -> int:
        """3, or 2 for grey slides."""
        return len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        spans = [part.indices(size) for part, size in zip(key, self.shape, strict=True)]
        (top, bottom, _), (left, right, _) = spans[:2]
        window = self.slide.sample(
            Axis(top, bottom - top, self.level.downsample_y),
            Axis(left, right - left, self.level.downsample_x),
            self.source,
        )
        return window if self.ndim == 2 else window[..., key[2]]


def pyramid(slide: Slide) -> list[dask.array.Array]:
    """Return dask arrays (h, w, 3) uint8 or (h, w) uint16, finest first.

    The coarsest has at most about `COARSEST_PX` pixels a side, and no step is over ×4.
    """
    import dask.array

    arrays = (LevelArray(slide, level) for level in display_levels(slide.levels))
    return [
        dask.array.from_array(
            array,
            chunks=(CHUNK_PX, CHUNK_PX, 3)[: array.ndim],
            name=f"slide-{slide.fingerprint}-{array.level.height}x{array.level.width}",
            asarray=False,
            fancy=False,
            meta=np.empty((0,) * array.ndim, array.dtype),
        )
        for array in arrays
    ]


def display_levels(stored: tuple[Level, ...], widest_step: float = WIDEST_STEP) -> list[Level]:
    """Return the stored levels with ×2 levels after them, and between those further apart."""
    levels = [stored[0]]
    for following in (*stored[1:], None):
        while _too_far(levels[-1], following, widest_step):
            levels.append(halved(levels[-1], stored[0]))
        if following is not None:
            levels.append(following)
    return levels


def halved(level: Level, base: Level) -> Level:
    """Return the level of half the size, exactly over the same picture."""
    return Level.of(max(1, level.height // 2), max(1, level.width // 2), base.height, base.width)


def _too_far(level: Level, following: Level | None, widest_step: float) -> bool:
    if following is None:
        return max(level.shape) > COARSEST_PX
    return following.downsample > widest_step * level.downsample
