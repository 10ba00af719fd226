"""Tiles read together, one below the other, are the tiles read alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_breastpath.inference import Grid
from napari_breastpath.inference.engine import Tile, columns_of, read_column, read_tile
from napari_breastpath.slides import Slide, open_slide

SIDE = 700


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Noise of 0.5 µm/px in JPEG tiles of 64 px."""
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    path = tmp_path / "noise.tif"
    tifffile.imwrite(path, pixels, tile=(64, 64), photometric="rgb", compression="jpeg")
    return path


def grid_of(slide: Slide, mpp: float, margin: int = 0) -> Grid:
    return Grid.over(slide.lattice(mpp), 64, 16, 2, margin)


def assert_same(together: list[Tile], alone: list[Tile]) -> None:
    for one, other in zip(together, alone, strict=True):
        assert (one.index, one.error) == (other.index, other.error)
        assert (one.pixels is None) == (other.pixels is None)
        if one.pixels is not None:
            np.testing.assert_array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(
    ("tiles", "longest", "columns"),
    [
        ([(0, 0), (1, 0), (2, 0)], 4, [3]),
        ([(0, 0), (1, 0), (2, 0)], 2, [2, 1]),
        ([(0, 0), (1, 0), (3, 0), (4, 0)], 4, [2, 2]),
        ([(0, 0), (1, 1), (2, 1)], 4, [1, 2]),
        ([(1, 0), (0, 0)], 4, [1, 1]),
        ([], 4, []),
    ],
)
def test_columns_keep_the_order(
    tiles: list[tuple[int, int]], longest: int, columns: list[int]
) -> None:
    found = list(columns_of(tiles, longest))
    assert [len(column) for column in found] == columns
    assert [tile for column in found for tile in column] == tiles


@pytest.mark.parametrize("margin", [0, 8])
@pytest.mark.parametrize("mpp", [0.5, 0.73, 1.0])
def test_tiles_of_a_column_have_the_bits_of_single_ones(
    path: Path, mpp: float, margin: int
) -> None:
    with open_slide(path, mpp=0.5) as slide:
        grid = grid_of(slide, mpp, margin)
        for first in (0, grid.shape[0] - 3):  # the last ones reach beyond the slide
            column = tuple((row, 1) for row in range(first, first + 3))
            alone = [read_tile(slide, grid, index) for index in column]
            assert_same(read_column(slide, grid, column), alone)


def test_only_the_tiles_over_a_damaged_chunk_fail(path: Path) -> None:
    with tifffile.TiffFile(path) as tif:
        page = tif.pages.first
        chunk = 5 * -(-SIDE // 64)  # the first of the sixth row
        start, length = page.dataoffsets[chunk], page.databytecounts[chunk]
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(length))
    with open_slide(path, mpp=0.5) as slide:
        grid = grid_of(slide, 0.5)
        column = tuple((row, 0) for row in range(4, 10))
        found = read_column(slide, grid, column)
        assert_same(found, [read_tile(slide, grid, index) for index in column])
    # Rows 320 to 384 of the slide; a tile begins every 48.
    assert [tile.index[0] for tile in found if tile.error] == [6, 7]
