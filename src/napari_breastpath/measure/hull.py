"""Convex hulls and Feret diameters of all regions at once.

The hull is taken over pixel *corners* in exact integers; scaling x and y by their µm/px afterwards
gives the hull of the scaled corners, because an affine map keeps extreme points extreme.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.measure.runs import Runs

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hulls:
    """Hull vertices of many regions, clockwise on screen, without collinear ones.

    Attributes
    ----------
    x, y : ndarray of int64, shape (n,)
        Corner coordinates in raster pixels.
    first, size : ndarray of int64, shape (regions,)
        Where the vertices of each region begin, and how many they are.
    """

    x: Ints
    y: Ints
    first: Ints
    size: Ints

    @property
    def group(self) -> Ints:
        """Region index (label − 1) of every vertex."""
        return np.repeat(np.arange(len(self.size)), self.size)


@dataclass(frozen=True, slots=True)
class Ferets:
    """Feret diameters of many regions.

    Attributes
    ----------
    longest_um, shortest_um : ndarray of float64, shape (regions,)
        Greatest distance between two points of the region; least distance between two parallel
        lines that enclose it.
    ends_px : ndarray of int64, shape (regions, 4)
        (x1, y1, x2, y2) of the longest one's ends, corner coordinates in raster pixels.
    """

    longest_um: Floats
    shortest_um: Floats
    ends_px: Ints


def _spans(runs: Runs) -> tuple[Ints, Ints, Ints, Ints]:
    """Return (label, row, left, right) of each region in each of its rows, by label then row."""
    order = np.argsort(runs.label, kind="stable")
    label, row = runs.label[order], runs.row[order]
    new = np.ones(len(order) + 1, dtype=bool)
    new[1:-1] = (label[1:] != label[:-1]) | (row[1:] != row[:-1])
    left, right = runs.start[order][new[:-1]], runs.end[order][new[1:]]
    parts = (label[new[:-1]], row[new[:-1]], left, right)
    return tuple(part.astype(np.int64) for part in parts)  # type: ignore[return-value]


def _extremes(runs: Runs) -> tuple[Ints, Ints, Ints, Ints]:
    """Return (group, y, least x, greatest x) on every horizontal grid line that a region touches.

    Relies on regions being connected: each then has a span in every row between its ends.
    """
    label, row, left, right = _spans(runs)
    upper = np.arange(len(label)) + label - 1
    lower = upper + 1
    lines = int(lower[-1]) + 1 if len(lower) else 0
    group, y = np.zeros(lines, dtype=np.int64), np.zeros(lines, dtype=np.int64)
    least = np.full(lines, np.iinfo(np.int64).max)
    greatest = np.full(lines, -1)
    for line, offset in ((upper, 0), (lower, 1)):
        group[line], y[line] = label - 1, row + offset
        least[line] = np.minimum(least[line], left)
        greatest[line] = np.maximum(greatest[line], right)
    return group, y, least, greatest


def _chain(group: Ints, y: Ints, x: Ints) -> Ints:
    """Return the indices of the vertices of each group's convex left chain x(y).

    Every vertex on or to the right of the segment between its neighbours is dropped, all at once,
    until none is; a group without one is settled.
    """
    settled, active = [np.zeros(0, dtype=np.int64)], np.arange(len(group))
    while len(active):
        before, after = active[:-2], active[2:]
        here = active[1:-1]
        turn = (y[here] - y[before]) * (x[after] - x[before])
        turn -= (x[here] - x[before]) * (y[after] - y[before])
        inner = group[before] == group[after]
        drop = np.zeros(len(active), dtype=bool)
        drop[1:-1] = inner & (turn <= 0)
        changed = np.isin(group[active], group[active[drop]])
        settled.append(active[~changed])
        active = active[changed & ~drop]
    return np.sort(np.concatenate(settled))


def convex_hulls(runs: Runs, count: int) -> Hulls:
    """Return the convex hulls of the corners of the pixels of the connected labels 1..count."""
    group, y, least, greatest = _extremes(runs)
    left, right = _chain(group, y, least), _chain(group, y, -greatest)[::-1]
    groups = np.concatenate((group[left], group[right]))
    order = np.argsort(groups, kind="stable")
    x = np.concatenate((least[left], greatest[right]))[order]
    size = np.bincount(groups, minlength=count)
    first = np.cumsum(size) - size
    return Hulls(x, np.concatenate((y[left], y[right]))[order], first, size)


def _farthest(hulls: Hulls, mpp: tuple[float, float]) -> tuple[Floats, Ints, Floats]:
    """Return, per vertex, its farthest vertex's squared distance and index, and the width.

    The width is that across the edge which starts at the vertex. Every vertex is compared with
    every other of its hull: digital hulls are small (about 3.5·diameter^⅔ vertices).
    """
    x, y = hulls.x, hulls.y
    active, size = np.arange(len(x)), np.repeat(hulls.size, hulls.size)
    first = np.repeat(hulls.first, hulls.size)
    following = first + (active - first + 1) % size
    edge_x, edge_y = (x[following] - x) * mpp[0], (y[following] - y) * mpp[1]
    squared, farthest, across = np.zeros(len(x)), active.copy(), np.zeros(len(x))
    for shift in range(1, int(hulls.size.max(initial=0))):
        active = active[size[active] > shift]
        other = first[active] + (active - first[active] + shift) % size[active]
        dx, dy = (x[other] - x[active]) * mpp[0], (y[other] - y[active]) * mpp[1]
        distance = dx * dx + dy * dy
        better = distance > squared[active]
        squared[active[better]], farthest[active[better]] = distance[better], other[better]
        cross = np.abs(edge_x[active] * dy - edge_y[active] * dx)
        across[active] = np.maximum(across[active], cross)
    return squared, farthest, across / np.hypot(edge_x, edge_y)


def ferets(hulls: Hulls, mpp: tuple[float, float]) -> Ferets:
    """Return the Feret diameters of every hull.

    Parameters
    ----------
    hulls : Hulls
        Of at least one pixel each.
    mpp : tuple of float
        µm per raster pixel in (x, y).
    """
    squared, farthest, across = _farthest(hulls, mpp)
    if not len(hulls.size):
        return Ferets(np.zeros(0), np.zeros(0), np.zeros((0, 4), dtype=np.int64))
    best = np.maximum.reduceat(squared, hulls.first)
    is_best = np.flatnonzero(squared == np.repeat(best, hulls.size))
    one = is_best[np.unique(hulls.group[is_best], return_index=True)[1]]
    two = farthest[one]
    flip = (hulls.x[one] > hulls.x[two]) | (
        (hulls.x[one] == hulls.x[two]) & (hulls.y[one] > hulls.y[two])
    )
    one, two = np.where(flip, two, one), np.where(flip, one, two)
    ends = np.column_stack((hulls.x[one], hulls.y[one], hulls.x[two], hulls.y[two]))
    return Ferets(np.sqrt(best), np.minimum.reduceat(across, hulls.first), ends)
