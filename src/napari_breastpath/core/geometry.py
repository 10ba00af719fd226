"""Space, written down once: pixel sizes, boxes, pyramid levels and lattices.

Level-0 coordinates are floats with the origin at the outer top-left corner of pixel (0, 0); pixel i
covers [i, i+1). Every other raster (a pyramid level, a model's input, a map, a mask) is a `Lattice`
anchored at that origin.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

# Distance to an integer below which a coordinate in lattice pixels is taken to be that integer.
SNAP = 1e-6
MIN_MAP_MPP = 2.0


def snap(value: float) -> float:
    """Return the nearest integer when `value` lies within `SNAP` of it, else `value`."""
    nearest = round(value)
    return float(nearest) if abs(value - nearest) < SNAP else value


def snapped_ceil(value: float) -> int:
    """Return ceil(value), forgiving float noise just above an integer."""
    return math.ceil(snap(value))


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Micrometres per pixel in x and y, and where the value came from.

    Attributes
    ----------
    x, y : float
        µm/px, positive and finite; not assumed equal.
    source : str
        `header` (vendor or TIFF tag), `user`, `magnification`, …
    """

    x: float
    y: float
    source: str = "header"

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) and v > 0 for v in (self.x, self.y)):
            raise ValueError(f"not a pixel size in µm/px: {self.x} × {self.y}")

    def __iter__(self) -> Iterator[float]:
        return iter((self.x, self.y))


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in level-0 pixels, the only coordinate that crosses rooms."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """x of the outer right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """y of the outer bottom edge."""
        return self.y + self.height

    def intersection(self, other: Box) -> Box | None:
        """Return the part shared with `other`, None when they only touch or are apart."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        width, height = min(self.right, other.right) - x, min(self.bottom, other.bottom) - y
        return Box(x, y, width, height) if width > 0 and height > 0 else None


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of a slide's pyramid.

    Attributes
    ----------
    height, width : int
        Size in this level's pixels.
    downsample_x, downsample_y : float
        Level-0 pixels per pixel of this level, from the shapes (never from a declared scale).
    """

    height: int
    width: int
    downsample_x: float
    downsample_y: float

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def downsample(self) -> float:
        """Mean of both axes' downsamples, the single figure that people quote."""
        return (self.downsample_x + self.downsample_y) / 2

    @classmethod
    def of(cls, height: int, width: int, base_height: int, base_width: int) -> Level:
        """Return the level of that shape in a pyramid with that level 0."""
        return cls(height, width, base_width / width, base_height / height)


@dataclass(frozen=True, slots=True)
class Lattice:
    """A raster over a slide, anchored at its origin.

    Pixel (row r, column c) covers level-0 [c·step_x, (c+1)·step_x) × [r·step_y, (r+1)·step_y).

    Attributes
    ----------
    height, width : int
        ceil(slide size / step).
    step_x, step_y : float
        Level-0 pixels per lattice pixel.
    mpp_x, mpp_y : float
        µm per lattice pixel.
    """

    height: int
    width: int
    step_x: float
    step_y: float
    mpp_x: float
    mpp_y: float

    @classmethod
    def over(
        cls, width: int, height: int, slide_mpp: PixelSize, mpp: float | tuple[float, float]
    ) -> Lattice:
        """Return the lattice of `mpp` µm/px over a slide of `width` × `height` level-0 pixels."""
        mpp_x, mpp_y = (mpp, mpp) if isinstance(mpp, int | float) else mpp
        step_x, step_y = snap(mpp_x / slide_mpp.x), snap(mpp_y / slide_mpp.y)
        rows, columns = snapped_ceil(height / step_y), snapped_ceil(width / step_x)
        return cls(rows, columns, step_x, step_y, mpp_x, mpp_y)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def mpp(self) -> tuple[float, float]:
        """(µm/px in x, µm/px in y)."""
        return self.mpp_x, self.mpp_y

    @property
    def pixel_area_mm2(self) -> float:
        """Area of one lattice pixel in mm²."""
        return self.mpp_x * self.mpp_y / 1e6

    def box(self, row: float, column: float, height: float, width: float) -> Box:
        """Return the level-0 `Box` that a window of the lattice covers."""
        return Box(
            column * self.step_x, row * self.step_y, width * self.step_x, height * self.step_y
        )

    def window(self, box: Box) -> tuple[slice, slice]:
        """Return the (rows, columns) whose pixels `box` touches, clipped to the lattice."""
        top, left = math.floor(snap(box.y / self.step_y)), math.floor(snap(box.x / self.step_x))
        bottom = snapped_ceil(box.bottom / self.step_y)
        right = snapped_ceil(box.right / self.step_x)
        rows = slice(min(max(top, 0), self.height), min(max(bottom, 0), self.height))
        columns = slice(min(max(left, 0), self.width), min(max(right, 0), self.width))
        return rows, columns

    def coarser(self, factor: int) -> Lattice:
        """Return the lattice whose pixels hold `factor` × `factor` of these."""
        return Lattice(
            -(-self.height // factor),
            -(-self.width // factor),
            self.step_x * factor,
            self.step_y * factor,
            self.mpp_x * factor,
            self.mpp_y * factor,
        )


def output_stride(mpp: float) -> int:
    """Return the smallest power of two that brings `mpp` µm/px to at least 2 µm/px.

    Probabilities are block-averaged by it before they are stored.
    """
    return 1 if mpp >= MIN_MAP_MPP else 2 ** snapped_ceil(math.log2(MIN_MAP_MPP / mpp))
