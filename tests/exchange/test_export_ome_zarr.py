"""The OME-Zarr copy, read by ome-zarr-models and by ome-zarr-py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from exchange_results import heat, label
from ome_zarr.io import parse_url
from ome_zarr.reader import Node, Reader
from ome_zarr_models import open_ome_zarr
from ome_zarr_models.v05 import Image, ImageLabel

from napari_breastpath.core.errors import ResultError
from napari_breastpath.exchange.export import export_result
from napari_breastpath.results import Result

LABELS = ("mask", "edits", "tissue")


@pytest.fixture
def copy(result: Result, out: Path) -> Path:
    path = out / "map.ome.zarr"
    export_result(result, "ome-zarr", path)
    return path


def nodes(path: Path) -> dict[str, Node]:
    """What ome-zarr-py finds, by the name of its folder."""
    location = parse_url(path)
    assert location is not None
    return {node.zarr.basename(): node for node in Reader(location)()}


def test_it_is_valid_and_holds_nothing_of_ours(result: Result, copy: Path) -> None:
    root = zarr.open_group(copy, mode="r")
    image = open_ome_zarr(root)
    assert isinstance(image, Image)
    assert image.ome_attributes.version == "0.5"
    levels = len(image.ome_attributes.multiscales[0].datasets)
    for name in LABELS:
        found = open_ome_zarr(root[f"labels/{name}"])
        assert isinstance(found, ImageLabel)
        assert len(found.ome_attributes.multiscales[0].datasets) == levels
    assert {item.name for item in copy.iterdir()} == {
        *map(str, range(levels)),
        "labels",
        "zarr.json",
    }
    assert set(root.attrs) == {"ome", "napari-breastpath"}


def test_ome_zarr_py_reads_the_map_where_it_lies(result: Result, copy: Path) -> None:
    image = nodes(copy)[copy.name]
    assert np.array_equal(np.asarray(image.data[0]), heat(result))
    assert [axis["name"] for axis in image.metadata["axes"]] == ["c", "y", "x"]
    assert image.metadata["channel_names"] == [kind["name"] for kind in result.classes]
    for steps, level in zip(image.metadata["coordinateTransformations"], image.data, strict=True):
        scale, shift = np.array(steps[0]["scale"]), np.array(steps[1]["translation"])
        # The outer corner of the first pixel is the slide's, half a slide pixel before 0.
        assert np.allclose(
            shift[1:] - scale[1:] / 2, (-result.slide_mpp.y / 2, -result.slide_mpp.x / 2)
        )
        factor = 2 ** round(np.log2(image.data[0].shape[1] / level.shape[1]))
        assert np.allclose(scale[1:], np.array(result.lattice.mpp[::-1]) * factor)


@pytest.mark.parametrize("name", LABELS)
def test_labels_come_back_as_they_were(result: Result, copy: Path, name: str) -> None:
    node = nodes(copy)[name]
    assert np.array_equal(np.asarray(node.data[0]), label(result, name))
    assert node.metadata["axes"] == [
        {"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"
    ]
    if name == "mask":
        colors = {k + 1: kind["color"] for k, kind in enumerate(result.classes)}
        found = node.metadata["color"]
        for value, color in colors.items():
            assert np.allclose(np.array(found[value][:3]) * 255, color)


@pytest.mark.filterwarnings("ignore")
def test_napari_ome_zarr_lays_labels_on_the_map(result: Result, copy: Path) -> None:
    from napari_ome_zarr._reader import napari_get_reader

    read = napari_get_reader(str(copy))
    assert read is not None
    layers = list(read(str(copy)))
    assert [kind for *_, kind in layers] == ["image", "labels", "labels", "labels"]
    for data, options, kind in layers:
        assert len(data) == len(result.map.probability.levels)
        # Version 0.10 leaves out NGFF's translations: all layers alike.
        assert np.allclose(options["scale"], result.lattice.mpp[::-1])
        assert np.allclose(options["affine"].affine_matrix, np.eye(3))
        if kind == "labels":
            name = options["name"].split("/")[-1]
            assert np.array_equal(np.asarray(data[0]), label(result, name))


def test_what_is_there_stays(one: Result, out: Path) -> None:
    path = out / "mine.zarr"
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    with pytest.raises(ResultError, match="exists already"):
        export_result(one, "ome-zarr", path)
    assert [item.name for item in out.iterdir()] == ["mine.zarr"]
    assert (path / "notes.txt").read_text() == "mine"
