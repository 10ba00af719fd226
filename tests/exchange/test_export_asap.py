"""ASAP's XML: read by lxml and shapely, by our own reader, and painted by its rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from exchange_results import label
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lxml import etree
from shapely.geometry import Polygon

from napari_breastpath.core.geometry import Lattice
from napari_breastpath.exchange.annotations import read_annotations
from napari_breastpath.exchange.asap_writer import EXCLUSION, AsapPolygon, asap_polygons
from napari_breastpath.exchange.export import export_result
from napari_breastpath.exchange.outlines import Outlined, contains, keyhole
from napari_breastpath.exchange.rasterise import polygons_mask
from napari_breastpath.measure import region_polygons
from napari_breastpath.results import Result

STEP = (4.0, 3.5)


def outlines(labels: np.ndarray) -> list[Outlined]:
    """One region per value, as results hold them; the class is the value's own."""
    found = region_polygons(labels, STEP)
    return [Outlined(k, f"class {k}", polygons) for k, polygons in found.items()]


def painted(items: list[AsapPolygon], shape: tuple[int, int]) -> np.ndarray:
    """What a reader gets that paints group by group and subtracts every exclusion at the end."""
    lattice = Lattice(*shape, *STEP, 2.0, 1.75)
    mask = np.zeros(shape, int)
    for item in (item for item in items if item.group != EXCLUSION):
        mask[polygons_mask([item.ring], lattice)] = int(item.group.split()[1])
    mask[polygons_mask([item.ring for item in items if item.group == EXCLUSION], lattice)] = 0
    return mask


labelled = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)
)


@given(labelled)
def test_whoever_subtracts_exclusions_gets_the_regions_back(labels: np.ndarray) -> None:
    assert np.array_equal(
        painted(list(asap_polygons(outlines(labels), STEP)), labels.shape), labels
    )


@pytest.mark.parametrize(
    ("rows", "exclusions"),
    [
        (["111", "101", "111"], 1),
        (["11111", "10001", "10101", "10001", "11111"], 0),  # an island: bridged
        (["111", "121", "111"], 0),  # another class: bridged
        (["1111", "1021", "1111"], 0),
        (["11111", "10101", "11111"], 2),
    ],
)
def test_only_empty_holes_are_exclusions(rows: list[str], exclusions: int) -> None:
    labels = np.array([[int(v) for v in row] for row in rows], np.uint8)
    items = list(asap_polygons(outlines(labels), STEP))
    assert sum(item.group == EXCLUSION for item in items) == exclusions
    assert np.array_equal(painted(items, labels.shape), labels)


@given(labelled)
def test_bridges_enclose_nothing(labels: np.ndarray) -> None:
    for item in outlines(labels):
        for exterior, *holes in item.polygons:
            x, y = keyhole(exterior, holes)[:-1].T
            area = abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2
            assert area == pytest.approx(Polygon(exterior, holes).area)


@given(st.integers(0, 11), st.integers(0, 11), labelled)
def test_contains_is_shapelys(column: int, row: int, labels: np.ndarray) -> None:
    x, y = (column + 0.5) * STEP[0], (row + 0.5) * STEP[1]
    for item in outlines(labels):
        for ring, *_ in item.polygons:
            assert contains(ring, x, y) == shapely.contains_xy(Polygon(ring), x, y)


def test_the_file_is_what_asap_reads(result: Result, out: Path) -> None:
    export_result(result, "asap-xml", out / "r.xml")
    root = etree.parse(out / "r.xml").getroot()
    groups = [group.get("Name") for group in root.iterfind("AnnotationGroups/Group")]
    names = {kind["name"] for kind in result.classes if kind["role"] != "background"}
    assert set(groups) - {EXCLUSION} <= names
    for found in root.iterfind("Annotations/Annotation"):
        assert found.get("Type") == "Polygon"
        assert found.get("PartOfGroup") in groups
        points = [dict(point.attrib) for point in found.iterfind("Coordinates/Coordinate")]
        assert [int(point["Order"]) for point in points] == list(range(len(points)))
        assert points[0] != {**points[-1], "Order": "0"}  # not closed


def test_regions_come_back_to_the_same_tissue_whatever_the_bounds(
    result: Result, out: Path
) -> None:
    export_result(result, "asap-xml", out / "r.xml")
    offset = tuple(result.record["slide"]["bounds_offset"])
    read = read_annotations(out / "r.xml", offset)
    mask = np.zeros(result.lattice.shape, np.uint8)
    values = {kind["name"]: k + 1 for k, kind in enumerate(result.classes)} | {EXCLUSION: 0}
    for area in sorted(read, key=lambda item: item.class_name == EXCLUSION):
        mask[polygons_mask([part[0] for part in area.parts], result.lattice)] = values[
            area.class_name
        ]
    assert np.array_equal(mask, label(result, "mask"))
    if any(offset):
        shifted = read_annotations(out / "r.xml")[0].bounds
        here = read[0].bounds
        assert np.allclose(np.array(shifted) - here, offset * 2)
