"""Annotation files: real ones against other parsers, odd but valid ones, malformed ones."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from shapely import MultiPolygon, Polygon
from shapely.geometry import shape

from napari_breastpath.core.errors import AnnotationError
from napari_breastpath.exchange import annotations
from napari_breastpath.exchange.annotation import Annotation
from napari_breastpath.exchange.annotations import read_annotations

SQUARE = [[0, 0], [8, 0], [8, 8], [0, 8], [0, 0]]
HOLE = [[2, 2], [4, 2], [4, 4], [2, 4], [2, 2]]


def polygon(*rings: list) -> dict:
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry: object, **properties: object) -> dict:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(*features: object) -> dict:
    return {"type": "FeatureCollection", "features": list(features)}


def read(folder: Path, content: object, name: str = "a.json") -> list[Annotation]:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_annotations(path)


def one_line(folder: Path, content: object, name: str = "a.json") -> str:
    with pytest.raises(AnnotationError) as error:
        read(folder, content, name)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith(str(folder))
    return text


def asap(*coordinates: str, group: str = "Tumor", kind: str = "Polygon", groups: str = "") -> str:
    points = "\n".join(f"<Coordinate {each} />" for each in coordinates)
    groups = groups or '<Group Name="Tumor" PartOfGroup="None" Color="#ff0000"/>'
    return (
        f'<?xml version="1.0"?>\n<ASAP_Annotations><Annotations>\n'
        f'<Annotation Name="a" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58">'
        f"<Coordinates>\n{points}\n</Coordinates></Annotation></Annotations>"
        f"<AnnotationGroups>{groups}</AnnotationGroups></ASAP_Annotations>"
    )


TRIANGLE = (
    'Order="0" X="0" Y="0"',
    'Order="1" X="8" Y="0"',
    'Order="2" X="0" Y="8"',
)


def as_shape(annotation: Annotation) -> MultiPolygon:
    return MultiPolygon([Polygon(part[0], part[1:]) for part in annotation.parts])


@pytest.mark.parametrize("name", ["A02", "A03", "A05", "A06", "A08", "A09"])
def test_real_asap_files(shared_data: Path, name: str) -> None:
    path = shared_data / "annotations" / "asap" / f"{name}.xml"
    expected = etree.parse(path).findall(".//Annotation")
    found = read_annotations(path, bounds_offset=(100, 50))
    assert len(found) == len(expected) > 0
    for annotation, element in zip(found, expected, strict=True):
        group = element.get("PartOfGroup")
        assert annotation.class_name == ("" if group == "None" else group)
        assert annotation.name == element.get("Name")
        points = [(float(c.get("X")), float(c.get("Y"))) for c in element.iter("Coordinate")]
        np.testing.assert_array_equal(annotation.parts[0][0] + (100, 50), points)


def test_real_camelyon_files(shared_data: Path) -> None:
    files = sorted((shared_data / "annotations" / "camelyon16").glob("*.json"))
    assert len(files) == 8
    for path in files:
        document = json.loads(path.read_text())
        expected = [p["vertices"] for k in ("positive", "negative") for p in document[k]]
        found = read_annotations(path)
        assert [a.exclusion for a in found].count(True) == len(document["negative"])
        assert {a.class_name for a in found} == {"Tumor"}
        for annotation, points in zip(found, expected, strict=True):
            assert as_shape(annotation).equals(Polygon(points)) or not Polygon(points).is_valid
            np.testing.assert_array_equal(annotation.parts[0][0], points)


def test_real_qupath_files(shared_data: Path) -> None:
    for path in sorted((shared_data / "annotations" / "qupath").glob("*.geojson")):
        document = json.loads(path.read_text())
        expected = document if isinstance(document, list) else document["features"]
        found = read_annotations(path)
        for annotation, wanted in zip(found, expected, strict=True):
            assert as_shape(annotation).equals(shape(wanted["geometry"]))
            assert annotation.object_type == "cell"
            assert annotation.class_name == "Other"
            assert annotation.color == (0, 128, 128)
            assert len(annotation.measurements) > 5
            assert annotation.measurements["Detection probability"] > 0.5


@pytest.mark.parametrize(
    ("document", "kinds"),
    [
        (collection(feature(polygon(SQUARE, HOLE))), ["polygon"]),
        (feature(polygon(SQUARE)), ["polygon"]),
        ([feature(polygon(SQUARE)), polygon(SQUARE)], ["polygon", "polygon"]),
        (polygon(SQUARE), ["polygon"]),
        ([collection(feature(polygon(SQUARE)))], ["polygon"]),
        ({"type": "MultiPolygon", "coordinates": [[SQUARE], [HOLE]]}, ["polygon"]),
        ({"type": "Point", "coordinates": [1, 2]}, ["point"]),
        ({"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]}, ["point"]),
        ({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, ["line"]),
        ({"type": "MultiLineString", "coordinates": [[[1, 2], [3, 4]]]}, ["line"]),
        (
            {
                "type": "GeometryCollection",
                "geometries": [polygon(SQUARE), {"type": "Point", "coordinates": [1, 2]}],
            },
            ["polygon", "point"],
        ),
        (polygon([[x, y, 5.0] for x, y in SQUARE]), ["polygon"]),
        (polygon(SQUARE[:-1]), ["polygon"]),
        (
            feature(polygon(SQUARE), childObjects=[feature(polygon(HOLE))]),
            ["polygon", "polygon"],
        ),
        ([feature(None), feature(polygon(SQUARE))], ["polygon"]),
    ],
)
def test_forms_of_geojson(tmp_path: Path, document: object, kinds: list[str]) -> None:
    found = read(tmp_path, document)
    assert [annotation.kind for annotation in found] == kinds
    assert all(part[0].shape[1] == 2 for annotation in found for part in annotation.parts)


@pytest.mark.parametrize(
    ("classification", "name", "color"),
    [
        ("Tumor", "Tumor", None),
        ({"name": "Tumor", "color": [200, 0, 0]}, "Tumor", (200, 0, 0)),
        ({"names": ["Tumor", "Positive"], "color": [200, 0, 0, 9]}, "Tumor: Positive", (200, 0, 0)),
        ({"name": "Other", "colorRGB": -16744320}, "Other", (0, 128, 128)),
        (None, "", None),
    ],
)
def test_classifications(tmp_path: Path, classification: object, name: str, color: object) -> None:
    (found,) = read(tmp_path, feature(polygon(SQUARE), classification=classification))
    assert (found.class_name, found.color) == (name, color)


def test_equal_keys_old_measurements_and_words_for_numbers(tmp_path: Path) -> None:
    text = json.dumps(feature(polygon(SQUARE), metadata={"a": "1"}, measurements=[]))
    text = text.replace('"measurements": []', '"measurements": [{"name": "m", "value": 2}]')
    text = text.replace('"metadata": {"a": "1"}', '"metadata": {}, "metadata": {"a": "2"}')
    (old,) = read(tmp_path, text)
    assert old.measurements == {"m": 2.0}
    (new,) = read(tmp_path, feature(polygon(SQUARE), measurements={"m": 2, "x": "NaN"}))
    assert new.measurements == {"m": 2.0}


def test_an_ellipse_fills_the_box_of_its_corners(tmp_path: Path) -> None:
    corners = [[0, 5], [10, 0], [20, 5], [10, 10], [0, 5]]
    (found,) = read(tmp_path, polygon(corners) | {"isEllipse": True})
    assert found.kind == "ellipse"
    assert found.bounds == pytest.approx((0, 0, 20, 10))
    assert as_shape(found).area == pytest.approx(np.pi * 10 * 5, rel=1e-3)


def test_packed_files(tmp_path: Path) -> None:
    text = json.dumps(collection(feature(polygon(SQUARE), name="é")))
    (tmp_path / "a.geojson.gz").write_bytes(gzip.compress(text.encode()))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.geojson", text)
        archive.writestr("notes.txt", "nothing")
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    for name in ("a.geojson.gz", "a.zip", "bom.json"):
        assert [a.name for a in read_annotations(tmp_path / name)] == ["é"]


def test_asap_kinds_groups_order_and_decimal_commas(tmp_path: Path) -> None:
    shuffled = ('Order="2" X="0" Y="8"', 'Order="0" X="0,5" Y="0"', 'Order="1" X="8" Y="0"')
    (found,) = read(tmp_path, asap(*shuffled), "a.xml")
    assert found.parts[0][0].tolist() == [[0.5, 0], [8, 0], [0, 8]]
    assert (found.class_name, found.name, found.color) == ("Tumor", "a", (244, 250, 88))
    kinds = {"Dot": "point", "PointSet": "point", "Measurement": "line", "Spline": "polygon"}
    for word, kind in kinds.items():
        assert read(tmp_path, asap(*TRIANGLE, kind=word), "a.xml")[0].kind == kind
    two = ('Order="0" X="1" Y="2"', 'Order="1" X="5" Y="9"')
    (rectangle,) = read(tmp_path, asap(*two, kind="Rectangle", group="None"), "a.xml")
    assert (rectangle.kind, rectangle.class_name) == ("rectangle", "")
    assert as_shape(rectangle).area == 4 * 7


def test_imagescope_layers_types_and_negative_regions(tmp_path: Path) -> None:
    def region(kind: str, *points: tuple[int, int], more: str = "") -> str:
        corners = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in points)
        return (
            f'<Region Id="1" Type="{kind}" Text="t" {more}><Vertices>{corners}</Vertices></Region>'
        )

    negative = 'NegativeROA="1"'
    layer = '<Attributes><Attribute Name="Description" Value="Stroma"/></Attributes>'
    xml = (
        '<Annotations MicronsPerPixel="0.25"><Annotation Id="1" Name="Tumor" LineColor="65280">'
        f"{layer}<Regions><RegionAttributeHeaders/>{region('0', (0, 0), (9, 0), (9, 9), (0, 9))}"
        f"{region('0', (2, 2), (4, 2), (4, 4), more=negative)}"
        f"{region('1', (0, 0), (4, 0), (4, 3), (0, 3))}{region('2', (0, 0), (4, 4))}"
        f"{region('3', (0, 0), (4, 4))}</Regions></Annotation>"
        f'<Annotation Id="2">{layer}<Regions>{region("0", (0, 0), (9, 0), (9, 9))}'
        "</Regions></Annotation></Annotations>"
    )
    found = read(tmp_path, xml, "a.xml")
    assert [a.kind for a in found] == [
        "polygon",
        "polygon",
        "rectangle",
        "ellipse",
        "line",
        "polygon",
    ]
    assert [a.exclusion for a in found] == [False, True, False, False, False, False]
    assert [a.class_name for a in found] == ["Tumor"] * 5 + ["Stroma"]
    assert found[0].color == (0, 255, 0)
    assert as_shape(found[3]).area == pytest.approx(np.pi * 4, rel=1e-3)


def test_what_counts_from_the_scanner_is_moved_and_geojson_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(asap(*TRIANGLE))
    ring = {"name": "p", "vertices": [[0, 0], [8, 0], [0, 8]]}
    (tmp_path / "c.json").write_text(json.dumps({"positive": [ring], "negative": []}))
    (tmp_path / "q.json").write_text(json.dumps(polygon(SQUARE)))
    corner = {
        name: read_annotations(tmp_path / name, (100.0, 30.0))[0].bounds[:2]
        for name in ("a.xml", "c.json", "q.json")
    }
    assert corner == {"a.xml": (-100, -30), "c.json": (-100, -30), "q.json": (0, 0)}


BAD_GEOJSON = {
    "truncated": ('{"type": "FeatureCollection", "features": [{"type":', "line 1"),
    "trailing text": (json.dumps(polygon(SQUARE)) + "]", "Extra data"),
    "nan": (collection(feature(polygon([[0, 0], [float("nan"), 0], [8, 8]]))), "feature 1"),
    "infinite": (collection(feature(polygon([[0, 0], [float("inf"), 0], [8, 8]]))), "feature 1"),
    "absurdly far": (collection(feature(polygon([[0, 0], [1e12, 0], [8, 8]]))), "feature 1"),
    "one level too few": (collection(feature(polygon(*SQUARE))), "feature 1"),
    "polygon as multipolygon": (
        collection(
            feature(polygon(SQUARE)), feature({"type": "MultiPolygon", "coordinates": [SQUARE]})
        ),
        "feature 2",
    ),
    "words for numbers": (feature(polygon([["0", "0"], ["8", "0"], ["8", "8"]])), "feature 1"),
    "one number": (feature(polygon([[0], [8], [9]])), "feature 1"),
    "ragged": (feature(polygon([[0, 0], [8], [9, 9]])), "feature 1"),
    "unknown geometry": (feature({"type": "Circle", "coordinates": [1, 2]}), "'Circle'"),
    "topojson": ({"type": "Topology", "objects": {}}, "'Topology'"),
    "no geojson": ({"a": 1}, "no `type`"),
    "a number": ([3], "feature 1"),
    "nothing in it": (collection(), "holds no annotation"),
    "deep": ("[" * 200_000, "deep"),
    "empty": ("", "line 1"),
    "plain text": ("hello", "line 1"),
}


@pytest.mark.parametrize("case", BAD_GEOJSON)
def test_malformed_geojson_is_refused_in_one_line_with_its_place(tmp_path: Path, case: str) -> None:
    content, words = BAD_GEOJSON[case]
    assert words in one_line(tmp_path, content)


LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
REGION = (
    '<Annotations><Annotation><Regions>\n<Region Type="KIND"><Vertices><Vertex X="0" Y="0"/>'
    "</Vertices></Region></Regions></Annotation></Annotations>"
)
BAD_XML = {
    "billion laughs": (LAUGHS + asap(*TRIANGLE, group="&b;").split("?>")[1], "DOCTYPE"),
    "external entity": (
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><ASAP_Annotations>&x;</a>',
        "line 1: a document type",
    ),
    "external dtd": ('<!DOCTYPE a SYSTEM "http://localhost/a.dtd"><Annotations/>', "DOCTYPE"),
    "undefined entity": ("<Annotations>&nope;</Annotations>", "line 1: not well-formed"),
    "truncated": (asap(*TRIANGLE)[:150], "line 4: not well-formed"),
    "nan": (asap('Order="0" X="nan" Y="0"'), "line 5"),
    "no number": (asap('Order="0" X="east" Y="0"'), "line 4: X is 'east'"),
    "no y": (asap('Order="0" X="1"'), "line 4: no Y"),
    "order twice": (asap('Order="0" X="1" Y="0"', 'Order="0" X="2" Y="0"'), "line 5: Order"),
    "order with a gap": (asap('Order="0" X="1" Y="0"', 'Order="5" X="2" Y="0"'), "Order"),
    "negative order": (asap('Order="-1" X="1" Y="0"'), "line 4: Order"),
    "unknown type": (asap(*TRIANGLE, kind="Blob"), "'Blob'"),
    "missing group": (asap(*TRIANGLE, group="Other"), "line 3: no group 'Other'"),
    "wrong nesting": (
        "<ASAP_Annotations><Annotations>\n<Coordinate/></Annotations></ASAP_Annotations>",
        "line 2: <Coordinate> inside <Annotations>",
    ),
    "unknown encoding": ('<?xml version="1.0" encoding="nope-8"?><Annotations/>', "encoding"),
    "another xml": ("<svg/>", "<svg>"),
    "nothing in it": ("<ASAP_Annotations/>", "holds no annotation"),
    "unknown region": (
        REGION.replace("KIND", "9"),
        "line 2: unknown Type '9'",
    ),
}


@pytest.mark.parametrize("case", BAD_XML)
def test_malformed_xml_is_refused_in_one_line_with_its_line(tmp_path: Path, case: str) -> None:
    content, words = BAD_XML[case]
    assert words in one_line(tmp_path, content, "a.xml")


@pytest.mark.parametrize("document", [{"positive": [{}]}, {"positive": [{"vertices": [[1]]}]}])
def test_malformed_camelyon_polygons_are_named(tmp_path: Path, document: dict) -> None:
    assert "positive polygon 1" in one_line(tmp_path, document | {"negative": []})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(polygon(SQUARE)).encode())
    (tmp_path / "cut.gz").write_bytes(packed[:-12])
    (tmp_path / "bytes.json").write_bytes(b"\x80\x81\x82")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.json", "[]")
        archive.writestr("b.json", "[]")
    for name in ("cut.gz", "bytes.json", "two.zip", "nowhere.json"):
        with pytest.raises(AnnotationError) as error:
            read_annotations(tmp_path / name)
        assert "\n" not in str(error.value)


def test_size_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b" " * 3_000_000)
    assert len(bomb) < 10_000
    (tmp_path / "bomb.gz").write_bytes(bomb)
    with pytest.raises(AnnotationError, match="larger than 1 MiB"):
        annotations.read_bytes(tmp_path / "bomb.gz", limit=2**20)
    monkeypatch.setattr(annotations, "MAX_VERTICES", 7)
    assert "feature 2: more than 7" in one_line(tmp_path, [polygon(SQUARE), polygon(SQUARE)])
    assert "more than 7" in one_line(tmp_path, asap(*TRIANGLE[:1], *_many(8)), "a.xml")


def _many(count: int) -> list[str]:
    return [f'Order="{k}" X="{k}" Y="0"' for k in range(1, count + 1)]


def test_a_million_vertices(tmp_path: Path) -> None:
    angle = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    ring = (np.column_stack((np.cos(angle), np.sin(angle))) * 1e5).astype(int)
    (found,) = read(tmp_path, polygon(ring.tolist()))
    assert found.parts[0][0].shape == (1_000_000, 2)


def read_or_refused(path: Path) -> None:
    try:
        found = read_annotations(path)
    except AnnotationError as error:
        refusal, found = str(error), []
    else:
        refusal = ""
        assert found
    assert "\n" not in refusal
    assert all(np.isfinite(r).all() for a in found for part in a.parts for r in part)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
PATHS = st.sampled_from(
    [
        ("features",),
        ("features", 0),
        *(("features", 0, key) for key in ("id", "type", "geometry", "properties")),
        *(("features", 0, "geometry", key) for key in ("type", "coordinates", "isEllipse")),
        ("features", 0, "geometry", "coordinates", 0),
        ("features", 0, "geometry", "coordinates", 0, 1, 0),
        *(
            ("features", 0, "properties", key)
            for key in ("name", "classification", "measurements", "childObjects", "color")
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(PATHS, JSON | st.just(10**400) | st.just({"m": 10**400}))
def test_whatever_stands_where_in_geojson_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, where: tuple, value: object
) -> None:
    document: dict = collection(feature(polygon(SQUARE), name="a"))
    holder: object = document
    for key in where[:-1]:
        holder = holder[key]
    holder[where[-1]] = value
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(document))
    read_or_refused(path)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 20))
def test_damaged_xml_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, new: bytes, gone: int
) -> None:
    whole = asap(*TRIANGLE).encode()
    path = tmp_path_factory.getbasetemp() / "damaged.xml"
    path.write_bytes(whole[:at] + new + whole[at + gone :])
    read_or_refused(path)
