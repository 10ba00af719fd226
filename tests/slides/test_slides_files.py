"""Real files: what each is opened as, where two readers agree, and what is refused."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_breastpath.core.errors import PixelSizeError, SlideError
from napari_breastpath.slides import open_slide
from napari_breastpath.slides.openslide_backend import OpenSlideBackend
from napari_breastpath.slides.slide import Slide

SVS = "CMU-1-Small-Region.svs"
DICOM = "CMU-1-Small-Region-dicom"
ZARR = "CMU-1-Small-Region.ome.zarr"
FROZEN = "tcga-frozen-no-mpp.svs"
BREAST = "breast/her2st-B4.ome.tif"

TABLE = {  # file: reader, vendor, (width, height), µm/px or None, level shapes, extra images
    SVS: ("tifffile", "aperio", (2220, 2967), 0.499, 1, {"label", "macro", "thumbnail"}),
    DICOM: ("openslide", "dicom", (2220, 2967), 0.499, 1, {"label", "macro", "thumbnail"}),
    ZARR: ("zarr", "ome-zarr", (2220, 2967), 0.499, 2, {"label", "macro"}),
    FROZEN: ("tifffile", "aperio", (4443, 3567), None, 2, {"thumbnail"}),
    BREAST: ("tifffile", "ome-tiff", (9272, 9923), 0.684, 4, set()),
    "breast/her2st-C2-0.686um.jpg": ("pillow", "jpeg", (9274, 9911), None, 1, set()),
    "tiny/boxes.tiff": ("tifffile", "generic-tiff", (300, 250), None, 4, set()),
    "tiny/boxes.png": ("pillow", "png", (300, 250), None, 1, set()),
    "tiny/boxes_0.dcm": ("openslide", "dicom", (16, 16), 0.499, 1, {"thumbnail"}),
    "tiny/boxes_1.dcm": ("openslide", "dicom", (16, 16), 0.499, 1, {"thumbnail"}),
}
BROKEN = {
    "broken.svs": "no image format",
    "unopenable.tiff": "52479",
    "unreadable.svs": "cannot be decoded",
}


@pytest.fixture
def slides(shared_data: Path) -> Path:
    return shared_data / "slides"


@pytest.mark.parametrize("name", TABLE)
def test_each_real_file_opens_as_what_it_is(slides: Path, name: str) -> None:
    reader, vendor, size, mpp, levels, extra = TABLE[name]
    if mpp is None:
        with pytest.raises(PixelSizeError, match="--mpp"):
            open_slide(slides / name)
    with open_slide(slides / name, mpp=None if mpp else 0.5) as slide:
        assert (slide.reader, slide.vendor) == (reader, vendor)
        assert (slide.width, slide.height, len(slide.levels)) == (*size, levels)
        assert slide.mpp.x == slide.mpp.y == (mpp or 0.5)
        assert set(slide.associated_images) == extra
        assert all(image.shape[2] == 3 for image in slide.associated_images.values())
        middle = slide.read(size[0] / 3, size[1] / 3, 60, 40, mpp=slide.mpp.x * 2)
        assert middle.shape == (20, 30, 3)


def test_the_table_holds_every_file(slides: Path) -> None:
    files = {item.relative_to(slides).as_posix() for item in slides.rglob("*") if item.is_file()}
    loose = {name for name in files if not name.startswith((f"{DICOM}/", f"{ZARR}/", "broken/"))}
    assert loose == {name for name in TABLE if name not in (DICOM, ZARR)}
    assert {Path(name).name for name in files if name.startswith("broken/")} == set(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_one_line(
    slides: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "tifffile"):
        assert BROKEN[name] in refusal(slides / "broken" / name)
    assert not caplog.records


def read_all(path: Path) -> None:
    """Open a slide and read every level of it."""
    with open_slide(path, mpp=0.5) as slide:
        for level in slide.levels:
            slide.read(0, 0, slide.width, slide.height, mpp=0.5 * level.downsample)


def refusal(path: Path) -> str:
    """Return the one line that opening and reading everything ends in."""
    with pytest.raises(SlideError) as caught:
        read_all(path)
    text = str(caught.value)
    assert "\n" not in text
    assert path.name in text
    return text


@pytest.mark.parametrize("part", [0.003, 0.5, 0.9, 0.98])
@pytest.mark.parametrize(
    "name", [SVS, FROZEN, BREAST, "tiny/boxes.tiff", "tiny/boxes.png", "tiny/boxes_0.dcm"]
)
def test_a_truncated_copy_is_refused_in_one_line(
    slides: Path, tmp_path: Path, name: str, part: float
) -> None:
    data = (slides / name).read_bytes()
    copy = tmp_path / Path(name).name
    copy.write_bytes(data[: int(len(data) * part)])
    refusal(copy)


@pytest.mark.parametrize("allowed_elsewhere", [False, True])
def test_a_truncated_jpeg_is_refused_in_one_line(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed_elsewhere: bool
) -> None:
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", allowed_elsewhere)
    data = (slides / "breast/her2st-C2-0.686um.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 50])
    assert "truncated" in refusal(tmp_path / "cut.jpg")


def test_a_damaged_ome_zarr_spoils_only_its_own_box(slides: Path, tmp_path: Path) -> None:
    copy = tmp_path / ZARR
    shutil.copytree(slides / ZARR, copy, copy_function=shutil.copyfile)
    chunk = copy / "0/0/0/0/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[:1000])
    slide = open_slide(copy)
    with pytest.raises(SlideError, match="chunk"):
        slide.read(0, 0, 100, 100)
    assert slide.read(1100, 1100, 100, 100).std() > 0


@pytest.mark.parametrize("content", [b"", b"slide,label\n1,2\n", b"\x89PNG\r\n\x1a\n", b"II*\0"])
@pytest.mark.parametrize("name", ["slide.svs", "slide.mrxs", "slide.dcm", "slide.png"])
def test_what_is_no_image_is_refused_whatever_its_name(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    refusal(tmp_path / name)


def test_nothing_there_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "absent.svs")
    refusal(tmp_path)


def as_openslide(path: Path, mpp: float = 0.5) -> Slide:
    slide = open_slide(path, mpp=mpp)
    return Slide(slide.path, slide.mpp, OpenSlideBackend(path))


@pytest.mark.parametrize(("name", "tolerance"), [(SVS, 0), ("tiny/boxes.tiff", 0), (FROZEN, 0)])
def test_tifffile_and_openslide_agree_on_level_0(slides: Path, name: str, tolerance: int) -> None:
    ours, theirs = open_slide(slides / name, mpp=0.5), as_openslide(slides / name)
    for box in [
        (0, 0, 200, 200),
        (70, 40, 150, 130),
        (ours.width - 90, ours.height - 90, 100, 100),
    ]:
        assert furthest(ours.read(*box), theirs.read(*box)) <= tolerance
        assert furthest(ours.read(*box, mpp=0.8), theirs.read(*box, mpp=0.8)) <= tolerance


@pytest.mark.parametrize("name", [DICOM, ZARR])
def test_re_encoded_copies_show_the_same_picture(slides: Path, name: str) -> None:
    ours, copy = open_slide(slides / SVS), open_slide(slides / name)
    for box in [(100, 300, 400, 300), (1500, 2000, 400, 400)]:
        difference = np.abs(ours.read(*box, mpp=1).astype(int) - copy.read(*box, mpp=1))
        assert difference.mean() < 4


def furthest(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> int:
    return int(np.abs(first.astype(int) - second).max())


def test_openslide_recovers_from_a_bad_tile(slides: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.svs"
    shutil.copyfile(slides / SVS, path)
    with path.open("r+b") as file:
        file.seek(16)
        file.write(bytes(400))
    slide = as_openslide(path)
    whole = open_slide(slides / SVS)
    for _ in range(2):
        with pytest.raises(SlideError, match="tile"):
            slide.read(0, 0, 50, 50)
        assert np.array_equal(slide.read(1000, 1000, 90, 90), whole.read(1000, 1000, 90, 90))


def test_a_dicom_folder_and_each_of_its_files_are_one_slide(slides: Path) -> None:
    paths = [slides / DICOM, *sorted((slides / DICOM).iterdir())]
    found = [open_slide(path) for path in paths]
    assert len({slide.fingerprint for slide in found}) == 1
    assert {slide.width for slide in found} == {2220}
    assert all(len(slide.files) == 4 for slide in found)


def test_two_dicom_series_in_one_folder_need_a_choice(slides: Path, tmp_path: Path) -> None:
    for file in [*(slides / DICOM).iterdir(), *(slides / "tiny").glob("*.dcm")]:
        shutil.copyfile(file, tmp_path / file.name)
    assert "2 DICOM series" in refusal(tmp_path)
    assert open_slide(tmp_path / "boxes_0.dcm").width == 16


def test_the_declared_scale_of_a_level_is_not_believed(slides: Path) -> None:
    level = open_slide(slides / ZARR).levels[1]
    assert (level.downsample_x, level.downsample_y) == (2220 / 574, 2967 / 768)


def test_the_objective_is_known(slides: Path) -> None:
    assert open_slide(slides / SVS).objective_power == 20
