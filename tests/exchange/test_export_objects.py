"""Nuclei as GeoJSON: what QuPath asks for, any number of them in flat memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from napari_breastpath.exchange.annotations import read_annotations
from napari_breastpath.exchange.objects import MANY, objects_path, write_objects
from napari_breastpath.results import ObjectBatch

CLASSES = [
    {"name": "tumour", "color": (200, 0, 0), "role": "tumour"},
    {"name": "Lymphozyt µ", "color": [0, 90, 200], "role": "other"},
]
TRIANGLE = np.array([[0.0, 0.0], [4.5, 0.0], [0.0, 6.25]])


def batches(count: int, size: int = 500) -> Iterator[ObjectBatch]:
    for start in range(0, count, size):
        corners = np.arange(start, start + size)[:, None, None] * 3 + TRIANGLE
        yield ObjectBatch(list(corners), np.arange(size) % 2, {"Area µm^2": np.full(size, 1 / 3)})


def read(path: Path) -> dict[str, object]:
    data = path.read_bytes()
    found: dict[str, object] = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    return found


@pytest.mark.parametrize("name", ["n.geojson", "n.geojson.gz"])
def test_what_qupath_asks_for(tmp_path: Path, name: str) -> None:
    facts = {"model": "nuclei 1"}
    assert write_objects(tmp_path / name, batches(1000), CLASSES, provenance=facts) == 1000
    made = read(tmp_path / name)
    assert made["metadata"]["model"] == "nuclei 1"
    assert "level-0" in made["metadata"]["coordinate_origin"]
    for k, feature in enumerate(made["features"]):
        properties = feature["properties"]
        assert properties["objectType"] == "detection"
        assert properties["measurements"] == {"Area µm^2": 0.333333}
        assert properties["classification"] == {
            "name": ["Tumor", "Lymphozyt µ"][k % 2],
            "color": list(CLASSES[k % 2]["color"]),
        }
        assert shapely.geometry.shape(feature["geometry"]).equals(shapely.Polygon(TRIANGLE + 3 * k))
    assert len({uuid.UUID(feature["id"]) for feature in made["features"]}) == 1000


def test_ids_follow_from_slide_class_and_place(tmp_path: Path) -> None:
    def ids(fingerprint: str) -> list[str]:
        write_objects(tmp_path / "n.geojson", batches(20, 10), CLASSES, fingerprint=fingerprint)
        return [feature["id"] for feature in read(tmp_path / "n.geojson")["features"]]

    assert ids("a") == ids("a")
    assert not set(ids("a")) & set(ids("b"))


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(allow_subnormal=False)),
        min_size=1,
        max_size=8,
    )
)
def test_points_and_odd_numbers(tmp_path_factory: pytest.TempPathFactory, drawn: list) -> None:
    path = tmp_path_factory.mktemp("points") / "p.geojson"
    x, y, values = np.array(drawn).T
    batch = ObjectBatch(np.column_stack((x, y)), np.zeros(len(x), int), {'50 % "µ"': values})
    write_objects(path, [batch], CLASSES)
    strict = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    for feature, row in zip(strict["features"], drawn, strict=True):
        assert feature["geometry"]["coordinates"] == pytest.approx(row[:2], abs=0.0051)
        found = feature["properties"]["measurements"]
        assert list(found) == ['50 % "µ"'] * bool(np.isfinite(row[2]))
        assert all(v == pytest.approx(row[2], rel=1e-5) for v in found.values())


def test_our_own_reader_reads_them(tmp_path: Path) -> None:
    write_objects(tmp_path / "n.geojson.gz", batches(500), CLASSES, kind="cell")
    found = read_annotations(tmp_path / "n.geojson.gz")
    assert len(found) == 500
    assert {item.object_type for item in found} == {"cell"}
    assert {item.class_name for item in found} == {"Tumor", "Lymphozyt µ"}


def test_no_objects_are_an_empty_collection(tmp_path: Path) -> None:
    none = ObjectBatch(np.zeros((0, 2)), np.zeros(0, int))
    assert write_objects(tmp_path / "n.geojson", [none], CLASSES) == 0
    assert read(tmp_path / "n.geojson")["features"] == []


@pytest.mark.parametrize(("count", "name"), [(MANY, "n.geojson"), (MANY + 1, "n.geojson.gz")])
def test_many_objects_are_compressed(count: int, name: str) -> None:
    assert objects_path(Path("n"), count) == Path(name)


def test_a_batch_that_breaks_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[ObjectBatch]:
        yield from batches(500)
        yield ObjectBatch([TRIANGLE], np.zeros(2, int))

    with pytest.raises(ValueError, match="one length"):
        write_objects(tmp_path / "n.geojson", broken(), CLASSES)
    with pytest.raises(ValueError, match="no objects of kind"):
        write_objects(tmp_path / "n.geojson", [], CLASSES, kind="nucleus")
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_objects(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        write_objects(tmp_path / "n.geojson", batches(count), CLASSES)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(500)
    assert peak(10_000) < 1.2 * peak(1000)
