"""Areas as pixels: those whose centres lie inside, the exact inverse of `measure.outline`.

By the even-odd rule, half-open (a centre on a left or upper edge is inside, on a right or lower
edge outside), so that areas that share an edge never share a pixel. Memory is bounded by the
window that an area fills.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import Lattice
from napari_breastpath.exchange.annotation import Annotation, Part, Vertices

BoolArray = NDArray[np.bool_]
UInt8Array = NDArray[np.uint8]
CROSSINGS: Final = 2**21
"""Crossings of edges with rows that are held at a time."""


@dataclass(frozen=True, slots=True)
class Window:
    """The pixels of an area.

    Attributes
    ----------
    top, left : int
        Where `inside` lies on the lattice.
    inside : ndarray, bool (h, w)
    """

    top: int
    left: int
    inside: BoolArray

    @property
    def index(self) -> tuple[slice, slice]:
        """Rows and columns of the lattice."""
        height, width = self.inside.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def fill_ring(ring: Vertices, lattice: Lattice) -> Window | None:
    """Return the pixels whose centres lie in a ring; None where there can be none.

    Parameters
    ----------
    ring : ndarray, float64 (n, 2)
        Level-0 (x, y), closed or not; may cross itself.
    lattice : Lattice
    """
    # In units of pixels, with the centre of pixel j at j.
    x, y = ring[:, 0] / lattice.step_x - 0.5, ring[:, 1] / lattice.step_y - 0.5
    top, bottom = _span(y, lattice.height)
    left, right = _span(x, lattice.width)
    if top >= bottom or left >= right:
        return None
    flips = np.zeros((bottom - top, right - left + 1), np.uint8)
    for rows, at in _crossings(x, y, top, bottom):
        columns = np.clip(np.ceil(at), left, right).astype(np.int64) - left
        np.add.at(flips.reshape(-1), (rows - top) * flips.shape[1] + columns, 1)
    np.cumsum(flips, axis=1, dtype=np.uint8, out=flips)
    flips &= 1
    return Window(top, left, flips.view(bool)[:, :-1])


def _span(values: NDArray[np.float64], size: int) -> tuple[int, int]:
    """Return the first and the last + 1 of the pixels whose centres values reach around."""
    return max(int(np.ceil(values.min())), 0), min(int(np.ceil(values.max())), size)


def _crossings(
    x: NDArray[np.float64], y: NDArray[np.float64], top: int, bottom: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Yield rows and the x at which an edge crosses them, a bounded number at a time."""
    # Every edge from its upper end down, so that neighbours round a shared one alike.
    after_x, after_y = np.roll(x, -1), np.roll(y, -1)
    down = y <= after_y
    x0, x1 = np.where(down, x, after_x), np.where(down, after_x, x)
    y0, y1 = np.where(down, y, after_y), np.where(down, after_y, y)
    first = np.clip(np.ceil(y0), top, bottom).astype(np.int64)
    count = np.clip(np.ceil(y1), top, bottom).astype(np.int64) - first
    ends = np.cumsum(count)
    begin = 0
    while begin < len(x):
        before = ends[begin - 1] if begin else 0
        stop = max(int(np.searchsorted(ends, before + CROSSINGS, "right")), begin + 1)
        edge = np.repeat(np.arange(begin, stop), count[begin:stop])
        rows = first[edge] + np.arange(len(edge)) - (ends[edge] - count[edge] - before)
        slope = (x1[edge] - x0[edge]) / (y1[edge] - y0[edge])
        yield rows, x0[edge] + (rows - y0[edge]) * slope
        begin = stop


def fill_part(part: Part, lattice: Lattice) -> Window | None:
    """Return the pixels of a polygon: in its exterior and in none of its holes."""
    exterior, *holes = part
    window = fill_ring(exterior, lattice)
    if window is None:
        return None
    for hole in holes:
        cut = fill_ring(hole, lattice)
        if cut is not None:
            _cut(window, cut)
    return window


