"""GeoJSON as QuPath writes it and as others do (RFC 7946; QuPath's QuPathTypeAdapters)."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeGuard

from napari_breastpath.exchange.annotation import (
    Annotation,
    Part,
    ellipse_ring,
    vertices,
)

LEGACY_TYPES: Final = {
    "PathAnnotationObject": "annotation",
    "PathDetectionObject": "detection",
    "PathCellObject": "cell",
    "PathTileObject": "tile",
    "TMACoreObject": "tmaCore",
    "PathRootObject": "root",
}
"""What QuPath 0.2 wrote as `id`."""
OBJECT_TYPES: Final = (*LEGACY_TYPES.values(), "tma_core")
MAX_DEPTH: Final = 32


def read_feature(value: Any, place: str, depth: int = 0) -> Iterator[Annotation]:
    """Yield the annotations of a Feature, FeatureCollection or bare geometry, children included.

    Parameters
    ----------
    value : object
        Decoded JSON.
    place : str
        What it is called in messages.
    depth : int
        How deeply it lies in other objects.

    Raises
    ------
    ValueError
        It is no such thing; the message does not name the place.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("type"), str):
        raise ValueError("not a GeoJSON object (no `type`)")
    if depth > MAX_DEPTH:
        raise ValueError("objects nested too deeply")
    if value["type"] == "FeatureCollection":
        for item in _list(value, "features"):
            yield from read_feature(item, place, depth + 1)
    elif value["type"] != "Feature":
        yield from _annotations(value, {}, place)
    else:
        properties = value.get("properties") or {}
        if not isinstance(properties, Mapping):
            raise ValueError("`properties` is no object")
        yield from _annotations(value.get("geometry"), _facts(value, properties), place)
        for key in ("childObjects", "children"):
            children = properties.get(key)
            for child in children if isinstance(children, list) else ():
                yield from read_feature(child, place, depth + 1)


def _list(value: Mapping[str, Any], key: str) -> Sequence[Any]:
    found = value.get(key)
    if not isinstance(found, list):
        raise ValueError(f"`{key}` is no list")
    return found


def _facts(feature: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Annotation` that a Feature states beside its geometry."""
    identity = feature.get("id")
    class_name, class_color = _classification(properties.get("classification"))
    return {
        "class_name": class_name,
        "name": _text(properties.get("name")),
        "id": "" if _text(identity) in LEGACY_TYPES else _text(identity),
        "object_type": _object_type(identity, properties),
        "measurements": _measurements(properties.get("measurements")),
        "color": _color(properties.get("color")) or class_color,
    }


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _object_type(identity: Any, properties: Mapping[str, Any]) -> str:
    named = (properties.get(key) for key in ("objectType", "object_type", "type"))
    found = next((name for name in named if isinstance(name, str)), identity)
    found = LEGACY_TYPES.get(found, found) if isinstance(found, str) else found
    if found == "tma_core":
        return "tmaCore"
    return found if found in OBJECT_TYPES else "annotation"


def _classification(value: Any) -> tuple[str, tuple[int, int, int] | None]:
    """Return name and colour; a hierarchy of names is joined as QuPath shows it."""
    if not isinstance(value, Mapping):
        return _text(value), None
    names = value.get("names")
    name = ": ".join(map(str, names)) if isinstance(names, list) else _text(value.get("name"))
    return name, _color(value.get("color", value.get("colorRGB")))


def _color(value: Any) -> tuple[int, int, int] | None:
    """Return r, g, b of a list or of a packed integer (QuPath 0.2 and Java's `Color`)."""
    if isinstance(value, list) and len(value) >= 3 and all(isinstance(v, int) for v in value[:3]):
        red, green, blue = (min(max(v, 0), 255) for v in value[:3])
        return red, green, blue
    if isinstance(value, int) and not isinstance(value, bool):
        return value >> 16 & 255, value >> 8 & 255, value & 255
    return None


def _measurements(value: Any) -> Mapping[str, float]:
    """Return the finite numbers of an object, or of the older list of {name, value}."""
    if isinstance(value, list):
        pairs = [(m.get("name"), m.get("value")) for m in value if isinstance(m, Mapping)]
    else:
        pairs = list(value.items()) if isinstance(value, Mapping) else []
    return {str(k): float(v) for k, v in pairs if _is_number(v)}


def _is_number(value: Any) -> TypeGuard[float]:
    if isinstance(value, int):
        return abs(value) <= sys.float_info.max
    return isinstance(value, float) and math.isfinite(value)


def _annotations(geometry: Any, facts: dict[str, Any], place: str) -> Iterator[Annotation]:
    """Yield one annotation per kind of geometry: areas, lines, points."""
    parts: dict[str, list[Part]] = {}
    for kind, part in _parts(geometry):
        parts.setdefault(kind, []).append(part)
    for kind, found in parts.items():
        yield Annotation(kind, tuple(found), place=place, **facts)


def _parts(geometry: Any, depth: int = 0) -> Iterator[tuple[str, Part]]:
    """Yield (kind, part) of every simple geometry in one."""
    if geometry is None:
        return
    if not isinstance(geometry, Mapping) or depth > MAX_DEPTH:
        raise ValueError("not a GeoJSON geometry")
    kind = geometry.get("type")
    if kind == "GeometryCollection":
        for each in _list(geometry, "geometries"):
            yield from _parts(each, depth + 1)
    elif kind in _SIMPLE:
        yield from _simple(kind, _list(geometry, "coordinates"), bool(geometry.get("isEllipse")))
    else:
        raise ValueError(f"unknown geometry {_text(kind)!r}")


_SIMPLE: Final = (
    "Polygon",
    "MultiPolygon",
    "LineString",
    "MultiLineString",
    "Point",
    "MultiPoint",
)


def _simple(kind: str, coordinates: Sequence[Any], ellipse: bool) -> Iterator[tuple[str, Part]]:
    if not coordinates:
        return
    if kind in ("Polygon", "MultiPolygon"):
        for rings in [coordinates] if kind == "Polygon" else coordinates:
            yield from _polygon(rings, ellipse)
    elif kind in ("LineString", "MultiLineString"):
        for line in [coordinates] if kind == "LineString" else coordinates:
            yield "line", (vertices(line),)
    else:
        yield "point", (vertices([coordinates] if kind == "Point" else coordinates),)


def _polygon(rings: Any, ellipse: bool) -> Iterator[tuple[str, Part]]:
    if not isinstance(rings, list):
        raise ValueError("coordinates are not nested as the geometry's type asks")
    part = tuple(vertices(ring) for ring in rings)
    if part and ellipse:
        yield "ellipse", (ellipse_ring(part[0]),)
    elif part:
        yield "polygon", part
