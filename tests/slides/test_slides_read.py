"""`Slide.read`: area means on a grid, the same bits however they are cut."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests_slides_tools import cut, integral_mean, noise, tiff

from napari_breastpath.core.errors import SlideError
from napari_breastpath.slides import Slide, open_slide

HEIGHT, WIDTH = 201, 263
STEPS = st.sampled_from([0.37, 0.7, 1.0, 1.3, 2.0, 2.0005, 2.9, 3.0, 7.77])


@pytest.fixture(scope="module")
def image() -> NDArray[np.uint8]:
    return noise(HEIGHT, WIDTH, 3)


@pytest.fixture(scope="module")
def slide(image: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Slide:
    return open_slide(tiff(tmp_path_factory.mktemp("read") / "slide.tif", image), mpp=1.0)


@settings(deadline=None, max_examples=60)
@given(
    step_x=STEPS,
    step_y=STEPS,
    x=st.floats(-60, WIDTH),
    y=st.floats(-60, HEIGHT),
    columns=st.integers(1, 40),
    rows=st.integers(1, 40),
)
def test_each_pixel_is_the_area_mean_of_its_footprint(
    slide: Slide,
    image: NDArray[np.uint8],
    step_x: float,
    step_y: float,
    x: float,
    y: float,
    columns: int,
    rows: int,
) -> None:
    got = slide.read(x, y, columns * step_x, rows * step_y, mpp=(step_x, step_y))
    expected = integral_mean(image, x, y, columns, rows, step_x, step_y)
    assert got.shape == (rows, columns, 3)
    assert np.abs(got - expected).max() <= 0.51


@settings(deadline=None, max_examples=60)
@given(
    step=STEPS,
    first=st.tuples(st.integers(-9, 30), st.integers(-9, 30)),
    phase=st.sampled_from([0.0, 0.25, 0.37]),
    size=st.tuples(st.integers(2, 60), st.integers(2, 60)),
    data=st.data(),
)
def test_a_large_read_cut_up_equals_small_reads(
    slide: Slide,
    step: float,
    first: tuple[int, int],
    phase: float,
    size: tuple[int, int],
    data: st.DataObject,
) -> None:
    (row, column), (rows, columns) = first, size
    lattice = slide.lattice(step)

    def read(top: int, left: int, height: int, width: int) -> NDArray[Any]:
        box = lattice.box(top + phase, left + phase, height, width)
        return slide.read(box.x, box.y, box.width, box.height, mpp=step)

    whole = read(row, column, rows, columns)
    for top, bottom in cut(rows, data):
        for left, right in cut(columns, data):
            part = read(row + top, column + left, bottom - top, right - left)
            assert np.array_equal(part, whole[top:bottom, left:right])


def test_blocks_of_a_long_read_leave_no_seam(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    box = (3.3, 5.1, 250, 190)
    at_once = slide.read(*box, mpp=1.37)
    monkeypatch.setattr("napari_breastpath.slides.slide.BLOCK_PX", 50)
    assert np.array_equal(slide.read(*box, mpp=1.37), at_once)


@pytest.mark.parametrize(
    ("size", "mpp", "expected"),
    [
        ((10, 20), None, (20, 10)),
        ((10, 20), 1.0, (20, 10)),
        ((10, 20), 3.0, (7, 3)),
        ((10, 20), (2.0, 5.0), (4, 5)),
        ((10, 20), 100.0, (1, 1)),
        ((10, 20), 0.5, (40, 20)),
    ],
)
def test_the_output_has_the_asked_size(
    slide: Slide,
    size: tuple[int, int],
    mpp: float | tuple[float, float] | None,
    expected: tuple[int, int],
) -> None:
    assert slide.read(0, 0, *size, mpp=mpp).shape[:2] == expected


def test_beyond_the_edge_is_white_and_inside_untouched(
    slide: Slide, image: NDArray[np.uint8]
) -> None:
    got = slide.read(-5, -7, WIDTH + 10, HEIGHT + 14)
    assert np.array_equal(got[7:-7, 5:-5], image)
    got[7:-7, 5:-5] = 255
    assert (got == 255).all()
    assert (slide.read(5000, 5000, 30, 20, mpp=2.5) == 255).all()


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, 5, -1), (float("nan"), 0, 5, 5)])
def test_a_box_without_pixels_is_refused(slide: Slide, box: tuple[float, ...]) -> None:
    with pytest.raises(SlideError, match="no pixels"):
        slide.read(*box)


@pytest.mark.parametrize("mpp", [0.0, -1.0, float("inf"), (1.0, float("nan"))])
def test_an_impossible_pixel_size_is_refused(slide: Slide, mpp: Any) -> None:
    with pytest.raises(SlideError, match="µm/px"):
        slide.read(0, 0, 9, 9, mpp=mpp)


def test_what_is_read_belongs_to_the_caller(slide: Slide, image: NDArray[np.uint8]) -> None:
    slide.read(0, 0, 30, 30)[:] = 0
    assert np.array_equal(slide.read(0, 0, 30, 30), image[:30, :30])


def test_the_level_just_fine_enough_is_read(tmp_path: Path) -> None:
    grey = [np.full((256 >> n, 512 >> n, 3), 10 + 50 * n, np.uint8) for n in range(3)]
    slide = open_slide(tiff(tmp_path / "levels.tif", *grey), mpp=0.25)
    seen = {
        mpp: int(slide.read(0, 0, 64, 64, mpp=mpp)[0, 0, 0]) for mpp in (0.25, 0.49, 0.5, 0.9, 1, 9)
    }
    assert seen == {0.25: 10, 0.49: 10, 0.5: 60, 0.9: 60, 1: 110, 9: 110}


def test_anisotropic_pixels_come_out_square(tmp_path: Path) -> None:
    image = noise(120, 60, 3)
    slide = open_slide(tiff(tmp_path / "tall.tif", image), mpp=(1.0, 0.5))
    got = slide.read(0, 0, 60, 120, mpp=1.0)
    assert got.shape == (60, 60, 3)
    assert np.abs(got - image.reshape(60, 2, 60, 3).mean(1)).max() <= 0.5
    assert slide.lattice(1.0).shape == (60, 60)


def test_many_threads_read_what_one_reads(tmp_path: Path) -> None:
    image = noise(600, 700, 3)
    with open_slide(tiff(tmp_path / "threads.tif", image, compression="deflate"), mpp=1.0) as slide:
        corners = [(x, y) for y in range(0, 560, 40) for x in range(0, 660, 40)] * 3
        with ThreadPoolExecutor(8) as pool:
            tiles = list(pool.map(lambda at: slide.read(*at, 40, 40), corners))
    assert all(
        np.array_equal(tile, image[y : y + 40, x : x + 40])
        for tile, (x, y) in zip(tiles, corners, strict=True)
    )


def test_a_slide_travels_to_another_process(tmp_path: Path) -> None:
    path = tiff(tmp_path / "pickle.tif", noise(90, 90, 3))
    slide = open_slide(path, mpp=(0.3, 0.4))
    twin = pickle.loads(pickle.dumps(slide))
    assert twin.mpp == slide.mpp
    assert twin.fingerprint == slide.fingerprint
    assert np.array_equal(twin.read(3, 4, 50, 50, mpp=1), slide.read(3, 4, 50, 50, mpp=1))


def test_the_thumbnail_shows_everything(slide: Slide, image: NDArray[np.uint8]) -> None:
    small = slide.thumbnail(100)
    assert small.shape == (76, 100, 3)
    assert abs(small.mean() - image.mean()) < 0.5
    assert np.array_equal(slide.thumbnail(10_000), image)
