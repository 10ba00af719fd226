"""Exact outlines of labelled regions, along the edges of their pixels.

Every vertex of an outline is a *corner* of one label: a grid point around which one or three of the
four pixels carry it, or two that face each other diagonally (then there are two corners, one for
each pixel, so that only 4-connected parts share a ring). Along a grid line the corners of a label
pair up, first with second, third with fourth; those pairs are the edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.measure.runs import LabelImage, label_runs, row_bands

Ints: TypeAlias = NDArray[np.int64]
Ring: TypeAlias = NDArray[np.float64]
Polygon: TypeAlias = list[Ring]

# The four pixels around a grid point, as bits of a configuration.
UPPER_LEFT, UPPER_RIGHT, LOWER_LEFT, LOWER_RIGHT = 1, 2, 4, 8
FALLING, RISING = UPPER_LEFT | LOWER_RIGHT, UPPER_RIGHT | LOWER_LEFT
# With the label on the right hand, an outline leaves these corners along x and the others along y.
LEAVES_ALONG_X = (LOWER_RIGHT, UPPER_LEFT, 15 - UPPER_RIGHT, 15 - LOWER_LEFT)
IS_CORNER = np.isin(np.arange(16), (1, 2, 4, 8, 7, 11, 13, 14))


@dataclass(frozen=True, slots=True)
class Corners:
    """Corners of all labels: columns of equal length.

    Attributes
    ----------
    label, x, y : ndarray of int64
        Label and grid point.
    kind : ndarray of int64
        Configuration: the bits of the pixels around that carry the label.
    """

    label: Ints
    x: Ints
    y: Ints
    kind: Ints

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True, slots=True)
class Rings:
    """Closed rings of corners.

    Attributes
    ----------
    label, x, y : ndarray of int64, shape (n,)
        Vertices, ring after ring, in order.
    first : ndarray of int64, shape (rings + 1,)
        Where each ring begins; the last entry is n.
    """

    label: Ints
    x: Ints
    y: Ints
    first: Ints

    @property
    def ring(self) -> Ints:
        """Ring index of every vertex."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    @property
    def following(self) -> Ints:
        """Index of the next vertex of the same ring."""
        index = np.arange(1, len(self.x) + 1)
        index[self.first[1:] - 1] = self.first[:-1]
        return index

    def doubled_areas(self) -> Ints:
        """Return twice the signed area of every ring in px²; holes are negative."""
        after = self.following
        cross = self.x * self.y[after] - self.x[after] * self.y
        return np.add.reduceat(cross, self.first[:-1]) if len(cross) else cross


def _corners_of_windows(windows: Ints, y: Ints, x: Ints) -> Iterator[Corners]:
    """Yield the corners at grid points whose four pixels are `windows`, shape (4, n)."""
    for pixel in range(4):
        label = windows[pixel]
        seen = (windows[:pixel] == label).any(axis=0)
        kind = sum((windows[k] == label).astype(np.int64) << k for k in range(4)) * (
            (label > 0) & ~seen
        )
        for part in (FALLING, RISING):
            for bit in (1, 2, 4, 8):
                if bit & part:
                    at = kind == part
                    yield Corners(label[at], x[at], y[at], np.full(int(at.sum()), bit))
        at = IS_CORNER[kind]
        yield Corners(label[at], x[at], y[at], kind[at])


def _find_corners(labels: LabelImage) -> Corners:
    height, width = labels.shape
    found = []
    for rows in row_bands((height + 1, width)):
        band = np.zeros((rows.stop - rows.start + 1, width + 2), dtype=labels.dtype)
        top, bottom = max(rows.start - 1, 0), min(rows.stop, height)
        band[top - rows.start + 1 : bottom - rows.start + 1, 1:-1] = labels[top:bottom]
        four = band[:-1, :-1], band[:-1, 1:], band[1:, :-1], band[1:, 1:]
        level = (four[0] == four[1]) & (four[2] == four[3])
        upright = (four[0] == four[2]) & (four[1] == four[3])
        y, x = np.nonzero(~(level | upright))
        windows = np.stack([pixel[y, x] for pixel in four]).astype(np.int64)
        found += list(_corners_of_windows(windows, y + rows.start, x))
    columns = [[getattr(part, name) for part in found] for name in ("label", "x", "y", "kind")]
    return Corners(*(np.concatenate(column).astype(np.int64) for column in columns))


def _successors(corners: Corners) -> Ints:
    """Return the index of the corner that follows each on its ring."""
    x, y, kind = corners.x, corners.y, corners.kind
    # At a grid point with two corners of one label, the one whose edge ends there comes first.
    right_of = np.isin(kind, (UPPER_RIGHT, LOWER_RIGHT))
    below = np.isin(kind, (LOWER_LEFT, LOWER_RIGHT))
    along_x = np.lexsort((right_of, x, y, corners.label)).reshape(-1, 2)
    along_y = np.lexsort((below, y, x, corners.label)).reshape(-1, 2)
    next_x, next_y = np.empty_like(x), np.empty_like(x)
    next_x[along_x], next_y[along_y] = along_x[:, ::-1], along_y[:, ::-1]
    return np.where(np.isin(kind, LEAVES_ALONG_X), next_x, next_y)


def _cycles(successor: Ints) -> tuple[Ints, Ints]:
    """Return the elements of a permutation cycle after cycle, and where each cycle begins."""
    following: list[int] = successor.tolist()
    seen = bytearray(len(following))
    order: list[int] = []
    first = [0]
    for start in range(len(following)):
        here = start
        while not seen[here]:
            seen[here] = 1
            order.append(here)
            here = following[here]
        if len(order) > first[-1]:
            first.append(len(order))
    return np.array(order, dtype=np.int64), np.array(first, dtype=np.int64)


