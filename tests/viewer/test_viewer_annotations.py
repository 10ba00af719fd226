"""Annotation files as napari layers in µm, and layers written for QuPath."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Layer, Shapes
from npe2 import PluginManager
from shapely.geometry import shape
from viewer_results import make_result

from napari_breastpath.core.errors import AnnotationError
from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.exchange.annotations import read_annotations
from napari_breastpath.exchange.rasterise import paint
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import annotations_reader, annotations_writer
from napari_breastpath.viewer.annotations_reader import annotation_layers, get_reader
from napari_breastpath.viewer.layers import make_layer, mask_layer

MPP = PixelSize(0.5, 0.25)
SQUARE = [[0, 0], [80, 0], [80, 80], [0, 80], [0, 0]]
HOLE = [[20, 20], [20, 40], [40, 40], [40, 20], [20, 20]]
AWAY = [[x + 200, y] for x, y in SQUARE]
ROUND = [[300, 105], [310, 100], [320, 105], [310, 110], [300, 105]]
GEOMETRIES = {
    "polygon": {"type": "Polygon", "coordinates": [SQUARE]},
    "with a hole": {"type": "Polygon", "coordinates": [SQUARE, HOLE]},
    "in parts": {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [AWAY]]},
    "line": {"type": "LineString", "coordinates": SQUARE[:3]},
    "ellipse": {"type": "Polygon", "coordinates": [ROUND], "isEllipse": True},
}


def saved(folder: Path, *names: str) -> Path:
    kinds = [{"name": "Tumor", "color": [200, 0, 0]}, {"name": "Stroma", "color": [0, 150, 0]}]
    features = [
        {
            "type": "Feature",
            "geometry": GEOMETRIES[name],
            "properties": {"name": name, "classification": kinds[k % 2]},
        }
        for k, name in enumerate(names)
    ]
    path = folder / "in.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def layers_of(path: Path) -> list[Layer]:
    return [Layer.create(*data) for data in annotation_layers(read_annotations(path), MPP, "a")]


@pytest.mark.parametrize("suffix", [".geojson", ".geojson.gz"])
def test_what_is_read_is_written_back(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path, *GEOMETRIES)
    out = str(tmp_path / f"out{suffix}")
    tuples = [layer.as_layer_data_tuple() for layer in layers_of(path)]
    assert annotations_writer.write_geojson(out, tuples) == [out]
    content = Path(out).read_bytes()
    written = json.loads(gzip.decompress(content) if suffix.endswith("gz") else content)
    for old, new in zip(json.loads(path.read_text())["features"], written["features"], strict=True):
        for key in ("name", "classification"):
            assert new["properties"][key] == old["properties"][key]
        if "isEllipse" in old["geometry"]:
            assert new["geometry"]["isEllipse"]
            assert shape(new["geometry"]).bounds == pytest.approx((300, 100, 320, 110), abs=0.02)
        else:
            assert shape(new["geometry"]).equals_exact(shape(old["geometry"]), 0.02)


def test_layers_lie_in_world_um_with_their_class_and_colour(tmp_path: Path) -> None:
    (layer,) = layers_of(saved(tmp_path, "with a hole", "line"))
    assert isinstance(layer, Shapes)
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    assert layer.shape_type == ["polygon", "polygon", "path"]
    # The centre of level-0 pixel (0, 0) is at 0.
    np.testing.assert_allclose(layer.data[0].min(axis=0), (-0.125, -0.25))
    np.testing.assert_allclose(layer.data[0].max(axis=0), (79.5 * 0.25, 79.5 * 0.5))
    assert layer.features["class"].tolist() == ["Tumor", "Tumor", "Stroma"]
    assert layer.features["hole"].tolist() == [False, True, False]
    np.testing.assert_allclose(layer.edge_color[2], (0, 150 / 255, 0, 1), atol=1e-6)


def test_points_become_points(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"type": "MultiPoint", "coordinates": [[0.5, 0.5], [10.5, 20.5]]}')
    (points,) = layers_of(path)
    np.testing.assert_allclose(points.data, [(0, 0), (5, 5)])


def test_what_was_cut_out_stays_so(tmp_path: Path) -> None:
    ring = {"name": "p", "vertices": SQUARE}
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"positive": [ring], "negative": [ring | {"vertices": HOLE}]}))
    out = str(tmp_path / "out.geojson")
    annotations_writer.write_geojson(out, [x.as_layer_data_tuple() for x in layers_of(path)])
    assert [a.class_name for a in read_annotations(out)] == ["Tumor", "Ignore*"]


def test_shapes_drawn_by_hand(tmp_path: Path) -> None:
    drawn = Shapes(
        [
            np.array([(0, 0), (0, 10), (10, 10), (10, 0)]),
            np.array([(0, 5), (5, 0), (0, -5), (-5, 0)]),
        ],
        shape_type=["rectangle", "ellipse"],
        scale=(2, 2),
        metadata={"mpp_um": (0.5, 0.5)},
    )
    out = str(tmp_path / "out.geojson")
    annotations_writer.write_geojson(out, [drawn.as_layer_data_tuple()])
    rectangle, tilted = read_annotations(out)
    assert rectangle.bounds == (0.5, 0.5, 40.5, 40.5)
    assert (rectangle.class_name, tilted.kind) == ("", "polygon")


def test_the_mask_of_a_result_region_by_region(tmp_path: Path) -> None:
    result = make_result(tmp_path, roles=("other", "tumour"))
    mask = np.zeros(result.lattice.shape, np.uint8)
    mask[3:20, 10:30], mask[5:9, 12:15], mask[50:60, 60:70] = 2, 0, 1
    mask[60, 70] = 1
    result.map.label("mask").write(0, 0, mask)
    layer = make_layer(mask_layer(result))
    out = str(tmp_path / "out.geojson")
    annotations_writer.write_geojson(out, [layer.as_layer_data_tuple()])
    found = read_annotations(out)
    assert sorted(a.class_name for a in found) == ["Tumor", "other"]
    value = {"Tumor": 2, "other": 1}
    raster, _ = paint([(a, value[a.class_name]) for a in found], result.lattice)
    np.testing.assert_array_equal(raster, mask)


def test_napari_finds_the_writer(tmp_path: Path) -> None:
    PluginManager.instance().discover()
    viewer = ViewerModel()
    for layer in layers_of(saved(tmp_path, "polygon")):
        viewer.layers.append(layer)
    out = str(tmp_path / "saved.geojson")
    assert viewer.layers.save(out, plugin="napari-breastpath") == [out]
    assert read_annotations(out)[0].bounds == (0, 0, 80, 80)


@pytest.mark.parametrize(
    ("name", "content", "ours"),
    [
        ("a.geojson", "{}", True),
        ("a.xml", "<svg/>", True),
        ("a.json", "hello", False),
        ("a.txt", "{}", False),
        ("a.zip", "hello", False),
    ],
)
def test_which_files_are_ours(tmp_path: Path, name: str, content: str, ours: bool) -> None:
    (tmp_path / name).write_text(content)
    assert (get_reader(str(tmp_path / name)) is not None) == ours
    assert get_reader(str(tmp_path / f"not-{name}")) is None
    assert get_reader(str(tmp_path)) is None


def test_without_a_slide_there_is_nothing_to_lie_on(tmp_path: Path) -> None:
    path = saved(tmp_path, "polygon")
    with pytest.raises(AnnotationError, match="open the slide first"):
        annotations_reader.read(str(path))
    lonely = Labels(np.eye(4, dtype=np.uint8))
    with pytest.raises(AnnotationError, match="no slide that is open"):
        annotations_writer.write_geojson(str(path), [lonely.as_layer_data_tuple()])


def test_on_the_slide_that_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_breastpath.viewer.session import Session

    viewer = ViewerModel()
    slide = Session.of(viewer).open_slide(sample_slide_path())
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    ((_, arguments, kind),) = annotations_reader.read(str(saved(tmp_path, "polygon")))
    assert kind == "shapes"
    assert arguments["metadata"]["mpp_um"] == (slide.mpp.x, slide.mpp.y)


def test_too_many_outlines_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations_reader, "MAX_SHAPES", 2)
    with pytest.raises(AnnotationError, match="breastpath import"):
        layers_of(saved(tmp_path, "in parts"))


def test_real_files_become_layers(shared_data: Path) -> None:
    slide = open_slide(sample_slide_path())
    for path in sorted((shared_data / "annotations").rglob("*.*")):
        (data, arguments, _) = annotations_reader.read_for(path, slide)[0]
        assert len(data) == len(read_annotations(path)) == len(arguments["features"]["class"])
