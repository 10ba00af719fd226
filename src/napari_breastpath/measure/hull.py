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


def _lines(runs: Runs, count: int) -> tuple[Ints, Ints]:
    """Return the first row of every label, and where its grid lines begin among all labels'.

    Relies on regions being connected: each then has a run in every row between its ends.
    """
    top, bottom = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    top[runs.label[::-1] - 1] = runs.row[::-1]
    bottom[runs.label - 1] = runs.row
    return top, np.concatenate(([0], np.cumsum(bottom - top + 2)))


def convex_hulls(runs: Runs, count: int) -> Hulls:
    """Return the convex hulls of the corners of the pixels of the connected labels 1..count."""
    from napari_breastpath.measure import kernels

    top, offset = _lines(runs, count)
    reach = np.empty((offset[-1], 2), dtype=np.int64)
    reach[:] = np.iinfo(np.int64).max, -1
    line = offset[runs.label - 1] + runs.row - top[runs.label - 1]
    kernels.extreme_columns(line, runs.start, runs.end, reach)
    hull, first = np.empty((2 * len(reach), 2), np.int64), np.empty(count + 1, np.int64)
    kernels.hulls_of(reach, offset, top, hull, first)
    x, y = hull[: first[-1]].T.copy()
    return Hulls(x, y, first[:-1], np.diff(first))


def _farthest(hulls: Hulls, mpp: tuple[float, float]) -> tuple[Floats, Ints, Floats]:
    """Return, per vertex, its farthest vertex's squared distance and index, and the width.

    The width is that across the edge which starts at the vertex. Every vertex is compared with
    every other of its hull: digital hulls are small (about 3.5·diameter^⅔ vertices).
    """
    from napari_breastpath.measure import kernels

    x, y, bounds = hulls.x, hulls.y, np.append(hulls.first, len(hulls.x))
    squared, farthest, across = np.zeros(len(x)), np.arange(len(x)), np.zeros(len(x))
    kernels.farthest_vertices(x, y, bounds, mpp, squared, farthest, across)
    following = np.arange(1, len(x) + 1)
    following[bounds[1:] - 1] = hulls.first
    edge_x, edge_y = (x[following] - x) * mpp[0], (y[following] - y) * mpp[1]
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
