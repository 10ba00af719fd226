"""Exact outlines of labelled regions, along the edges of their pixels.

Every vertex of an outline is a *corner* of one label: a grid point around which one or three of the
four pixels carry it, or two that face each other diagonally (then there are two corners, one for
each pixel, so that only 4-connected parts share a ring). Corners lie where runs begin or end, so
they are found from the runs of a label image and its pixels are never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.measure.runs import LabelImage, PaintedRuns, Runs, label_runs, row_bands

Ints: TypeAlias = NDArray[np.int64]
Ring: TypeAlias = NDArray[np.float64]
Polygon: TypeAlias = list[Ring]


@dataclass(frozen=True, slots=True)
class Corners:
    """Corners of all labels, row by row: columns of equal length.

    Attributes
    ----------
    label, point : ndarray of int64
        Label and grid point, y · (width + 1) + x.
    following : ndarray of int64
        Index of the corner that follows on its ring.
    ranked : ndarray of int64
        All of them in the order in which rings begin and come one after another.
    """

    label: Ints
    point: Ints
    following: Ints
    ranked: Ints


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


def _find_corners(runs: Runs) -> Corners:
    from napari_breastpath.measure import outline_kernels as kernels

    height, width = runs.shape
    line = np.searchsorted(runs.row, np.arange(-1, height + 2))
    room, columns = np.zeros((width + 1, 2), np.int64), (runs.label, runs.start, runs.end)
    count = kernels.corners(*columns, line, np.empty((6, 0), np.int64), room)
    found = np.empty((6, count), np.int64)
    kernels.corners(*columns, line, found, room)
    label, x, y, _, part, following = found
    # The regions' ids in GeoJSON hang on the place where each ring begins: this order is kept.
    rows_at_once = next(row_bands((height + 1, width))).stop
    ranked = np.argsort(y // rows_at_once * 20 + part, kind="stable")
    return Corners(label, y * (width + 1) + x, following, ranked)


def _cycles(corners: Corners) -> tuple[Ints, Ints]:
    """Return the corners ring after ring, and where each ring begins."""
    from napari_breastpath.measure import outline_kernels as kernels

    order = np.empty_like(corners.following)
    first = np.zeros(len(order) // 4 + 1, np.int64)
    count = kernels.cycles(corners.following, corners.ranked, order, first)
    return order, first[: count + 1]


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


def _touching(corners: Corners, order: Ints, first: Ints) -> Ints:
    """Return the rings that pass a point twice, where two corners of one label meet."""
    ring = np.empty_like(order)
    ring[order] = np.repeat(np.arange(len(first) - 1), np.diff(first))
    again = (np.diff(corners.point) == 0) & (np.diff(corners.label) == 0) & (np.diff(ring) == 0)
    return np.unique(ring[1:][again])


def _simple_cycles(corners: Corners, order: Ints, first: Ints) -> tuple[Ints, Ints]:
    """Return the cycles again, those that touch themselves split into simple ones."""
    touching = _touching(corners, order, first)
    if not len(touching):
        return order, first
    whole = np.flatnonzero(~np.isin(np.arange(len(first) - 1), touching))
    pieces = [order[first[k] : first[k + 1]] for k in whole]
    for k in touching:
        members = order[first[k] : first[k + 1]]
        loops = _split_at_touches(corners.point[members].tolist())
        pieces += [members[loop] for loop in loops]
    sizes = np.cumsum([0, *map(len, pieces)])
    return np.concatenate(pieces), sizes


def trace_rings(runs: Runs) -> Rings:
    """Return the rings of all labels; with y down, exteriors have positive area, holes negative."""
    corners = _find_corners(runs)
    order, first = _simple_cycles(corners, *_cycles(corners))
    y, x = np.divmod(corners.point[order], runs.shape[1] + 1)
    return Rings(corners.label[order], x, y, first)


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


def _leftmost(rings: Rings, height: int) -> Ints:
    """Return for every ring the topmost of its leftmost vertices."""
    place = rings.x * (height + 1) + rings.y
    least = np.minimum.reduceat(place, rings.first[:-1])
    return np.flatnonzero(place == np.repeat(least, np.diff(rings.first)))


def exterior_of(rings: Rings, runs: Runs) -> Ints:
    """Return for every ring the ring that is the exterior of its 4-connected part."""
    owner = np.arange(len(rings.first) - 1)
    holes = np.flatnonzero(rings.doubled_areas() < 0)
    if not len(holes):
        return owner
    height, width = runs.shape
    vertex = _leftmost(rings, height)[holes]
    row = rings.y[vertex]
    flat = runs.row.astype(np.int64) * width + runs.start
    run = np.searchsorted(flat, row * width + rings.x[vertex] - 1, side="right") - 1
    left_edge = runs.start[run].astype(np.int64)
    owner[holes] = _ring_at_left(rings, rings.label[vertex], left_edge, row, height)
    while (owner != owner[owner]).any():
        owner = owner[owner]
    return owner


def _closed(points: Ring, first: Ints) -> list[Ring]:
    """Return points, ring after ring, as rings that end where they begin."""
    closed = np.insert(points, first[1:], points[first[:-1]], axis=0)
    bounds = (first + np.arange(len(first))).tolist()
    return [closed[begin:stop] for begin, stop in pairwise(bounds)]


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
    runs = labels.runs if isinstance(labels, PaintedRuns) else label_runs(labels)
    rings = trace_rings(runs)
    owner = exterior_of(rings, runs)
    closed = _closed(
        np.column_stack((rings.x, rings.y)) * np.array(step) + np.array(origin), rings.first
    )
    polygons: dict[int, Polygon] = {}
    for ring in np.lexsort((owner != np.arange(len(owner)), owner)).tolist():
        polygons.setdefault(int(owner[ring]), []).append(closed[ring])
    outlines: dict[int, list[Polygon]] = {}
    for exterior, polygon in polygons.items():
        outlines.setdefault(int(rings.label[rings.first[exterior]]), []).append(polygon)
    return outlines
