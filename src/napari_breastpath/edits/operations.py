"""Operations on windows of masks, lengths in µm, on pixels that need not be square.

Points are (row, column) in map px, pixel i covering [i, i+1); `mpp` is (x, y) in µm/px.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_breastpath.edits.entry import BoolArray, UInt8Array

Mpp: TypeAlias = tuple[float, float]
Point: TypeAlias = tuple[float, float]
FloatArray: TypeAlias = NDArray[np.float64]
EIGHT = np.ones((3, 3), dtype=bool)
ROUNDING = 1 + 1e-9  # forgives float noise where a pixel lies exactly at a length
STRETCH_PX = 64.0
BAND_PIXELS = 1 << 22


def half_size(radius_um: float, mpp: Mpp) -> tuple[int, int]:
    """Return how many (rows, columns) a length reaches from a pixel."""
    return int(radius_um * ROUNDING / mpp[1]), int(radius_um * ROUNDING / mpp[0])


def disc(radius_um: float, mpp: Mpp) -> BoolArray:
    """Return the pixels whose centres lie within `radius_um` of the middle one's.

    Returns
    -------
    ndarray of bool, shape (2·rows + 1, 2·columns + 1)
    """
    rows, columns = half_size(radius_um, mpp)
    y, x = np.ogrid[-rows : rows + 1, -columns : columns + 1]
    near: BoolArray = (y * mpp[1]) ** 2 + (x * mpp[0]) ** 2 <= (radius_um * ROUNDING) ** 2
    return near


def fill_holes(mask: BoolArray) -> BoolArray:
    """Fill what 8-connected regions enclose; what touches the window's edge is no hole."""
    from scipy import ndimage

    filled: BoolArray = ndimage.binary_fill_holes(mask)
    return filled


