"""The parts of the room by themselves: cache, pyramid, fingerprint, flat images."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests_slides_tools import noise, tiff

from napari_breastpath.core.errors import SlideError
from napari_breastpath.core.geometry import Level
from napari_breastpath.slides import open_slide
from napari_breastpath.slides.backend import Pixels
from napari_breastpath.slides.cache import ChunkCache
from napari_breastpath.slides.fingerprint import fingerprint
from napari_breastpath.slides.openslide_backend import cropped_levels, read_header
from napari_breastpath.slides.pyramid import display_levels


def test_a_chunk_wanted_by_many_threads_is_decoded_once() -> None:
    cache, calls, gate = ChunkCache(), list[int](), threading.Barrier(6)

    def decode() -> Pixels:
        calls.append(1)
        time.sleep(0.05)
        return np.zeros((4, 4, 3), np.uint8)

    def ask(_: int) -> Pixels | None:
        gate.wait()
        return cache.get("chunk", decode)

    with ThreadPoolExecutor(6) as pool:
        chunks = list(pool.map(ask, range(6)))
    assert len(calls) == 1
    assert all(chunk is chunks[0] for chunk in chunks)


def test_the_cache_forgets_what_was_used_longest_ago() -> None:
    cache, decoded = ChunkCache(capacity_bytes=250), list[str]()

    def get(key: str) -> None:
        cache.get(key, lambda: decoded.append(key) or np.zeros((10, 10, 1), np.uint8))

    for key in ["a", "b", "a", "c", "a", "b"]:
        get(key)
    assert decoded == ["a", "b", "c", "b"]


def test_an_error_is_told_and_not_kept() -> None:
    cache = ChunkCache()
    with pytest.raises(ValueError, match="bad"):
        cache.get("chunk", lambda: (_ for _ in ()).throw(ValueError("bad")))
    assert cache.get("chunk", lambda: None) is None


@given(
    width=st.integers(1, 120_000), height=st.integers(1, 120_000), step=st.sampled_from([2, 4, 16])
)
def test_a_viewer_gets_small_steps_down_to_a_small_level(
    width: int, height: int, step: int
) -> None:
    stored = tuple(
        Level.of(max(1, height // step**n), max(1, width // step**n), height, width)
        for n in range(2)
    )
    levels = display_levels(stored)
    assert set(stored) <= set(levels)
    assert max(levels[-1].shape) <= 2048
    for finer, coarser in itertools.pairwise(levels):
        if min(coarser.shape) > 10:
            assert 1 < coarser.downsample / finer.downsample < 4.3


def test_synthesised_levels_show_the_same_picture(tmp_path: Path) -> None:
    image = noise(2100, 900, 3)
    slide = open_slide(tiff(tmp_path / "a.tif", image), mpp=1)
    fine, coarse = slide.pyramid()
    assert np.array_equal(fine.compute(), image)
    assert coarse.shape == (1050, 450, 3)
    assert np.abs(coarse.compute() - image.reshape(1050, 2, 450, 2, 3).mean((1, 3))).max() <= 0.51


def test_a_fingerprint_follows_content_not_name(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(3 * 2**20)
    for name, content in {"a": data, "b": data, "c": data[:-1] + b"\0", "d": data + b"\0"}.items():
        (tmp_path / name).write_bytes(content)
    prints = {name: fingerprint([tmp_path / name]) for name in "abcd"}
    assert prints["a"] == prints["b"]
    assert len(set(prints.values())) == 3
    assert fingerprint([], ["2", "1"]) == fingerprint([tmp_path / "a"], ["1", "2"])


@pytest.mark.parametrize(
    ("mode", "pixel", "seen"),
    [
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("L", 40, (40, 40, 40)),
        ("RGBA", (0, 0, 0, 0), (255, 255, 255)),
        ("LA", (0, 51), (204, 204, 204)),
        ("1", 1, (255, 255, 255)),
    ],
)
def test_flat_images_of_every_mode_are_rgb(
    tmp_path: Path, mode: str, pixel: int | tuple[int, ...], seen: tuple[int, ...]
) -> None:
    Image.new(mode, (7, 5), pixel).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", magnification=40) as slide:
        assert slide.read(0, 0, 7, 5)[2, 2].tolist() == list(seen)
        assert len(slide.levels) == 1


def test_a_flat_16_bit_image_is_a_mammogram(tmp_path: Path) -> None:
    grey = noise(50, 60, dtype="uint16")
    Image.fromarray(grey).save(tmp_path / "a.png")
    slide = open_slide(tmp_path / "a.png", mpp=50)
    assert np.array_equal(slide.read(0, 0, 60, 50), grey)


def test_a_flat_image_over_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    monkeypatch.setattr("napari_breastpath.slides.flat.MAX_FLAT_PX", 1999)
    with pytest.raises(SlideError, match="pyramid"):
        open_slide(tmp_path / "a.png", mpp=1)


def test_openslides_bounds_become_the_origin() -> None:
    class Handle:
        level_dimensions = ((1000, 2000), (500, 1000))
        level_downsamples = (1.0, 2.0)

    properties = {
        "openslide.vendor": "mirax",
        "openslide.bounds-x": "100",
        "openslide.bounds-y": "40",
        "openslide.bounds-width": "301",
        "openslide.bounds-height": "600",
        "openslide.mpp-x": "0.25",
        "openslide.mpp-y": "0.5",
    }
    header = read_header(properties)
    levels, _ = cropped_levels(Handle(), properties)
    assert header.bounds_offset == (100.0, 40.0)
    assert [(claim.x, claim.y) for claim in header.claims] == [(0.25, 0.5)]
    assert [(level.shape, level.downsample) for level in levels] == [
        ((600, 301), 1.0),
        ((300, 150), 2.0),
    ]