def _cut(window: Window, hole: Window) -> None:
    height, width = window.inside.shape
    top, left = max(hole.top, window.top), max(hole.left, window.left)
    bottom = min(hole.top + hole.inside.shape[0], window.top + height)
    right = min(hole.left + hole.inside.shape[1], window.left + width)
    if top < bottom and left < right:
        kept = window.inside[top - window.top : bottom - window.top, :]
        part = hole.inside[top - hole.top : bottom - hole.top, :]
        kept[:, left - window.left : right - window.left] &= ~part[
            :, left - hole.left : right - hole.left
        ]


def paint(
    areas: Iterable[tuple[Annotation, int]], lattice: Lattice
) -> tuple[UInt8Array, list[Annotation]]:
    """Paint areas one after the other.

    Parameters
    ----------
    areas : iterable of (Annotation, int)
        Each with its value, 0 to 255; later ones lie on top.
    lattice : Lattice

    Returns
    -------
    (ndarray, uint8 (y, x), list of Annotation)
        The raster, 0 where nothing was painted, and the areas too small to hold the centre of a
        pixel, or off the lattice.
    """
    raster = np.zeros(lattice.shape, np.uint8)
    missed = []
    for area, value in areas:
        windows = [w for part in area.parts if (w := fill_part(part, lattice)) is not None]
        for window in windows:
            raster[window.index][window.inside] = value
        if not any(window.inside.any() for window in windows):
            missed.append(area)
    return raster, missed


def polygons_mask(rings: Iterable[Vertices], lattice: Lattice) -> BoolArray:
    """Return the lattice pixels whose centres lie in any of some rings, bool (y, x).

    Parameters
    ----------
    rings : iterable of ndarray, float (n, 2)
        Corners (x, y) in level-0 px, closed or not.
    lattice : Lattice
    """
    mask = np.zeros(lattice.shape, bool)
    for ring in rings:
        window = fill_ring(ring, lattice)
        if window is not None:
            mask[window.index] |= window.inside
    return mask


def painting_order(
    areas: Sequence[tuple[Annotation, int]], erased: int
) -> list[tuple[Annotation, int]]:
    """Sort areas so that what is drawn inside another stays visible.

    Areas come before those that are cut out of them (value `erased`), unless they lie wholly in
    what is cut out: an island in a hole stays. Among those the larger come first.
    """
    if not areas:
        return []
    bounds = np.array([area.bounds for area, _ in areas])
    size = (bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1])
    by_left = np.argsort(bounds[:, 0])
    left = bounds[by_left, 0]
    depth = np.zeros(len(areas), int)
    for cut in (k for k, (_, value) in enumerate(areas) if value == erased):
        first, last = np.searchsorted(left, bounds[cut, [0, 2]])
        near = by_left[first:last]
        low, high = bounds[near, 1] >= bounds[cut, 1], bounds[near, 2:] <= bounds[cut, 2:]
        inner = near[low & high.all(axis=1) & (size[near] < size[cut])]
        for k in inner.tolist():
            depth[k] += _lies_in(areas[k][0], areas[cut][0])
    order = sorted(range(len(areas)), key=lambda k: (depth[k], areas[k][1] == erased, -size[k]))
    return [areas[k] for k in order]


def _lies_in(inner: Annotation, outer: Annotation) -> bool:
    """Tell whether the middles of all edges of `inner` lie in the exteriors of `outer`."""
    from skimage.measure import points_in_poly

    middles = np.concatenate([_middles(part[0]) for part in inner.parts])
    inside = np.zeros(len(middles), bool)
    for part in outer.parts:
        inside |= points_in_poly(middles, part[0])
    return bool(inside.all())


def _middles(ring: Vertices) -> Vertices:
    """Return the middles of a ring's edges; corners would lie on a ring that it only touches."""
    after = np.roll(ring, -1, axis=0)
    middles: Vertices = ((ring + after) / 2)[(ring != after).any(axis=1)]
    return middles
