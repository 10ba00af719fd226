"""TIFFs of many layouts, written here, come out as the pixels that went in."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tests_slides_tools import noise, tiff

import napari_breastpath.slides.tiff
from napari_breastpath.core.errors import SlideError
from napari_breastpath.slides import open_slide

RGB = noise(150, 200, 3)
BLURRED = gaussian_filter(RGB.astype(float), (9, 9, 0))
SMOOTH = np.interp(BLURRED, (BLURRED.min(), BLURRED.max()), (20, 235)).astype(np.uint8)
GREY = noise(150, 200)
GREY16 = noise(150, 200, dtype="uint16")


@pytest.mark.parametrize(
    ("stored", "options"),
    [
        pytest.param(RGB, {}, id="tiles"),
        pytest.param(RGB, {"tile": None, "rowsperstrip": 16}, id="strips"),
        pytest.param(RGB, {"compression": "deflate", "predictor": 2}, id="deflate, predictor"),
        pytest.param(RGB, {"compression": "lzw"}, id="lzw"),
        pytest.param(RGB, {"compression": "zstd"}, id="zstd"),
        pytest.param(RGB.transpose(2, 0, 1), {"planarconfig": "separate"}, id="planar"),
        pytest.param(RGB, {"tile": (48, 80)}, id="odd tiles"),
    ],
)
def test_every_layout_gives_the_same_pixels(
    tmp_path: Path, stored: NDArray[Any], options: dict[str, Any]
) -> None:
    with open_slide(tiff(tmp_path / "a.tif", stored, **options), mpp=1) as slide:
        assert (slide.height, slide.width, slide.channels) == (150, 200, 3)
        assert np.array_equal(slide.read(0, 0, 200, 150), RGB)


@pytest.mark.parametrize("options", [{"bigtiff": True}, {"byteorder": ">"}], ids=str)
def test_every_kind_of_tiff_file_opens(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "kind.tif"
    tifffile.imwrite(path, RGB, tile=(64, 64), photometric="rgb", **options)
    assert np.array_equal(open_slide(path, mpp=1).read(0, 0, 200, 150), RGB)


@pytest.mark.parametrize(("quality", "tolerance"), [(95, 6)])
def test_jpeg_stays_within_the_codecs_loss(tmp_path: Path, quality: int, tolerance: int) -> None:
    smooth = np.linspace(40, 220, 150 * 200 * 3).reshape(150, 200, 3).astype(np.uint8)
    how = {"compression": "jpeg", "compressionargs": {"level": quality}}
    got = open_slide(tiff(tmp_path / "jpeg.tif", smooth, **how), mpp=1).read(0, 0, 200, 150)
    assert np.abs(got.astype(int) - smooth).max() <= tolerance


TABLES, MARKERS = (0xDB, 0xC4), range(0xE0, 0xF0)


def parted(jpeg: bytes) -> tuple[bytes, bytes]:
    """Return the tables of a JPEG and the rest of it, without its APP segments, as Aperio does."""
    tables, image, at = b"\xff\xd8", b"\xff\xd8", 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if jpeg[at + 1] in TABLES:
            tables += jpeg[at:end]
        elif jpeg[at + 1] not in MARKERS:
            image += jpeg[at:end]
        at = end
    return tables + b"\xff\xd9", image + jpeg[at:]


def jpegs(picture: NDArray[np.uint8], tile: tuple[int, int], **how: str) -> list[bytes]:
    return [
        imagecodecs.jpeg_encode(
            np.ascontiguousarray(picture[y : y + tile[0], x : x + tile[1]]),
            colorspace="rgb",
            **how,
        )
        for y in range(0, 150, tile[0])
        for x in range(0, 200, tile[1])
    ]


def jpeg_tiff(
    path: Path, tiles: list[bytes], colours: str, tile: tuple[int, int], tables: bytes | None = None
) -> Path:
    how: dict[str, Any] = {"photometric": colours, "jpegtables": tables, "metadata": None}
    how |= {"compression": "jpeg", "compressionargs": {"outcolorspace": colours}}
    tifffile.imwrite(path, iter(tiles), shape=RGB.shape, dtype=RGB.dtype, tile=tile, **how)
    return path


@pytest.mark.parametrize(
    ("colours", "subsampling", "tile"),
    [
        ("rgb", "444", (64, 64)),
        ("ycbcr", "444", (64, 64)),
        ("ycbcr", "420", (64, 64)),
        ("ycbcr", "422", (128, 64)),
    ],
)
@pytest.mark.parametrize("is_parted", [False, True], ids=["marked", "unmarked"])
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut at the edge"])
def test_jpeg_tiles_have_the_bits_that_tifffile_gives(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    colours: str,
    subsampling: str,
    tile: tuple[int, int],
    is_parted: bool,
    cut: bool,
) -> None:
    padded = SMOOTH if cut else np.pad(SMOOTH, ((0, 128), (0, 128), (0, 0)), mode="edge")
    tiles, tables = jpegs(padded, tile, subsampling=subsampling, outcolorspace=colours), None
    if is_parted:
        tables, tiles = parted(tiles[0])[0], [parted(each)[1] for each in tiles]
    path = jpeg_tiff(tmp_path / "jpeg.tif", tiles, colours, tile, tables)
    if not cut:  # decoded without tifffile
        monkeypatch.setattr(napari_breastpath.slides.tiff, "by_tifffile", pytest.fail)
    with open_slide(path, mpp=1) as slide:
        read = slide.read(0, 0, 200, 150)
    assert np.array_equal(read, tifffile.imread(path))
    assert np.abs(read.astype(int) - SMOOTH).mean() < 5


JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
ADOBE_YCBCR = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x01"
COMMENT = b"\xff\xfe\x00\x06what"


@pytest.mark.parametrize(
    ("before", "in_tables"),
    [
        (JFIF, b""),
        (ADOBE_YCBCR, b""),
        (JFIF + ADOBE_YCBCR, b""),
        (COMMENT + JFIF, b""),
        (COMMENT + ADOBE_YCBCR, b""),
        (b"\xff" + JFIF, b""),
        (b"\xff\xe1\x00\x06Exif" + ADOBE_YCBCR, b""),
        (b"", ADOBE_YCBCR),
        (b"", JFIF),
    ],
)
@pytest.mark.parametrize("first", ["unmarked", "marked"])
def test_rgb_stays_rgb_whatever_its_jpegs_claim(
    tmp_path: Path, before: bytes, in_tables: bytes, first: str
) -> None:
    rgb = [parted(each) for each in jpegs(SMOOTH, (64, 64), subsampling="444", outcolorspace="rgb")]
    plain = [image for _, image in rgb]
    claiming = [image[:2] + before + image[2:] for image in plain]
    tiles = claiming if first == "marked" else [plain[0], *claiming[1:]]
    tables = rgb[0][0][:2] + in_tables + rgb[0][0][2:]
    path = jpeg_tiff(tmp_path / "rgb.tif", tiles, "rgb", (64, 64), tables)
    with open_slide(path, mpp=1) as slide:
        read = slide.read(0, 0, 200, 150)
    assert np.array_equal(read, tifffile.imread(path))
    with tifffile.TiffFile(path) as tif:
        is_believed = tif.pages.first.is_jfif
    assert is_believed or np.abs(read.astype(int) - SMOOTH).mean() < 5


@pytest.mark.parametrize("one_piece", [False, True], ids=["tiled", "one strip"])
def test_grey_uint16_stays_uint16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_piece: bool
) -> None:
    how: dict[str, Any] = {"photometric": "minisblack"}
    if one_piece:
        monkeypatch.setattr("napari_breastpath.slides.tiff.MAX_CHUNK_BYTES", 1000)
        how |= {"tile": None, "rowsperstrip": 150}
    slide = open_slide(tiff(tmp_path / "grey.tif", GREY16, **how), mpp=1)
    assert (slide.channels, slide.dtype) == (1, np.uint16)
    assert np.array_equal(slide.read(0, 0, 200, 150), GREY16)
    halves = slide.read(0, 0, 200, 150, mpp=2)
    assert np.abs(halves - GREY16.reshape(75, 2, 100, 2).mean((1, 3))).max() <= 0.51
    assert (slide.read(-10, 0, 10, 10) == 0).all()
    assert slide.pyramid()[0].compute().shape == (150, 200)


def test_grey_uint8_is_shown_as_rgb(tmp_path: Path) -> None:
    dark = open_slide(tiff(tmp_path / "k.tif", GREY, photometric="minisblack"), mpp=1)
    light = open_slide(tiff(tmp_path / "w.tif", 255 - GREY, photometric="miniswhite"), mpp=1)
    for slide in (dark, light):
        assert np.array_equal(slide.read(0, 0, 200, 150), np.repeat(GREY[..., None], 3, 2))


def test_rgb_uint16_is_scaled_to_uint8(tmp_path: Path) -> None:
    slide = open_slide(tiff(tmp_path / "deep.tif", RGB.astype(np.uint16) * 257), mpp=1)
    assert np.array_equal(slide.read(0, 0, 200, 150), RGB)


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_what_is_transparent_is_white(tmp_path: Path, kind: str) -> None:
    colour = np.full((64, 64, 3), 100, np.uint8)
    opacity = np.repeat(np.array([0, 51, 255, 255], np.uint8), 16)[None, :, None]
    opacity = np.repeat(opacity, 64, axis=0)
    if kind == "assocalpha":
        colour = (colour.astype(int) * opacity // 255).astype(np.uint8)
    rgba = np.concatenate([colour, opacity], axis=2)
    got = open_slide(tiff(tmp_path / "alpha.tif", rgba, extrasamples=[kind]), mpp=1)
    assert got.read(0, 0, 64, 64)[7, ::16, 0].tolist() == [255, 224, 100, 100]


def test_tiles_that_were_never_written_are_white(tmp_path: Path) -> None:
    path = tiff(tmp_path / "sparse.tif", noise(128, 128, 3), compression="deflate")
    clear_tile(path, 1)
    got = open_slide(path, mpp=1).read(0, 0, 128, 128)
    assert (got[:64, 64:] == 255).all()
    assert np.array_equal(got[64:], noise(128, 128, 3)[64:])


def clear_tile(path: Path, index: int) -> None:
    """Set offset and byte count of one tile to zero, as sparse writers do."""
    with tifffile.TiffFile(path) as tif:
        tags = [tif.pages.first.tags[name] for name in ("TileOffsets", "TileByteCounts")]
        places = [(tag.valueoffset, struct.calcsize("<" + tag.dtype.name[0])) for tag in tags]
        sizes = [{3: 2, 4: 4, 16: 8}[int(tag.dtype)] for tag in tags]
    assert len(places) == 2
    with path.open("r+b") as file:
        for tag, size in zip(tags, sizes, strict=True):
            file.seek(tag.valueoffset + index * size)
            file.write(bytes(size))


@pytest.mark.parametrize("how", ["main chain", "SubIFDs", "OME-TIFF"])
def test_levels_are_found_wherever_they_are_kept(tmp_path: Path, how: str) -> None:
    levels = [noise(400 >> n, 300 >> n, 3, seed=n) for n in range(3)]
    path = tmp_path / ("slide.ome.tif" if how == "OME-TIFF" else "slide.tif")
    if how == "main chain":
        tiff(path, *levels)
    else:
        metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        kept = metadata if how == "OME-TIFF" else None
        with tifffile.TiffWriter(path, ome=how == "OME-TIFF") as writer:
            options: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb"}
            writer.write(levels[0], subifds=2, metadata=kept, **options)
            for level in levels[1:]:
                writer.write(level, subfiletype=1, **options)
    slide = open_slide(path, mpp=None if how == "OME-TIFF" else 0.5)
    assert [level.shape for level in slide.levels] == [(400, 300), (200, 150), (100, 75)]
    assert slide.mpp.x == 0.5
    assert np.array_equal(slide.read(0, 0, 300, 400, mpp=2.0), levels[2])


def test_three_pages_of_one_colour_each_are_rgb(tmp_path: Path) -> None:
    path = tmp_path / "planes.ome.tif"
    planes = RGB.transpose(2, 0, 1)
    tifffile.imwrite(
        path, planes, ome=True, metadata={"axes": "CYX"}, photometric="minisblack", tile=(64, 64)
    )
    assert np.array_equal(open_slide(path, mpp=1).read(0, 0, 200, 150), RGB)


def test_a_page_of_another_shape_is_no_level(tmp_path: Path) -> None:
    slide = open_slide(tiff(tmp_path / "a.tif", RGB, noise(70, 60, 3), noise(75, 100, 3)), mpp=1)
    assert [level.shape for level in slide.levels] == [(150, 200), (75, 100)]
    assert [image.shape for image in slide.associated_images.values()] == [(70, 60, 3)]


def test_the_downsample_comes_from_the_shapes(tmp_path: Path) -> None:
    slide = open_slide(tiff(tmp_path / "odd.tif", noise(333, 257, 3), noise(166, 128, 3)), mpp=1)
    assert slide.levels[1].downsample_x == 257 / 128
    assert slide.levels[1].downsample_y == 333 / 166


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (noise(5, 80, 90), {"photometric": "minisblack"}),
        (np.zeros((80, 96), np.float32), {"photometric": "minisblack"}),
        (np.zeros((80, 96), bool), {"photometric": "minisblack"}),
    ],
    ids=["five channels", "float", "bilevel"],
)
def test_what_is_no_slide_is_refused_in_one_line(
    tmp_path: Path, image: NDArray[Any], options: dict[str, Any]
) -> None:
    with pytest.raises(SlideError) as caught:
        open_slide(tiff(tmp_path / "no.tif", image, **options), mpp=1)
    assert "\n" not in str(caught.value)
    assert "no.tif" in str(caught.value)


def test_one_bad_tile_spoils_only_its_own_box(tmp_path: Path) -> None:
    path = tiff(tmp_path / "bad.tif", RGB, compression="deflate")
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages.first.dataoffsets[0]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 32)
    slide = open_slide(path, mpp=1)
    for _ in range(2):
        with pytest.raises(SlideError, match="tile"):
            slide.read(0, 0, 64, 64)
        assert np.array_equal(slide.read(64, 64, 100, 80), RGB[64:144, 64:164])


def test_a_hole_in_a_jpeg_tile_is_an_error_not_grey(tmp_path: Path) -> None:
    path = tiff(tmp_path / "hole.tif", RGB, compression="jpeg", photometric="rgb")
    with tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        offset, count = page.dataoffsets[0], page.databytecounts[0]
    with path.open("r+b") as file:
        file.seek(offset + count // 2)
        file.write(bytes(count - count // 2))
    with pytest.raises(SlideError, match="ends in zeros"):
        open_slide(path, mpp=1).read(0, 0, 10, 10)


@pytest.mark.parametrize(("photometric", "noted"), [("rgb", False), ("ycbcr", True)])
def test_rgb_in_jpegs_marked_ycbcr_is_shown_as_rgb(
    photometric: str, noted: bool, tmp_path: Path
) -> None:
    rgb = np.full((600, 700, 3), (226, 208, 228), np.uint8)
    rgb[100:400, 100:400] = (150, 70, 160)
    path = tmp_path / "marked.tif"
    tifffile.imwrite(path, rgb, photometric=photometric, compression="jpeg", tile=(256, 256))
    with open_slide(path, mpp=0.5) as slide:
        assert ("colours" in slide.properties) == noted
        assert np.abs(slide.read(0, 0, 700, 600).astype(int) - rgb).mean() < 3


def test_vivid_colours_are_still_believed(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 2, (512, 512, 3)).astype(np.uint8) * 255
    rgb = rgb.repeat(8, axis=0).repeat(8, axis=1)[:512, :512]
    path = tmp_path / "vivid.tif"
    tifffile.imwrite(path, rgb, photometric="rgb", compression="jpeg", tile=(256, 256))
    with open_slide(path, mpp=0.5) as slide:
        assert "colours" not in slide.properties