def remove_islands(mask: BoolArray, min_mm2: float, mpp: Mpp) -> BoolArray:
    """Leave out the 8-connected regions smaller than `min_mm2`."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask, structure=EIGHT)
    large = np.bincount(labels.ravel()) * (mpp[0] * mpp[1] / 1e6) * ROUNDING >= min_mm2
    large[0] = False
    kept: BoolArray = large[labels]
    return kept


def smooth(mask: BoolArray, radius_um: float, mpp: Mpp) -> BoolArray:
    """Give every pixel what most pixels within `radius_um` are: a median filter with a disc.

    Beyond the window nothing is set. Straight outlines stay where they are; what is thinner than
    the disc's radius goes.
    """
    from scipy import signal

    near = disc(radius_um, mpp)
    if near.size == 1:
        return mask.copy()

    def most(band: BoolArray) -> BoolArray:
        shares = signal.oaconvolve(band.astype(np.float64), near.astype(np.float64), mode="same")
        return np.asarray(np.rint(shares) > near.sum() / 2)

    return _by_bands(mask, near.shape[0] // 2, most)


def grow(mask: BoolArray, um: float, mpp: Mpp) -> BoolArray:
    """Grow a mask by `um`, or shrink it by `-um`; distances are between pixel centres.

    Beyond the window is neither mask nor background.
    """
    if um < 0:
        return ~grow(~mask, -um, mpp)
    from scipy import ndimage

    def near(band: BoolArray) -> BoolArray:
        distance = ndimage.distance_transform_edt(~band, sampling=mpp[::-1])
        return np.asarray(distance <= um * ROUNDING)

    return _by_bands(mask, half_size(um, mpp)[0], near)


def _by_bands(mask: BoolArray, reach: int, work: Callable[[BoolArray], BoolArray]) -> BoolArray:
    """Do what looks no more than `reach` rows away a band at a time, so that memory is bounded."""
    done = np.zeros_like(mask)
    rows = max(reach, BAND_PIXELS // max(mask.shape[1], 1), 1)
    for top in range(0, len(mask), rows):
        first = max(top - reach, 0)
        band = mask[first : top + rows + reach]
        if band.any():
            done[top : top + rows] = work(band)[top - first : top - first + rows]
    return done


def line_mask(
    shape: tuple[int, int], points: Iterable[Point], width_um: float, mpp: Mpp
) -> BoolArray:
    """Return the pixels whose centres are within half of `width_um` of a line, or of a point."""
    mask = np.zeros(shape, dtype=bool)
    for start, end in _stretches(np.asarray(list(points), dtype=np.float64).reshape(-1, 2)):
        _draw_capsule(mask, start, end, width_um / 2 * ROUNDING, mpp)
    return mask


def _stretches(points: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield the line in short pieces, whose boxes hold few pixels besides theirs."""
    if len(points) == 1:
        yield points[0], points[0]
    for start, end in pairwise(points):
        count = 1 + int(np.abs(end - start).max() // STRETCH_PX)
        yield from pairwise(np.linspace(start, end, count + 1))


def _draw_capsule(
    mask: BoolArray, start: FloatArray, end: FloatArray, radius_um: float, mpp: Mpp
) -> None:
    """Set the pixels whose centres lie within `radius_um` of a straight line."""
    scale = np.array(mpp[::-1])
    low = np.floor(np.minimum(start, end) - radius_um / scale - 1).astype(int)
    high = np.ceil(np.maximum(start, end) + radius_um / scale + 1).astype(int)
    top, left = np.maximum(low, 0)
    bottom, right = np.maximum(np.minimum(high, mask.shape), 0)
    y, x = np.arange(top, bottom)[:, None] + 0.5, np.arange(left, right) + 0.5
    dy, dx = (y - start[0]) * scale[0], (x - start[1]) * scale[1]
    along_y, along_x = (end - start) * scale
    length2 = along_y**2 + along_x**2
    part = np.clip((dy * along_y + dx * along_x) / (length2 or 1), 0, 1)
    near = (dy - part * along_y) ** 2 + (dx - part * along_x) ** 2 <= radius_um**2
    mask[top:bottom, left:right] |= near


def separating_width(width_um: float, mpp: Mpp) -> float:
    """Return a line width in µm that no 8-neighbours reach across: a pixel's diagonal or more."""
    return max(width_um, float(np.hypot(*mpp)))


def polygon_mask(shape: tuple[int, int], points: Sequence[Point] | ArrayLike) -> BoolArray:
    """Return the pixels whose centres lie within an outline that closes by itself.

    An outline that crosses itself encloses what it winds around (non-zero winding), so a lasso that
    overlaps itself leaves no gap.
    """
    winding = np.zeros((shape[0], shape[1] + 1), dtype=np.int16)
    outline = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        _wind(winding, start, end)
    inside: BoolArray = np.cumsum(winding, axis=1, dtype=np.int16)[:, :-1] != 0
    return inside


def _wind(winding: NDArray[np.int16], start: FloatArray, end: FloatArray) -> None:
    """Count an edge, in every row that it crosses, at the first pixel centre right of it."""
    (upper, lower), sign = ((start, end), 1) if start[0] < end[0] else ((end, start), -1)
    height, width = winding.shape
    first, last = np.clip(np.ceil([upper[0] - 0.5, lower[0] - 0.5]), 0, height).astype(int)
    if first >= last:
        return
    rows = np.arange(first, last)
    slope = (lower[1] - upper[1]) / (lower[0] - upper[0])
    crossing = upper[1] + slope * (rows + 0.5 - upper[0])
    columns = np.clip(np.ceil(crossing - 0.5), 0, width - 1).astype(int)
    winding[rows, columns] += sign


def probable(
    heat: UInt8Array, centre: Point, radius_um: float, mpp: Mpp, threshold: float
) -> BoolArray:
    """Return the pixels within `radius_um` of a point whose probability exceeds a threshold.

    Parameters
    ----------
    heat : ndarray of uint8, shape (y, x)
        0 not inferred, else max(1, round(255·p)).
    """
    shape = heat.shape[0], heat.shape[1]
    return line_mask(shape, [centre], 2 * radius_um, mpp) & (heat > threshold * 255)
