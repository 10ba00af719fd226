"""Regions as ASAP's XML (annotation/XmlRepository.cpp of computationalpathologygroup/ASAP)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from xml.sax.saxutils import quoteattr

import numpy as np

from napari_breastpath.exchange.outlines import (
    Floats,
    Outlined,
    holds_any,
    inner_points,
    keyhole,
    result_outlines,
)
from napari_breastpath.measure.outline import Polygon, Ring
from napari_breastpath.results import Result
from napari_breastpath.results.files import whole

EXCLUSION: Final = "Exclusion"
EXCLUSION_COLOR: Final = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class AsapPolygon:
    """One ASAP polygon: its name, its group and its closed ring in level-0 px."""

    name: str
    group: str
    ring: Ring


def export_asap(result: Result, path: Path) -> None:
    """Write the outlines of a result's regions for ASAP.

    One `Polygon` per 4-connected part, in a group named after its class; coordinates in level-0
    pixels counted from the scanner's origin (`bounds_offset` added). A hole is a polygon of the
    group `Exclusion`; a hole in which other regions lie is instead joined to its outline by a
    bridge of no width, since readers subtract exclusions from everything that they cover.
    """
    lattice = result.lattice
    offset = np.array(result.record["slide"].get("bounds_offset", (0.0, 0.0)))
    items = list(asap_polygons(result_outlines(result), (lattice.step_x, lattice.step_y)))
    colors = {kind["name"]: tuple(kind["color"]) for kind in result.classes}
    colors |= {EXCLUSION: EXCLUSION_COLOR}
    with whole(path) as draft, draft.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<ASAP_Annotations>\n<Annotations>\n')
        for item in items:
            _write_annotation(file, item, colors[item.group], offset)
        file.write("</Annotations>\n<AnnotationGroups>\n")
        for group in dict.fromkeys(item.group for item in items):
            name, color = quoteattr(group), _hexadecimal(colors[group])
            file.write(f'<Group Name={name} PartOfGroup="None" Color="{color}">')
            file.write("<Attributes /></Group>\n")
        file.write("</AnnotationGroups>\n</ASAP_Annotations>\n")


def asap_polygons(outlines: list[Outlined], step: tuple[float, float]) -> Iterator[AsapPolygon]:
    """Yield the polygons of regions, then those of their empty holes.

    Parameters
    ----------
    outlines : list of Outlined
    step : (x, y)
        Level-0 px per map pixel.
    """
    points = inner_points([part[0] for item in outlines for part in item.polygons], step)
    points = points[points[:, 0].argsort()]
    empty = []
    for item in outlines:
        name = f"{item.class_name} {item.region_id}"
        for part in item.polygons:
            ring, holes = _apart(part, points)
            yield AsapPolygon(name, item.class_name, ring)
            empty += [AsapPolygon(f"{name} hole", EXCLUSION, hole) for hole in holes]
    yield from empty


def _apart(polygon: Polygon, points: Floats) -> tuple[Ring, list[Ring]]:
    """Return the ring to draw and the empty holes; holes with regions in them are bridged."""
    exterior, *holes = polygon
    occupied = [holds_any(hole, points) for hole in holes]
    bridged = [hole for hole, full in zip(holes, occupied, strict=True) if full]
    return keyhole(exterior, bridged), [
        hole for hole, full in zip(holes, occupied, strict=True) if not full
    ]


def _write_annotation(
    file: IO[str], item: AsapPolygon, color: tuple[int, ...], offset: Floats
) -> None:
    name, group = quoteattr(item.name), quoteattr(item.group)
    file.write(
        f'<Annotation Name={name} Type="Polygon" PartOfGroup={group} '
        f'Color="{_hexadecimal(color)}"><Coordinates>\n'
    )
    for order, (x, y) in enumerate((item.ring[:-1] + offset).tolist()):
        file.write(f'<Coordinate Order="{order}" X="{x:.10g}" Y="{y:.10g}" />\n')
    file.write("</Coordinates></Annotation>\n")


def _hexadecimal(color: tuple[int, ...]) -> str:
    return "#{:02X}{:02X}{:02X}".format(*color)
