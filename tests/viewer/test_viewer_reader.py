"""What napari is given for a path: slides, results, small plain images, or one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from viewer_results import make_result

from napari_breastpath.core.errors import BreastPathError, PixelSizeError, SlideError
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import reader
from napari_breastpath.viewer.layers import TAG
from napari_breastpath.viewer.slide_levels import SlideLevel

RGB = np.full((64, 96, 3), 200, np.uint8)


def write(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, pixels, **options)
    return path


def read(path: Path) -> list[Any]:
    read_it = reader.get_reader(str(path))
    assert read_it is not None
    return read_it(str(path))


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("a.svs", True),
        ("A.SVS", True),
        ("a.ome.tif", True),
        (["a.ndpi"], True),
        (["a.svs", "b.svs"], False),
        ([], False),
        ("a.txt", False),
        ("", False),
        ("a.breastpath", False),
    ],
)
def test_which_paths_are_ours_without_looking_inside(path: Any, ours: bool) -> None:
    assert (reader.get_reader(path) is not None) == ours


def test_a_slide_comes_lazily_in_micrometres_with_its_facts() -> None:
    ((levels, arguments, kind),) = read(sample_slide_path())
    assert (kind, arguments["units"], arguments["rgb"]) == ("image", ("um", "um"), True)
    assert all(isinstance(level, SlideLevel) for level in levels)
    assert arguments["scale"] == (0.5, 0.5)
    metadata = arguments["metadata"]
    assert (metadata["mpp_source"], metadata["vendor"]) == ("header", "generic-tiff")


def test_a_result_comes_with_its_slide(tmp_path: Path) -> None:
    result = make_result(tmp_path, slide=open_slide(sample_slide_path()))
    assert roles(read(result.path)) == ["slide", "probability"]
    result.save(status="complete")
    assert roles(read(result.path)) == ["slide", "probability", "tissue", "mask", "regions"]


def roles(layers: list[Any]) -> list[str]:
    return [arguments["metadata"][TAG]["role"] for _, arguments, _ in layers]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("empty.svs", b"", SlideError),
        ("text.svs", b"no slide", SlideError),
        ("missing.svs", None, SlideError),
        ("cut.tif", b"II*\0\x10\0\0\0", SlideError),
    ],
)
def test_what_cannot_be_read_is_one_line_where_there_is_no_window(
    tmp_path: Path, name: str, content: bytes | None, error: type[BreastPathError]
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_slide_without_pixel_size_says_so_where_nobody_can_be_asked(tmp_path: Path) -> None:
    with pytest.raises(PixelSizeError):
        read(write(tmp_path / "plain.tif", RGB, photometric="rgb"))


def test_a_small_image_that_is_no_slide_opens_as_napari_would(tmp_path: Path) -> None:
    stack = np.arange(4 * 50 * 60, dtype=np.float32).reshape(4, 50, 60)
    ((data, *_),) = read(write(tmp_path / "stack.tif", stack, photometric="minisblack"))
    assert np.array_equal(np.asarray(data), stack)


def test_a_big_image_that_is_no_slide_is_refused_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "PLAIN_LIMIT_BYTES", 1000)
    with pytest.raises(SlideError):
        read(write(tmp_path / "stack.tif", np.zeros((4, 50, 60), np.float32)))
