"""What napari draws of a slide: the slide's own pixels, each decoded once, none for a lost view."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_breastpath.core.geometry import Level
from napari_breastpath.slides import Slide, open_slide
from napari_breastpath.viewer.drawn_levels import SOFTEST, drawn_levels, handy, nearest, pieces
from napari_breastpath.viewer.layers import make_layer, slide_layer
from napari_breastpath.viewer.slide_levels import MOVING_S, SlideView, load_resampling

SIDE = 2048


@dataclass
class Counted:
    """A backend that counts what it decodes."""

    backend: Any
    decoded: Counter[tuple[int, int, int]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def decode(self, *tile: int) -> Any:
        self.decoded[tile] += 1
        return self.backend.decode(*tile)


@pytest.fixture
def slide(tmp_path: Path) -> Iterator[Slide]:
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "slide.tif") as writer:
        for step in (1, 4):
            writer.write(
                pixels[::step, ::step],
                tile=(256, 256),
                photometric="rgb",
                subfiletype=int(step > 1),
                resolution=(2e4 / step, 2e4 / step),
                resolutionunit="CENTIMETER",
            )
    with open_slide(tmp_path / "slide.tif") as opened:
        yield replace(opened, backend=Counted(opened.backend, Counter()))


def decoded(slide: Slide) -> Counter[tuple[int, int, int]]:
    return slide.backend.decoded  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("window", [(0, 300, 0, 256), (250, 900, 511, 1025), (2000, 2048, 5, 6)])
def test_a_window_has_the_pixels_of_the_slide(slide: Slide, window: tuple[int, ...]) -> None:
    top, bottom, left, right = window
    level = SlideView(slide).levels[0]
    expected = slide.read(left, top, right - left, bottom - top)
    assert np.array_equal(level[top:bottom, left:right, :], expected)
    assert np.array_equal(level[top, left:right], expected[0])
    assert np.array_equal(level[top:bottom, left, 1], expected[:, 0, 1])


def test_levels_get_coarser_and_stored_ones_serve_early() -> None:
    stored = tuple(Level.of(n, 2 * n, 40_000, 80_000) for n in (40_000, 10_000, 2_500))
    levels = drawn_levels(stored)
    steps = [level.downsample for level, _ in levels]
    assert steps == sorted(set(steps))
    assert {round(4 / SOFTEST, 3): 1, round(16 / SOFTEST, 3): 2}.items() <= {
        round(level.downsample, 3): source for level, source in levels
    }.items()
    assert {1.0, 2.0, 4.0, 8.0, 16.0} <= {round(step, 3) for step in steps}


def test_every_tile_of_the_file_is_decoded_once_whatever_is_drawn(slide: Slide) -> None:
    levels = SlideView(slide).levels
    for window in ((0, 600), (100, 800), (0, 600)):
        for level in levels:
            level[slice(*window), slice(*window), :]
    assert set(decoded(slide).values()) == {1}


def test_a_level_between_reads_the_coarser_one_where_that_is_sharp_enough(slide: Slide) -> None:
    between = SlideView(slide).levels[3]
    assert between.shape[0] == round(SIDE / 4 * SOFTEST)
    between[:256, :256, :]
    assert {level for level, _, _ in decoded(slide)} == {1}


def test_a_piece_is_what_a_tile_of_the_file_gives(slide: Slide) -> None:
    for level in SlideView(slide).levels[:4]:
        before = len(decoded(slide))
        tall, wide = level.piece
        level[tall : 2 * tall, wide : 2 * wide, :]
        assert len(decoded(slide)) - before <= 1


@pytest.mark.parametrize(
    ("tile", "piece"), [(256, 256), (384, 384), (64, 128), (90, 180), (2048, 512), (1.4, 129)]
)
def test_pieces_are_of_a_handy_size(tile: float, piece: int) -> None:
    assert handy(tile) == piece


def test_nearest_pixels_of_another_level() -> None:
    here, there = Level.of(8, 8, 8, 8), Level.of(3, 2, 8, 8)
    rows, columns = nearest((2, 8, 0, 5), here, there)
    assert rows.tolist() == [0, 1, 1, 2, 2, 2]
    assert columns.tolist() == [0, 0, 0, 0, 1]


def test_a_picture_in_passing_is_made_of_the_decoded_level_most_like_it(slide: Slide) -> None:
    layer = make_layer(slide_layer(slide))
    layer._data_level, layer.corner_pixels = 0, np.array([[1024, 1024], [1279, 1279]])
    layer.data[0][0:256, 0:256, :]
    before = decoded(slide).copy()
    half = layer.data[2].picture((0, 256, 0, 256), passing=True)
    assert decoded(slide) == before
    assert np.array_equal(half[:128, :128], slide.read(0, 0, 256, 256)[1::2, 1::2])
    assert not np.array_equal(half[128:, :128], slide.read(0, 256, 256, 256)[1::2, 1::2])


def test_nothing_is_decoded_while_the_hand_zooms(slide: Slide) -> None:
    layer = make_layer(slide_layer(slide))
    window = np.array([[0, 0], [255, 255]])
    layer._data_level, layer.corner_pixels, layer.scale_factor = 0, window, 1.0
    before = decoded(slide).copy()
    with ThreadPoolExecutor(1) as slicing:
        asked = slicing.submit(layer.data[0].picture, (0, 256, 0, 256), passing=True)
        for _ in range(6):
            time.sleep(MOVING_S / 2)
            layer.scale_factor *= 0.9
        assert decoded(slide) == before
        assert np.array_equal(asked.result(), slide.read(0, 0, 256, 256))


def test_loops_of_resampling_are_loaded_once() -> None:
    thread = load_resampling(3, np.dtype(np.uint8))
    assert load_resampling(3, np.dtype(np.uint8)) is thread
    thread.join()


def test_a_view_that_is_gone_is_blurred_not_read_and_read_when_it_is_back(slide: Slide) -> None:
    layer = make_layer(slide_layer(slide))
    finest = layer.data[0]
    before = decoded(slide).copy()
    layer._data_level, layer.corner_pixels = 0, np.array([[1024, 1024], [1279, 1279]])
    blurred = finest.picture((0, 512, 0, 256), passing=True)
    assert decoded(slide) == before
    coarse = slide.pyramid()[-1].compute()
    assert np.array_equal(blurred[:4, :4], np.broadcast_to(coarse[0, 0], (4, 4, 3)))
    layer.corner_pixels = np.array([[0, 0], [511, 255]])
    sharp = finest.picture((0, 512, 0, 256), passing=True)
    assert np.array_equal(sharp, slide.read(0, 0, 256, 512))


def test_what_was_seen_stays_sharp_in_a_view_that_is_gone(slide: Slide) -> None:
    layer = make_layer(slide_layer(slide))
    layer._data_level, layer.corner_pixels = 0, np.array([[0, 0], [255, 255]])
    seen = layer.data[0][0:256, 0:256, :]
    layer.corner_pixels = np.array([[1024, 1024], [1279, 1279]])
    wider = layer.data[0].picture((0, 256, 0, 512), passing=True)
    assert np.array_equal(wider[:, :256], seen)
    assert not np.array_equal(wider[:, 256:], slide.read(256, 0, 256, 256))


def test_who_does_not_draw_gets_the_pixels_whatever_is_in_view(slide: Slide) -> None:
    layer = make_layer(slide_layer(slide))
    layer._data_level, layer.corner_pixels = 0, np.array([[1024, 1024], [1279, 1279]])
    assert np.array_equal(layer.data[0][0:256, 0:512, :], slide.read(0, 0, 512, 256))


def test_a_copied_layer_reads_for_itself(slide: Slide) -> None:
    layer = make_layer(slide_layer(slide))
    layer._data_level, layer.corner_pixels = 0, np.array([[1024, 1024], [1279, 1279]])
    copied = copy.deepcopy(list(layer.data))
    assert np.array_equal(copied[0][0:8, 0:8, :], slide.read(0, 0, 8, 8))
    assert np.asarray(copied[-1]).shape == layer.data[-1].shape


def test_pieces_cover_a_window_once() -> None:
    covered = np.zeros((1024, 1280), int)
    for top, bottom, left, right in pieces((250, 900, 511, 1025), (256, 192)):
        covered[top:bottom, left:right] += 1
    assert covered[250:900, 511:1025].all()
    assert covered.sum() == 650 * 514