def _split_at_touches(points: list[int]) -> list[list[int]]:
    """Split a ring, given as grid point ids, into loops that pass each point once.

    Returns positions in `points`. What is cut off where a ring touches itself is a hole, or one of
    two holes that meet in a point.
    """
    loops: list[list[int]] = []
    path: list[int] = []
    place: dict[int, int] = {}
    for position, point in enumerate(points):
        if point in place:
            cut = place[point]
            loop, path = path[cut:], path[:cut]
            loops.append(loop)
            for gone in loop:
                place.pop(points[gone], None)
        place[point] = len(path)
        path.append(position)
    return [*loops, path]


def _simple_cycles(order: Ints, first: Ints, point: Ints) -> tuple[Ints, Ints]:
    """Return the cycles again, those that touch themselves split into simple ones."""
    ring = np.repeat(np.arange(len(first) - 1), np.diff(first))
    by_point = np.lexsort((point[order], ring))
    ring_sorted, point_sorted = ring[by_point], point[order][by_point]
    again = (np.diff(ring_sorted) == 0) & (np.diff(point_sorted) == 0)
    touching = np.unique(ring_sorted[1:][again])
    if not len(touching):
        return order, first
    whole = np.flatnonzero(~np.isin(np.arange(len(first) - 1), touching))
    pieces = [order[first[k] : first[k + 1]] for k in whole]
    for k in touching:
        members = order[first[k] : first[k + 1]]
        pieces += [members[loop] for loop in _split_at_touches(point[members].tolist())]
    sizes = np.cumsum([0, *map(len, pieces)])
    return np.concatenate(pieces), sizes


def trace_rings(labels: LabelImage) -> Rings:
    """Return the rings of all labels; with y down, exteriors have positive area, holes negative."""
    corners = _find_corners(labels)
    order, first = _cycles(_successors(corners))
    point = corners.y * (labels.shape[1] + 1) + corners.x
    order, first = _simple_cycles(order, first, point)
    return Rings(corners.label[order], corners.x[order], corners.y[order], first)


def _ring_at_left(rings: Rings, label: Ints, x: Ints, row: Ints, height: int) -> Ints:
    """Return the ring whose vertical edge at `x` bounds pixel (row, x) of `label`."""
    after = rings.following
    edges = np.flatnonzero(rings.x == rings.x[after])
    top = np.minimum(rings.y[edges], rings.y[after[edges]])
    width = int(rings.x.max()) + 1
    key = (rings.label[edges] * width + rings.x[edges]) * (height + 1) + top
    order = np.argsort(key)
    wanted = (label * width + x) * (height + 1) + row
    return rings.ring[edges[order[np.searchsorted(key[order], wanted, side="right") - 1]]]


def _leftmost(rings: Rings, which: Ints) -> Ints:
    """Return, for the rings `which`, the topmost of their leftmost vertices."""
    order = np.lexsort((rings.y, rings.x, rings.ring))
    return order[rings.first[which]]


def exterior_of(rings: Rings, labels: LabelImage) -> Ints:
    """Return for every ring the ring that is the exterior of its 4-connected part."""
    owner = np.arange(len(rings.first) - 1)
    holes = np.flatnonzero(rings.doubled_areas() < 0)
    if not len(holes):
        return owner
    vertex = _leftmost(rings, holes)
    row, runs = rings.y[vertex], label_runs(labels)
    width = labels.shape[1]
    flat = runs.row.astype(np.int64) * width + runs.start
    run = np.searchsorted(flat, row * width + rings.x[vertex] - 1, side="right") - 1
    left_edge = runs.start[run].astype(np.int64)
    owner[holes] = _ring_at_left(rings, rings.label[vertex], left_edge, row, labels.shape[0])
    while (owner != owner[owner]).any():
        owner = owner[owner]
    return owner


def region_polygons(
    labels: LabelImage,
    step: tuple[float, float] = (1.0, 1.0),
    origin: tuple[float, float] = (0.0, 0.0),
) -> dict[int, list[Polygon]]:
    """Return the outlines of every label.

    Parameters
    ----------
    labels : ndarray of int or bool, shape (y, x)
        0 is background; labels may touch. Read by bands of rows, so `Regions.image` does.
    step, origin : (x, y)
        Level-0 px per raster pixel, and the level-0 place of the outer top-left corner.

    Returns
    -------
    dict of int to list of Polygon
        Per label its 4-connected parts. A polygon is its rings, exterior first, then the holes;
        a ring is an ndarray of float64, shape (n, 2), of level-0 (x, y), closed (first = last).
        Exteriors have positive area with x right and y down, holes negative. Valid in the sense of
        OGC simple features: no ring meets itself, and two rings meet only in points.
    """
    rings = trace_rings(labels)
    owner = exterior_of(rings, labels)
    points = np.column_stack((rings.x, rings.y)) * np.array(step) + np.array(origin)
    polygons: dict[int, Polygon] = {}
    for ring in np.lexsort((owner != np.arange(len(owner)), owner)):
        first, last = rings.first[ring], rings.first[ring + 1]
        closed = points[np.r_[first:last, first]]
        polygons.setdefault(int(owner[ring]), []).append(closed)
    outlines: dict[int, list[Polygon]] = {}
    for exterior, polygon in polygons.items():
        outlines.setdefault(int(rings.label[rings.first[exterior]]), []).append(polygon)
    return outlines
