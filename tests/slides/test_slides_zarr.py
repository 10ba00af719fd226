"""OME-Zarr folders written here, in every layout that is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from tests_slides_tools import noise

from napari_breastpath.core.errors import PixelSizeError, SlideError
from napari_breastpath.slides import open_slide

RGB = noise(150, 200, 3)
UNITS = {"y": "micrometer", "x": "micrometer"}


def image(
    path: Path,
    array: NDArray[Any],
    axes: str,
    version: str = "0.5",
    units: dict[str, str] = UNITS,
    scale: float = 0.25,
    **how: Any,
) -> Path:
    """Write a one-level OME-Zarr."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    chunks = tuple(64 if axis in "yx" else 1 for axis in axes)
    group.create_array("0", data=array, chunks=chunks, **how)
    factors = [scale if axis in "yx" else 1.0 for axis in axes]
    multiscale = {
        "axes": [
            {"name": axis, "type": "space", "unit": units[axis]}
            if axis in units
            else {"name": axis}
            for axis in axes
        ],
        "datasets": [
            {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": factors}]}
        ],
    }
    if version == "0.4":
        group.attrs["multiscales"] = [{"version": "0.4", **multiscale}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "yxc", "tczyx"])
def test_every_order_of_axes_gives_the_same_pixels(tmp_path: Path, version: str, axes: str) -> None:
    order = [("yxc".find(axis)) for axis in axes if axis in "yxc"]
    array = np.transpose(RGB, order).reshape(
        [RGB.shape["yxc".find(a)] if a in "yxc" else 1 for a in axes]
    )
    slide = open_slide(image(tmp_path / "a.zarr", array, axes, version))
    assert (slide.mpp.x, slide.mpp.y, slide.reader) == (0.25, 0.25, "zarr")
    assert np.array_equal(slide.read(0, 0, 200, 150), RGB)


def test_sharded_arrays_are_read(tmp_path: Path) -> None:
    path = image(tmp_path / "a.zarr", RGB.transpose(2, 0, 1), "cyx", shards=(3, 128, 128))
    assert np.array_equal(open_slide(path).read(0, 0, 200, 150), RGB)


def test_chunks_that_were_never_written_are_white(tmp_path: Path) -> None:
    padded = RGB.copy()
    padded[:64, :64] = 0
    slide = open_slide(image(tmp_path / "a.zarr", padded.transpose(2, 0, 1), "cyx"))
    assert (slide.read(0, 0, 64, 64) == 255).all()
    assert np.array_equal(slide.read(64, 0, 100, 64), RGB[:64, 64:164])


def test_a_mammogram_stays_uint16(tmp_path: Path) -> None:
    grey = noise(150, 200, dtype="uint16")
    slide = open_slide(image(tmp_path / "a.zarr", grey, "yx"))
    assert slide.channels == 1
    assert np.array_equal(slide.read(10, 20, 100, 50), grey[20:70, 10:110])


def test_units_are_converted(tmp_path: Path) -> None:
    units = {"y": "millimeter", "x": "centimeter"}
    slide = open_slide(image(tmp_path / "a.zarr", RGB, "yxc", units=units, scale=0.002))
    assert (slide.mpp.y, slide.mpp.x) == (2.0, 20.0)


@pytest.mark.parametrize("units", [{}, {"y": "pixel", "x": "pixel"}])
def test_a_scale_without_a_length_is_no_pixel_size(tmp_path: Path, units: dict[str, str]) -> None:
    with pytest.raises(PixelSizeError):
        open_slide(image(tmp_path / "a.zarr", RGB, "yxc", units=units))


@pytest.mark.parametrize(
    ("array", "axes"),
    [(noise(5, 90, 80), "cyx"), (noise(4, 90, 80), "zyx"), (np.zeros((90, 80)), "yx")],
    ids=["five channels", "a stack", "floats"],
)
def test_what_is_no_slide_is_refused(tmp_path: Path, array: NDArray[Any], axes: str) -> None:
    with pytest.raises(SlideError, match="OME-Zarr"):
        open_slide(image(tmp_path / "a.zarr", array, axes))


def test_a_group_without_an_image_is_refused(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "a.zarr", mode="w")
    with pytest.raises(SlideError, match="OME-Zarr"):
        open_slide(tmp_path / "a.zarr")
