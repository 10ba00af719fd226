"""The OME-TIFF, read by tifffile, ome-types and OpenSlide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import ome_types
import openslide
import pytest
import tifffile
from exchange_results import heat, label

from napari_breastpath.exchange.export import export_result
from napari_breastpath.results import Result


@pytest.fixture
def file(result: Result, out: Path) -> Path:
    path = out / "map.ome.tif"
    export_result(result, "ome-tiff", path)
    return path


def test_both_pyramids_are_those_of_the_result(result: Result, file: Path) -> None:
    with tifffile.TiffFile(file) as tiff:
        probability, mask = tiff.series
        pairs = (probability, result.map.probability), (mask, result.map.label("mask"))
        assert (probability.name, mask.name) == ("probability", "mask")
        for series, pyramid in pairs:
            assert len(series.levels) == len(pyramid.levels) > 1
            for level, ours in zip(series.levels, pyramid.levels, strict=True):
                assert np.array_equal(level.asarray().squeeze(), np.asarray(ours[:]).squeeze())
                assert level.keyframe.is_tiled


def test_its_ome_xml_names_channels_and_sizes(result: Result, file: Path) -> None:
    with tifffile.TiffFile(file) as tiff:
        assert tiff.ome_metadata is not None
        ome_types.validate_xml(tiff.ome_metadata)
    ome = ome_types.from_tiff(file)
    probability, mask = (image.pixels for image in ome.images)
    assert [c.name for c in probability.channels] == [k["name"] for k in result.classes]
    assert [c.color.as_rgb_tuple() for c in probability.channels] == [
        tuple(k["color"]) for k in result.classes
    ]
    for pixels in (probability, mask):
        assert (pixels.physical_size_x, pixels.physical_size_y) == result.lattice.mpp
        assert str(pixels.physical_size_x_unit.value) == "µm"
        plane = pixels.planes[0]
        assert plane.position_x == (result.lattice.mpp_x - result.slide_mpp.x) / 2
    assert mask.size_c == 1
    (first, _) = ome.structured_annotations
    assert dict(first.value)["model_sha256"] == "ab" * 32


def test_openslide_reads_the_first_class(result: Result, file: Path) -> None:
    with openslide.OpenSlide(file) as slide:
        height, width = result.lattice.shape
        assert slide.dimensions == (width, height)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(result.lattice.mpp_x)
        pixels = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))
    assert np.array_equal(pixels[..., 0], heat(result)[0])


def test_mask_values_are_named(three: Result, out: Path) -> None:
    export_result(three, "ome-tiff", out / "m.ome.tif")
    ome = ome_types.from_tiff(out / "m.ome.tif")
    assert "2 invasive" in ome.images[1].pixels.channels[0].name
    assert set(np.unique(label(three, "mask"))) == {0, 2, 3}
