"""ASAP XML (ASAP's annotation/XmlRepository.cpp); coordinates count from the scanner's origin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from napari_breastpath.exchange.annotation import Annotation, rectangle_ring, vertices
from napari_breastpath.exchange.xml_events import XmlFault, coordinate

ROOT: Final = "ASAP_Annotations"
KINDS: Final = {
    "none": "polygon",
    "polygon": "polygon",
    "spline": "polygon",  # ASAP's own masks join its points by straight lines
    "rectangle": "rectangle",
    "dot": "point",
    "pointset": "point",
    "measurement": "line",
}
NO_GROUP: Final = ("", "None")
_COLOR: Final = re.compile("#[0-9a-fA-F]{6}")


@dataclass
class _Open:
    """The annotation that is being read."""

    attributes: dict[str, str]
    line: int
    points: dict[int, tuple[float, float]] = field(default_factory=dict)


class AsapHandler:
    """Collects the annotations of an ASAP file; `annotations` is right after `finish`."""

    parents: Mapping[str, tuple[str, ...]] = {
        ROOT: ("",),
        "Annotations": (ROOT,),
        "Annotation": ("Annotations",),
        "Coordinates": ("Annotation",),
        "Coordinate": ("Coordinates",),
        "AnnotationGroups": (ROOT,),
        "Group": ("AnnotationGroups",),
    }

    def __init__(self) -> None:
        self._groups: set[str] = set()
        self._found: list[tuple[Annotation, int]] = []
        self._open: _Open | None = None

    def start(self, tag: str, attributes: dict[str, str], line: int) -> None:
        """Take the beginning of an element."""
        if tag == "Annotation":
            self._open = _Open(attributes, line)
        elif tag == "Group":
            self._groups.add(attributes.get("Name", ""))
        elif tag == "Coordinate" and self._open is not None:
            self._add_point(self._open.points, attributes)

    def _add_point(self, points: dict[int, tuple[float, float]], found: dict[str, str]) -> None:
        order = found.get("Order", str(len(points)))
        if not order.isdecimal() or int(order) in points:
            raise ValueError(f"Order {order!r} is no number or there twice")
        points[int(order)] = coordinate(found, "X"), coordinate(found, "Y")

    def end(self, tag: str) -> None:
        """Take the end of an element."""
        if tag == "Annotation" and self._open is not None:
            made = _annotation(self._open)
            self._found += [(made, self._open.line)] if made else []
            self._open = None

    def finish(self) -> list[Annotation]:
        """Return the annotations.

        Raises
        ------
        XmlFault
            One belongs to a group that the file does not have (ASAP refuses such a file too).
        """
        for annotation, line in self._found:
            if annotation.class_name and annotation.class_name not in self._groups:
                raise XmlFault(line, f"no group {annotation.class_name!r} in the file")
        return [annotation for annotation, _ in self._found]


def _annotation(read: _Open) -> Annotation | None:
    """Return the annotation read; None for one without any point."""
    points, attributes, place = read.points, read.attributes, f"line {read.line}"
    if not points:
        return None
    if max(points) != len(points) - 1:
        raise ValueError(f"Order of the annotation in {place} is not 0 to {len(points) - 1}")
    word = attributes.get("Type", "Polygon")
    kind = KINDS.get(word.lower())
    if kind is None:
        raise ValueError(f"unknown Type {word!r} of the annotation in {place}")
    ring = vertices([points[order] for order in range(len(points))])
    group, color = attributes.get("PartOfGroup", ""), attributes.get("Color", "")
    return Annotation(
        kind,
        ((rectangle_ring(ring) if kind == "rectangle" else ring,),),
        class_name="" if group in NO_GROUP else group,
        name=attributes.get("Name", ""),
        color=_rgb(color),
        place=place,
    )


def _rgb(text: str) -> tuple[int, int, int] | None:
    if not _COLOR.fullmatch(text):
        return None
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue
