"""The outlines of a result's regions, as regions.geojson holds them, for other formats."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.exchange.geojson import regions_file
from napari_breastpath.measure.outline import Polygon, Ring

if TYPE_CHECKING:
    from napari_breastpath.results import Result

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outlined:
    """One region and where it lies.

    Attributes
    ----------
    region_id : int
    class_name : str
        The model's name of its class.
    polygons : list of Polygon
        Its 4-connected parts: rings of level-0 (x, y), closed, exterior first, then the holes.
    """

    region_id: int
    class_name: str
    polygons: list[Polygon]


def result_outlines(result: Result) -> list[Outlined]:
    """Return the regions of a measured result, in the order of its table."""
    collection = json.loads(regions_file(result).read_text(encoding="utf-8"))
    return [_outlined(feature) for feature in collection["features"]]


def _outlined(feature: dict[str, Any]) -> Outlined:
    geometry, facts = feature["geometry"], feature["properties"]["metadata"]
    parts = geometry["coordinates"]
    polygons = [parts] if geometry["type"] == "Polygon" else parts
    rings = [[np.asarray(ring, float) for ring in polygon] for polygon in polygons]
    return Outlined(int(facts["region_id"]), facts["class"], rings)


def inner_points(exteriors: Sequence[Ring], step: tuple[float, float]) -> Floats:
    """Return one point inside each exterior: the centre of its first map pixel.

    Parameters
    ----------
    exteriors : sequence of Ring
        Along the edges of map pixels.
    step : (x, y)
        Level-0 px per map pixel.

    Returns
    -------
    ndarray, float (n, 2)
    """
    first = [ring[np.lexsort((ring[:, 0], ring[:, 1]))[0]] for ring in exteriors]
    return np.array(first, float).reshape(-1, 2) + np.array(step) / 2


def contains(ring: Ring, x: float, y: float) -> bool:
    """Tell whether a point lies inside a closed ring (even-odd rule)."""
    (x0, y0), (x1, y1) = ring[:-1].T, ring[1:].T
    crossing = (y0 > y) != (y1 > y)
    x0, y0, x1, y1 = x0[crossing], y0[crossing], x1[crossing], y1[crossing]
    return bool(np.count_nonzero(x0 + (y - y0) * (x1 - x0) / (y1 - y0) > x) % 2)


def holds_any(ring: Ring, points: Floats) -> bool:
    """Tell whether any of `points`, sorted by x, lies inside a closed ring."""
    low, high = ring.min(axis=0), ring.max(axis=0)
    near = points[np.searchsorted(points[:, 0], low[0]) : np.searchsorted(points[:, 0], high[0])]
    near = near[(near[:, 1] > low[1]) & (near[:, 1] < high[1])]
    return any(contains(ring, x, y) for x, y in near)


def keyhole(exterior: Ring, holes: Sequence[Ring]) -> Ring:
    """Join holes to their exterior by bridges of no width: one ring with the same inside.

    Exact by the even-odd and by the non-zero rule, since holes run the other way round.
    """
    ring = exterior[:-1]
    for hole in holes:
        inner = hole[:-1]
        start = int(np.lexsort((inner[:, 1], inner[:, 0]))[0])
        cut = int(((ring - inner[start]) ** 2).sum(axis=1).argmin())
        way = np.roll(inner, -start, axis=0)
        ring = np.concatenate((ring[: cut + 1], way, way[:1], ring[cut:]))
    return np.concatenate((ring, ring[:1]))


def largest(outline: Outlined) -> Ring:
    """Return the exterior of a region's largest part, closed."""
    return max((part[0] for part in outline.polygons), key=_area)


def thinned(ring: Ring, most: int) -> Ring:
    """Return a closed ring of at most `most` points: Douglas-Peucker, as coarse as it takes."""
    from skimage.measure import approximate_polygon

    tolerance, fewer = 0.5, ring
    while len(fewer) > most:
        fewer = approximate_polygon(ring, tolerance)
        tolerance *= 2
    return fewer


def _area(ring: Floats) -> float:
    (x0, y0), (x1, y1) = ring[:-1].T, ring[1:].T
    return abs(float((x0 * y1 - x1 * y0).sum())) / 2
