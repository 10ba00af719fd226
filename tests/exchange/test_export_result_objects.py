"""The objects of a result, exported with it, read back by libraries that are not ours."""

from __future__ import annotations

import gzip
import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_breastpath.cli import main
from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.exchange.export import export_result
from napari_breastpath.exchange.object_tables import centroids
from napari_breastpath.results import ObjectBatch, ObjectStore, Result, load_result

CLASSES = [
    {"name": "tumour", "color": [200, 0, 0], "role": "tumour"},
    {"name": "Lymphozyt µ", "color": [0, 90, 200], "role": "other"},
]
AREA, SHADE = "Area µm^2", "Hematoxylin OD mean"
COUNT = 1000


def ellipse(k: int) -> np.ndarray:
    """Return nucleus k, of 5 to 28 corners, at a place of its own; every tenth is a point."""
    corners = 1 if k % 10 == 9 else 5 + k % 24
    angle = np.arange(corners) * 2 * np.pi / corners
    size = 0 if corners == 1 else 4 + k % 3
    wide = np.column_stack((size * np.cos(angle), 2 * size * np.sin(angle)))
    return wide + np.array([20 + 30 * (k % 40), 30 * (k // 40) + 20.25])


def batch(first: int, stop: int) -> ObjectBatch:
    numbers = np.arange(first, stop)
    shades = np.where(numbers % 7 == 0, np.nan, numbers / 1000)
    return ObjectBatch(
        [ellipse(k) for k in numbers], numbers % 2, {AREA: numbers / 4, SHADE: shades}
    )


@pytest.fixture(scope="module")
def found(one: Result, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A result with regions and 1000 nuclei, appended in three batches."""
    path = tmp_path_factory.mktemp("found") / "found.breastpath"
    shutil.copytree(one.path, path)
    store = ObjectStore.create(load_result(path).objects_path, CLASSES, [AREA, SHADE])
    for first, stop in ((0, 300), (300, 301), (301, COUNT)):
        store.append(batch(first, stop))
    return load_result(path)


def export(result: Result, out: Path, *words: str) -> None:
    assert main(["export", str(result.path), "--out", str(out), "--to", *words]) == 0


@pytest.mark.parametrize(
    ("to", "name"), [("geojson", "n.geojson"), ("geojson", "n.geojson.gz"), ("geojson.gz", "n")]
)
def test_geojson_holds_the_regions_and_then_the_objects(
    found: Result, to: str, name: str, out: Path
) -> None:
    export(found, out / name, to)
    data = (out / name).read_bytes()
    made = json.loads(data if name == "n.geojson" else gzip.decompress(data))
    regions = json.loads((found.path / "regions.geojson").read_bytes())["features"]
    assert len(regions) == found.record["regions"]["count"] > 1
    assert made["features"][: len(regions)] == regions
    assert "ab" * 32 in made["metadata"]["model_sha256"]
    nuclei = made["features"][len(regions) :]
    assert len({feature["id"] for feature in made["features"]}) == len(regions) + COUNT
    for k, feature in enumerate(nuclei):
        told = feature["properties"]
        assert told["objectType"] == "detection"
        assert told["classification"]["name"] == ["Tumor", "Lymphozyt µ"][k % 2]
        assert told["classification"]["color"] == CLASSES[k % 2]["color"]
        known = {AREA: k / 4} if k % 7 == 0 else {AREA: k / 4, SHADE: pytest.approx(k / 1000)}
        assert told["measurements"] == known
        shape, wanted = shapely.geometry.shape(feature["geometry"]), ellipse(k)
        assert shape.geom_type == ("Point" if len(wanted) == 1 else "Polygon")
        assert shape.is_valid
        assert shape.hausdorff_distance(
            shapely.Polygon(wanted) if len(wanted) > 1 else shapely.Point(wanted)
        ) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_a_table_has_a_row_for_every_object(found: Result, to: str, out: Path) -> None:
    export(found, out / "n", to, "--objects")
    read = {
        "csv": pd.read_csv,
        "parquet": lambda path: pyarrow.parquet.read_table(path).to_pandas(),
    }
    table = read[to](out / "n")
    numbers = np.arange(COUNT)
    assert table["object"].tolist() == (numbers + 1).tolist()
    assert table["class"].tolist() == ["tumour", "Lymphozyt µ"] * (COUNT // 2)
    np.testing.assert_allclose(table[AREA], numbers / 4)
    np.testing.assert_allclose(table[SHADE], batch(0, COUNT).measurements[SHADE], rtol=1e-6)
    places = table[["centroid_x_level0_px", "centroid_y_level0_px"]].to_numpy()
    np.testing.assert_allclose(places, [ellipse(k).mean(axis=0) for k in numbers], atol=0.02)
    assert (table["slide"] == "sägewerk.mrxs").all()
    assert (table["model_sha256"] == "ab" * 32).all()


def test_a_table_of_regions_stays_one(found: Result, one: Result, out: Path) -> None:
    for result in (found, one):
        export(result, out / f"{result.path.stem}.csv", "csv")
    assert (out / "found.csv").read_bytes() == (out / "one.csv").read_bytes()


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_no_objects_found_are_a_table_of_no_rows(one: Result, to: str, tmp_path: Path) -> None:
    shutil.copytree(one.path, tmp_path / "r")
    ObjectStore.create(load_result(tmp_path / "r").objects_path, CLASSES, [AREA])
    export(load_result(tmp_path / "r"), tmp_path / "n", to, "--objects")
    export(load_result(tmp_path / "r"), tmp_path / "n.geojson", "geojson")
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}
    table = read[to](tmp_path / "n")
    assert len(table) == 0
    assert {AREA, "class", "slide"} <= set(table.columns)
    made = json.loads((tmp_path / "n.geojson").read_bytes())["features"]
    assert len(made) == one.record["regions"]["count"]


def test_refusals(one: Result, found: Result, out: Path) -> None:
    with pytest.raises(ResultError, match="does not look for objects"):
        export_result(one, "csv", out / "n.csv", objects=True)
    with pytest.raises(UsageError, match=r"geojson has no --objects.*csv or parquet"):
        export_result(found, "geojson", out / "n.geojson", objects=True)
    assert not list(out.iterdir())


@pytest.mark.parametrize("harm", ["lost vertices", "regions changed", "regions cut"])
def test_damage_leaves_no_file(
    found: Result, harm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(found.path, tmp_path / "r")
    regions = tmp_path / "r" / "regions.geojson"
    if harm == "lost vertices":
        shutil.rmtree(tmp_path / "r" / "objects.zarr" / "vertices" / "c")
    elif harm == "regions changed":
        regions.write_text(json.dumps(json.loads(regions.read_text()), indent=1))
    else:
        regions.write_bytes(regions.read_bytes()[:-4])
    words = ["export", str(tmp_path / "r"), "--to", "geojson", "--out", str(tmp_path / "n")]
    assert main(words) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert [item.name for item in tmp_path.iterdir()] == ["r"]


coordinates = st.floats(0, 1e5, width=32)


@given(st.lists(st.sampled_from([1, 3, 4, 9]), min_size=1, max_size=6), st.data())
def test_centroids_are_those_of_shapely(corners: list[int], data: st.DataObject) -> None:
    shapes = []
    for n in corners:
        drawn = data.draw(hnp.arrays(np.float64, (n, 2), elements=coordinates))
        hull = shapely.MultiPoint(drawn).convex_hull
        fat = hull.geom_type == "Polygon" and hull.area > 1
        shapes.append(np.array(hull.exterior.coords if fat else drawn[:1], np.float32))
    found = centroids(ObjectBatch(shapes, np.zeros(len(shapes), int)))
    for place, shape in zip(found, shapes, strict=True):
        wanted = shapely.Polygon(shape).centroid if len(shape) > 1 else shapely.Point(shape)
        assert shapely.Point(place).distance(wanted) < 0.05


def test_memory_does_not_grow_with_the_objects(found: Result, tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / str(count)
        shutil.copytree(found.path, path)
        shutil.rmtree(path / "objects.zarr")
        store = ObjectStore.create(load_result(path).objects_path, CLASSES, [AREA, SHADE])
        for _ in range(0, count, COUNT):
            store.append(batch(0, COUNT))
        tracemalloc.start()
        export_result(load_result(path), "geojson", tmp_path / "n.geojson")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(10_000) < 1.25 * peak(5000)
