"""Aperio ImageScope XML; coordinates count from the scanner's origin.

An `Annotation` is a layer of `Region`s. ImageScope's region types: 0 freehand or polygon, 1
rectangle, 2 ellipse, 3 arrow, 4 ruler, 5 counted points; `NegativeROA` 1 is cut out of the layer.
HALO's `.annotations` have the same form with words for types and `V` for `Vertex`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from napari_breastpath.exchange.annotation import (
    Annotation,
    Part,
    ellipse_ring,
    rectangle_ring,
    vertices,
)
from napari_breastpath.exchange.xml_events import coordinate

ROOT: Final = "Annotations"
KINDS: Final = {
    "0": "polygon",
    "1": "rectangle",
    "2": "ellipse",
    "3": "line",
    "4": "line",
    "5": "point",
    "polygon": "polygon",
    "rectangle": "rectangle",
    "ellipse": "ellipse",
    "arrow": "line",
    "ruler": "line",
    "points": "point",
}
RINGS: Final = {"rectangle": rectangle_ring, "ellipse": ellipse_ring}


@dataclass
class _Layer:
    """The layer that is being read."""

    name: str
    color: tuple[int, int, int] | None
    description: str = ""


@dataclass
class _Region:
    """The region that is being read."""

    attributes: dict[str, str]
    line: int
    points: list[tuple[float, float]] = field(default_factory=list)


class AperioHandler:
    """Collects the regions of an ImageScope file."""

    parents: Mapping[str, tuple[str, ...]] = {
        ROOT: ("",),
        "Annotation": (ROOT,),
        "Attribute": ("Attributes",),
        "Regions": ("Annotation",),
        "Region": ("Regions",),
        "Vertices": ("Region",),
        "Vertex": ("Vertices",),
        "V": ("Vertices",),
    }

    def __init__(self) -> None:
        self._found: list[Annotation] = []
        self._layer = _Layer("", None)
        self._region: _Region | None = None

    def start(self, tag: str, attributes: dict[str, str], line: int) -> None:
        """Take the beginning of an element."""
        if tag == "Annotation":
            self._layer = _Layer(attributes.get("Name", ""), _rgb(attributes.get("LineColor", "")))
        elif tag == "Attribute" and self._region is None:
            self._layer.description = self._layer.description or attributes.get("Value", "")
        elif tag == "Region":
            self._region = _Region(attributes, line)
        elif tag in ("Vertex", "V") and self._region is not None:
            point = coordinate(attributes, "X"), coordinate(attributes, "Y")
            self._region.points.append(point)

    def end(self, tag: str) -> None:
        """Take the end of an element."""
        if tag == "Region" and self._region is not None:
            if self._region.points:
                self._found.append(_annotation(self._layer, self._region))
            self._region = None

    def finish(self) -> list[Annotation]:
        """Return the annotations."""
        return self._found


def _annotation(layer: _Layer, read: _Region) -> Annotation:
    attributes, place = read.attributes, f"line {read.line}"
    word = attributes.get("GeoShape") or attributes.get("Type", "0")
    kind = KINDS.get(word.lower())
    if kind is None:
        raise ValueError(f"unknown Type {word!r} of the region in {place}")
    text, points = attributes.get("Text", ""), vertices(read.points)
    part: Part = (RINGS[kind](points) if kind in RINGS else points,)
    return Annotation(
        kind,
        (part,),
        class_name=layer.name or layer.description or text,
        name=text,
        id=attributes.get("Id", ""),
        exclusion=attributes.get("NegativeROA", "0") == "1",
        color=layer.color,
        place=place,
    )


def _rgb(text: str) -> tuple[int, int, int] | None:
    """Return the colour of a Windows COLORREF, whose lowest byte is red."""
    if not text.isdecimal():
        return None
    value = int(text)
    return value & 255, value >> 8 & 255, value >> 16 & 255
