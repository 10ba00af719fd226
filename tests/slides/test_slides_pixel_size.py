"""Where a pixel size comes from, and when it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests_slides_tools import noise, tiff

from napari_breastpath.core.errors import PixelSizeError, UsageError
from napari_breastpath.slides import check_pixel_size, open_slide
from napari_breastpath.slides.backend import Claim
from napari_breastpath.slides.pixel_size import from_header, is_deliberate_tag

IMAGE = noise(80, 96, 3)
HERE = Path("slide.tif")


@pytest.mark.parametrize(
    ("options", "source", "x", "y"),
    [
        ({"mpp": 0.25}, "user", 0.25, 0.25),
        ({"mpp": (0.25, 0.5)}, "user", 0.25, 0.5),
        ({"mpp": np.float32(0.5)}, "user", 0.5, 0.5),
        ({"magnification": 40}, "magnification", 0.25, 0.25),
        ({"magnification": 100}, "magnification", 0.1, 0.1),
        ({}, "header", 0.4, 0.4),
    ],
)
def test_the_user_comes_before_the_header(
    tmp_path: Path, options: dict[str, Any], source: str, x: float, y: float
) -> None:
    slide = open_slide(tiff(tmp_path / "a.tif", IMAGE, mpp=0.4), **options)
    assert (slide.mpp.source, slide.mpp.x, slide.mpp.y) == (
        source,
        pytest.approx(x),
        pytest.approx(y),
    )
    assert slide.properties["pixel size from"]


@pytest.mark.parametrize(
    "options", [{"mpp": 0}, {"mpp": -1}, {"mpp": (1, 5000)}, {"magnification": 0}]
)
def test_an_impossible_answer_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(PixelSizeError, match="no plausible pixel size"):
        open_slide(tiff(tmp_path / "a.tif", IMAGE), **options)


def test_two_answers_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        open_slide(tiff(tmp_path / "a.tif", IMAGE), mpp=0.5, magnification=20)


@pytest.mark.parametrize(
    "resolution",
    [
        {},
        {"resolution": (72, 72), "resolutionunit": "INCH"},
        {"resolution": (300, 300), "resolutionunit": "INCH"},
        {"resolution": (10, 10), "resolutionunit": "CENTIMETER"},
        {"resolution": (20000, 20000), "resolutionunit": "NONE"},
    ],
    ids=str,
)
def test_no_microscopes_resolution_is_no_pixel_size(
    tmp_path: Path, resolution: dict[str, Any]
) -> None:
    with pytest.raises(PixelSizeError, match="--mpp"):
        open_slide(tiff(tmp_path / "a.tif", IMAGE, **resolution))


@pytest.mark.parametrize("part", [0, 4], ids=["numerator", "denominator"])
def test_a_resolution_of_zero_is_no_pixel_size(tmp_path: Path, part: int) -> None:
    path = tiff(tmp_path / "a.tif", IMAGE, mpp=0.5)
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages.first.tags["XResolution"].valueoffset
    with path.open("r+b") as file:
        file.seek(offset + part)
        file.write(bytes(4))
    with pytest.raises(PixelSizeError, match="no pixel size"):
        open_slide(path)


@pytest.mark.parametrize(
    ("um", "deliberate"),
    [(0.25, True), (0.5, True), (20.0, True), (50.0, True), (70.0, True), (100.0, True)]
    + [(25400 / dpi, False) for dpi in (72, 96, 150, 200, 300, 600)],
)
def test_print_resolutions_are_told_from_mammograms(um: float, deliberate: bool) -> None:
    assert is_deliberate_tag(um) is deliberate


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([Claim("a", 0.25, 0.25)], (0.25, 0.25, "a")),
        ([Claim("a", 0.25, 0.5), Claim("b", 0.252, 0.5)], (0.25, 0.5, "a")),
        ([Claim("a", 0.0, 0.0), Claim("b", 0.5, 0.5)], (0.5, 0.5, "b")),
        ([Claim("a", float("nan"), 1.0), Claim("b", 0.5, 0.5)], (0.5, 0.5, "b")),
        ([Claim("a", 0.25, 0.25), Claim("b", 0.5, 0.25)], "contradicts itself: a says.*b says"),
        ([Claim("a", 1e6, 1e6)], "no plausible"),
        ([], "no pixel size"),
    ],
)
def test_what_a_header_says_is_weighed(
    claims: list[Claim], expected: tuple[float, float, str] | str
) -> None:
    if isinstance(expected, str):
        with pytest.raises(PixelSizeError, match=expected):
            from_header(HERE, claims)
    else:
        size, origin = from_header(HERE, claims)
        assert (size.x, size.y, origin) == expected


def svs(path: Path, facts: str, **resolution: Any) -> Path:
    tifffile.imwrite(
        path,
        IMAGE,
        tile=(64, 64),
        photometric="rgb",
        metadata=None,
        description=f"Aperio Image Library v11.2.1\n96x80 [0,0 96x80]|{facts}",
        **resolution,
    )
    return path


def test_an_aperio_description_is_understood(tmp_path: Path) -> None:
    slide = open_slide(svs(tmp_path / "a.svs", "AppMag = 40|MPP = 0,2527|Date = 12/29/09"))
    assert (slide.vendor, slide.mpp.x, slide.objective_power) == ("aperio", 0.2527, 40.0)
    assert slide.properties["Date"] == "12/29/09"


def test_a_contradiction_names_both_and_the_user_settles_it(tmp_path: Path) -> None:
    path = svs(tmp_path / "a.svs", "MPP = 0.25", resolution=(2e4, 2e4), resolutionunit="CENTIMETER")
    with pytest.raises(
        PixelSizeError, match=r"Aperio MPP says 0\.25.*TIFF resolution tag says 0\.5"
    ):
        open_slide(path)
    assert open_slide(path, mpp=0.25).mpp.x == 0.25


@pytest.mark.parametrize(
    ("metadata", "x", "y"),
    [
        ({"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}, 0.25, 0.5),
        ({"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.25}, 0.25, 0.25),
        ({"PhysicalSizeX": 25e-5, "PhysicalSizeXUnit": "mm", "PhysicalSizeY": 0.25}, 0.25, 0.25),
    ],
)
def test_ome_units_are_honoured(
    tmp_path: Path, metadata: dict[str, Any], x: float, y: float
) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, IMAGE, photometric="rgb", metadata={"axes": "YXS", **metadata})
    slide = open_slide(path)
    assert (slide.mpp.x, slide.mpp.y) == (pytest.approx(x), pytest.approx(y))
    assert slide.properties["pixel size from"] == "OME PhysicalSize"


def test_ome_pixels_without_a_length_are_no_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "YXS", "PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel"}
    tifffile.imwrite(path, IMAGE, photometric="rgb", metadata=metadata)
    with pytest.raises(PixelSizeError):
        open_slide(path)


def test_imagejs_calibration_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, IMAGE, imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    assert tuple(open_slide(path).mpp) == (0.25, 0.5)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_density_counts_only_when_a_microscope_made_it(tmp_path: Path, suffix: str) -> None:
    fine, coarse = tmp_path / f"fine.{suffix}", tmp_path / f"coarse.{suffix}"
    Image.fromarray(IMAGE).save(fine, dpi=(50800, 50800))
    Image.fromarray(IMAGE).save(coarse, dpi=(300, 300))
    assert open_slide(fine).mpp.x == pytest.approx(0.5, rel=1e-3)
    with pytest.raises(PixelSizeError, match="no pixel size"):
        open_slide(coarse)


@pytest.mark.parametrize(
    ("mpp", "limits", "fits"),
    [(0.25, (), True), (0.05, (), True), (21, (), False), (0.04, (), False), (50, (20, 200), True)],
)
def test_an_analysis_checks_its_own_range(
    tmp_path: Path, mpp: float, limits: tuple[float, ...], fits: bool
) -> None:
    slide = open_slide(tiff(tmp_path / "a.tif", IMAGE), mpp=mpp)
    if fits:
        check_pixel_size(slide, *limits)
    else:
        with pytest.raises(PixelSizeError, match="outside"):
            check_pixel_size(slide, *limits)
