"""GeoJSON as QuPath reads it, and back."""

from __future__ import annotations

import gzip
import json
import uuid

import numpy as np
import pytest
import shapely
from scipy import ndimage
from shapely.geometry import shape as shapely_shape

from napari_breastpath.exchange.geojson import features, write_geojson
from napari_breastpath.measure import find_regions

CLASSES = [
    {"name": "glass", "color": [0, 0, 0], "role": "background"},
    {"name": "invasive", "color": (200, 10, 20), "role": "invasive"},
    {"name": "dcis", "color": [0, 90, 200], "role": "in_situ"},
]
STEP = (4.0, 3.7)


@pytest.fixture(scope="module")
def regions():
    noise = ndimage.gaussian_filter(np.random.default_rng(2).standard_normal((120, 150)), 2)
    heat = np.where(noise > 0.2, 200, 0).astype(np.uint8)
    return find_regions(noise > 0.05, 2.0, heat, "invasive", step=STEP, specimen="node")


def written(path, regions, **options):
    write_geojson(path, regions.labels, regions.table, STEP, CLASSES, **options)
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def test_every_regions_polygon_lies_on_its_pixels(tmp_path, regions):
    collection = written(tmp_path / "r.geojson", regions)
    assert collection["type"] == "FeatureCollection"
    assert len(collection["features"]) == len(regions.table) > 10
    y, x = np.mgrid[:120, :150] + 0.5
    back = np.zeros(regions.labels.shape, int)
    for feature in collection["features"]:
        outline = shapely_shape(feature["geometry"])
        assert outline.is_valid
        region = int(feature["properties"]["metadata"]["region_id"])
        back[shapely.contains_xy(outline, x * STEP[0], y * STEP[1])] = region
        pixels = (regions.labels == region).sum()
        assert outline.area == pytest.approx(pixels * STEP[0] * STEP[1], rel=1e-3)
    assert np.array_equal(back, regions.labels)


def test_what_qupath_asks_for(tmp_path, regions):
    provenance = {"model_sha256": "ab" * 32}
    made = written(tmp_path / "r.geojson", regions, fingerprint="f0", provenance=provenance)
    for feature, row in zip(made["features"], regions.table.itertuples(), strict=True):
        assert set(feature) == {"type", "id", "geometry", "properties"}
        assert feature["geometry"]["type"] in ("Polygon", "MultiPolygon")
        properties = feature["properties"]
        assert properties["objectType"] == "annotation"
        assert properties["name"] == f"invasive {row.region_id}"
        assert properties["classification"] == {"name": "Tumor", "color": [200, 10, 20]}
        assert properties["measurements"]["Longest Feret mm"] == row.feret_max_mm
        assert properties["measurements"]["Area mm^2"] == row.area_mm2
        assert all(np.isfinite(v) for v in properties["measurements"].values())
        assert all(isinstance(v, str) for v in properties["metadata"].values())
        assert properties["metadata"]["model_sha256"] == "ab" * 32
        assert "level-0" in properties["metadata"]["coordinate_origin"]
    assert any("Max probability" not in f["properties"]["measurements"] for f in made["features"])
    assert len({uuid.UUID(f["id"]) for f in made["features"]}) == len(made["features"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("invasive", {"name": "Tumor", "color": [200, 10, 20]}),
        ("dcis", {"name": "dcis", "color": [0, 90, 200]}),
        ("unheard of", {"name": "unheard of", "color": [200, 0, 0]}),
    ],
)
def test_classes_always_have_a_colour(name, expected):
    found = find_regions(np.ones((9, 9), bool), 1.0, class_name=name)
    (text,) = features(found.labels, found.table, (1, 1), CLASSES)
    assert json.loads(text)["properties"]["classification"] == expected


def test_ids_follow_from_the_slide_and_the_outline_alone(regions):
    def ids(found, fingerprint):
        made = features(found.labels, found.table, STEP, CLASSES, fingerprint=fingerprint)
        return {json.loads(text)["id"] for text in made}

    fewer = find_regions(regions.labels > 2, 2.0, None, "invasive", step=STEP)
    assert ids(regions, "a") == ids(regions, "a")
    assert not ids(regions, "a") & ids(regions, "b")
    assert len(ids(regions, "a") & ids(fewer, "a")) == len(fewer.table)


def test_compressed_and_plain_hold_the_same_and_twice_the_same_bytes(tmp_path, regions):
    plain = written(tmp_path / "r.geojson", regions)
    assert written(tmp_path / "r.geojson.gz", regions) == plain
    first = (tmp_path / "r.geojson.gz").read_bytes()
    written(tmp_path / "r.geojson.gz", regions)
    assert (tmp_path / "r.geojson.gz").read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.geojson", "r.geojson.gz"]


def test_a_failed_write_leaves_the_old_file(tmp_path, regions):
    path = tmp_path / "r.geojson"
    path.write_text("old")
    with pytest.raises(KeyError):
        write_geojson(path, regions.labels * 0, regions.table, STEP, CLASSES)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_regions_make_an_empty_collection(tmp_path):
    none = find_regions(np.zeros((5, 5), bool), 1.0)
    assert written(tmp_path / "r.geojson", none) == {"type": "FeatureCollection", "features": []}
