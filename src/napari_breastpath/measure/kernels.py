"""The inner loops over runs and hulls, compiled by Numba; import this module where needed.

All of them hold no GIL, and give the same bits as the plain NumPy expressions they stand for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.slides.kernels import compiled

Ints = NDArray[np.int64]


@compiled
def places_of(wanted: Ints, sorted_values: Ints, after: bool) -> Ints:
    """Return `np.searchsorted(sorted_values, wanted)`, in one walk where `wanted` rises too.

    With `after` behind equal values (side="right"), else before them.
    """
    found = np.empty(wanted.shape[0], np.int64)
    place, count = 0, sorted_values.shape[0]
    for k in range(wanted.shape[0]):
        limit = wanted[k] + after  # of whole numbers: the first that is not below it
        while place > 0 and sorted_values[place - 1] >= limit:
            place -= 1
        while place < count and sorted_values[place] < limit:
            place += 1
        found[k] = place
    return found


@compiled
def add_up(total: NDArray[Any], place: NDArray[Any], values: NDArray[Any]) -> None:
    """Add each value at its place, in their order: `np.add.at`, several times as fast."""
    for k in range(place.shape[0]):
        total[place[k]] += values[k]


@compiled
def raise_to(highest: NDArray[Any], place: NDArray[Any], values: NDArray[Any]) -> None:
    """Keep the highest value at each place: `np.maximum.at`, several times as fast."""
    for k in range(place.shape[0]):
        highest[place[k]] = max(highest[place[k]], values[k])


@compiled
def root_of(parent: NDArray[np.int32], run: int) -> int:
    """Return the first run of the component that `run` belongs to, halving the path to it."""
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@compiled
def unite(parent: NDArray[np.int32], one: int, other: int) -> None:
    """Make one component of two; its root is the earlier of their first runs."""
    one, other = root_of(parent, one), root_of(parent, other)
    parent[max(one, other)] = min(one, other)


@compiled
def link(
    row: NDArray[np.int32],
    start: NDArray[np.int32],
    end: NDArray[np.int32],
    parent: NDArray[np.int32],
    pairs: Ints,
) -> None:
    """Unite the runs that are 8-neighbours, and count the pairs of pixels across rows.

    Parameters
    ----------
    row, start, end : ndarray of int32, shape (n,)
        Runs in raster order.
    parent : ndarray of int32, shape (n,)
        Comes as 0, 1, 2, …; goes as a forest whose roots are the first runs.
    pairs : ndarray of int64, shape (n, 3)
        Comes as 0; goes as the run's pixels whose upper neighbour one column back, above, one
        column on is in a run.
    """
    line, above = 0, 0
    for run in range(row.shape[0]):
        if run > 0 and row[run] != row[run - 1]:
            above = line if row[run - 1] == row[run] - 1 else run
            line = run
        while above < line and end[above] < start[run]:
            above += 1
        other = above
        while other < line and start[other] <= end[run]:
            unite(parent, run, other)
            for k in range(3):
                first, last = (
                    max(start[run] + k - 1, start[other]),
                    min(end[run] + k - 1, end[other]),
                )
                pairs[run, k] += max(0, last - first)
            other += 1


@compiled
def number(parent: NDArray[np.int32], label: NDArray[np.int32]) -> int:
    """Write into `label` the components 1, 2, … of a linked forest; return how many there are."""
    count = 0
    for run in range(parent.shape[0]):
        if parent[run] == run:
            count += 1
            label[run] = count
        else:
            label[run] = label[root_of(parent, run)]
    return count


@compiled
def extreme_columns(
    line: Ints, start: NDArray[np.int32], end: NDArray[np.int32], reach: Ints
) -> None:
    """Widen `reach` (least x, greatest x) of the grid lines above and below every run."""
    for run in range(line.shape[0]):
        for k in range(line[run], line[run] + 2):
            reach[k, 0] = min(reach[k, 0], start[run])
            reach[k, 1] = max(reach[k, 1], end[run])


@compiled
def push(hull: Ints, bottom: int, size: int, x: int, y: int) -> int:
    """Put a point on a convex chain that begins at `bottom`; return where the chain now ends.

    Points on or inside the segment between their neighbours are dropped first.
    """
    while size - bottom >= 2:
        before_x, before_y = hull[size - 2, 0], hull[size - 2, 1]
        here_x, here_y = hull[size - 1, 0], hull[size - 1, 1]
        turn = (here_y - before_y) * (x - before_x) - (here_x - before_x) * (y - before_y)
        if turn > 0:
            break
        size -= 1
    hull[size, 0], hull[size, 1] = x, y
    return size + 1


@compiled
def hulls_of(reach: Ints, offset: Ints, top: Ints, hull: Ints, first: Ints) -> None:
    """Write the hulls of many regions one after the other.

    Parameters
    ----------
    reach : ndarray of int64, shape (lines, 2)
        Least and greatest x on every grid line that a region touches, region after region.
    offset : ndarray of int64, shape (regions + 1,)
        Where each region's lines begin.
    top : ndarray of int64, shape (regions,)
        y of each region's first line.
    hull : ndarray of int64, shape (2 · lines, 2)
        Out: (x, y) of the vertices, left side downwards, then right side upwards.
    first : ndarray of int64, shape (regions + 1,)
        Out: where each region's vertices begin.
    """
    size = 0
    for region in range(top.shape[0]):
        first[region] = bottom = size
        down = top[region] - offset[region]
        for line in range(offset[region], offset[region + 1]):
            size = push(hull, bottom, size, reach[line, 0], line + down)
        bottom = size
        for line in range(offset[region + 1] - 1, offset[region] - 1, -1):
            size = push(hull, bottom, size, reach[line, 1], line + down)
    first[top.shape[0]] = size


@compiled
def farthest_vertices(
    x: Ints,
    y: Ints,
    first: Ints,
    mpp: tuple[float, float],
    squared: NDArray[np.float64],
    farthest: Ints,
    across: NDArray[np.float64],
) -> None:
    """Write, per vertex, its farthest vertex and that one's squared distance (µm²).

    `across` becomes the greatest cross product of the edge that starts at the vertex with the way
    to another vertex. Of equally far ones, the next on the hull counts.
    """
    for hull in range(first.shape[0] - 1):
        begin, size = first[hull], first[hull + 1] - first[hull]
        for k in range(size):
            here, following = begin + k, begin + (k + 1) % size
            edge_x, edge_y = (x[following] - x[here]) * mpp[0], (y[following] - y[here]) * mpp[1]
            for shift in range(1, size):
                other = begin + (k + shift) % size
                dx, dy = (x[other] - x[here]) * mpp[0], (y[other] - y[here]) * mpp[1]
                distance = dx * dx + dy * dy
                if distance > squared[here]:
                    squared[here], farthest[here] = distance, other
                across[here] = max(across[here], abs(edge_x * dy - edge_y * dx))


@compiled
def stored_values(
    band: NDArray[np.uint8],
    row: NDArray[np.int64],
    start: NDArray[np.int32],
    end: NDArray[np.int32],
    values: Ints,
) -> None:
    """Write the maximum, the sum and the number of non-zero pixels of every run, shape (n, 3)."""
    for run in range(row.shape[0]):
        highest, total, seen = np.uint8(0), np.int64(0), np.int64(0)
        for value in band[row[run], start[run] : end[run]]:
            highest = max(highest, value)
            total += value
            seen += value > 0
        values[run, 0], values[run, 1], values[run, 2] = highest, total, seen
