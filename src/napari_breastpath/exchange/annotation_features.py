"""Annotations as QuPath's GeoJSON: the inverse of `geojson_reader`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_breastpath.exchange.annotation import Annotation, Part, Vertices
from napari_breastpath.exchange.geojson import (
    COORDINATE_ORIGIN,
    DECIMALS,
    as_json,
    classification,
    opened,
    write_features,
)
from napari_breastpath.results.files import whole


def write_annotations(
    path: Path, annotations: Iterable[Annotation], classes: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write annotations as a FeatureCollection, compressed when the name ends in `.gz`.

    Parameters
    ----------
    path : Path
        All of it is written, or nothing.
    annotations : iterable of Annotation
    classes : sequence of mapping
        `name`, `color` and `role` of the model's classes; they give QuPath's names and colours.
    """
    features = (as_json(annotation_feature(each, classes)) for each in annotations)
    with whole(path) as draft, opened(draft, path.suffix == ".gz") as file:
        write_features(file.write, features)


def annotation_feature(
    annotation: Annotation, classes: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return an annotation as a GeoJSON Feature that QuPath reads.

    An id that is no UUID is not kept, as QuPath drops it.
    """
    properties: dict[str, Any] = {"objectType": annotation.object_type}
    if annotation.name:
        properties["name"] = annotation.name
    if annotation.class_name:
        kind = classification(annotation.class_name, classes)
        color = {"color": list(annotation.color)} if annotation.color else {}
        properties["classification"] = kind | color
    if annotation.measurements:
        properties["measurements"] = dict(annotation.measurements)
    properties["metadata"] = {"coordinate_origin": COORDINATE_ORIGIN}
    return {
        "type": "Feature",
        "id": _uuid(annotation.id),
        "geometry": _geometry(annotation),
        "properties": properties,
    }


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid4())


def _geometry(annotation: Annotation) -> dict[str, Any]:
    if annotation.is_area:
        found = _typed("Polygon", [_rings(part) for part in annotation.parts])
        return found | ({"isEllipse": True} if annotation.kind == "ellipse" else {})
    lines = [_list(ring) for part in annotation.parts for ring in part]
    if annotation.kind == "line":
        return _typed("LineString", lines)
    return _typed("Point", [point for line in lines for point in line])


def _typed(name: str, items: list[Any]) -> dict[str, Any]:
    """Return a geometry of one item, or its `Multi` form."""
    if len(items) == 1:
        return {"type": name, "coordinates": items[0]}
    return {"type": f"Multi{name}", "coordinates": items}


def _rings(part: Part) -> list[list[list[float]]]:
    return [_list(np.concatenate([ring, ring[:1]]) if _is_open(ring) else ring) for ring in part]


def _is_open(ring: Vertices) -> bool:
    return bool((ring[0] != ring[-1]).any())


def _list(points: Vertices) -> list[list[float]]:
    pairs: list[list[float]] = points.round(DECIMALS).tolist()
    return pairs
