"""What hands measured on a slide, as GeoJSON annotations marked manual: extent, rulers, areas."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.edits import hand_state
from napari_breastpath.exchange.geojson import COORDINATE_ORIGIN, DECIMALS, NAMESPACE
from napari_breastpath.results import Result

MANUAL_RGB: Final = (0, 200, 255)


def hand_lines(result: Result, provenance: Mapping[str, str]) -> Iterator[str]:
    """Yield the manual extent, then rulers and areas in the order drawn, as text of a Feature each.

    Lengths follow from µm/px per axis. `metadata.measured` is `manual`; reader and time go with it.
    """
    state = hand_state(result)
    extent = state.extent
    if extent is not None:
        ends = np.array([(extent.x1, extent.y1), (extent.x2, extent.y2)])
        yield _text("Longest extent (manual)", "extent", ends, extent, result, provenance)
    for ruler in state.rulers:
        name, points = f"{ruler.kind.capitalize()} {ruler.number}", np.array(ruler.points, float)
        yield _text(name, ruler.kind, points, ruler, result, provenance)


def _text(
    name: str,
    kind: str,
    points: NDArray[np.float64],
    drawn: Any,
    result: Result,
    provenance: Mapping[str, str],
) -> str:
    """Return one Feature; `drawn` says who drew it and when."""
    fingerprint = str(result.record["slide"].get("fingerprint", ""))
    mpp = np.array([result.slide_mpp.x, result.slide_mpp.y])
    feature = {
        "type": "Feature",
        "id": str(uuid.uuid5(NAMESPACE, f"{fingerprint}/{kind}/{points.tolist()}")),
        "geometry": _geometry(kind, points),
        "properties": {
            "objectType": "annotation",
            "name": name,
            "color": list(MANUAL_RGB),
            "measurements": _measurements(kind, points * mpp / 1e3),
            "metadata": {
                "measured": "manual",
                "reader": drawn.reader,
                "time": drawn.time,
                "coordinate_origin": COORDINATE_ORIGIN,
                **provenance,
            },
        },
    }
    return json.dumps(feature, ensure_ascii=False, allow_nan=False)


def _geometry(kind: str, points: NDArray[np.float64]) -> dict[str, Any]:
    corners = points.round(DECIMALS).tolist()
    if kind == "area":
        return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
    return {"type": "LineString", "coordinates": corners}


def _measurements(kind: str, points_mm: NDArray[np.float64]) -> dict[str, float]:
    if kind != "area":
        return {"Length mm": _length(points_mm)}
    closed = np.concatenate((points_mm, points_mm[:1]))
    x, y = closed.T
    doubled = float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
    return {"Area mm^2": abs(doubled) / 2, "Perimeter mm": _length(closed)}


def _length(points_mm: NDArray[np.float64]) -> float:
    return float(np.hypot(*np.diff(points_mm, axis=0).T).sum())
