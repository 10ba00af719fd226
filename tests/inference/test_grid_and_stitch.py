"""Tiles, blending and planning, without a slide or a network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.inference.grid import Grid, tiles_touching
from napari_breastpath.inference.plan import (
    first_blocks,
    initial_states,
    plan_addition,
    plan_run,
)
from napari_breastpath.inference.stitch import Blender, Blocks, quantize
from napari_breastpath.inference.writer import enlarged
from napari_breastpath.results.maps import DONE, FAILED, SKIPPED, TODO

SIDES = st.integers(1, 1500)


def make_grid(width: int, height: int, overlap: int = 32, stride: int = 2, tile: int = 256) -> Grid:
    lattice = Lattice.over(width, height, PixelSize(1.0, 1.0), 1.0)
    return Grid.over(lattice, tile, overlap, stride)


@given(SIDES, SIDES, st.sampled_from([0, 32, 64]))
def test_tiles_cover_the_map_and_none_is_needless(width: int, height: int, overlap: int) -> None:
    grid = make_grid(width, height, overlap)
    seen = np.zeros(grid.map_lattice.shape, int)
    rows, columns = grid.shape
    for r in range(rows):
        for c in range(columns):
            window = grid.window(r, c)
            assert all(s.start < s.stop for s in window)
            seen[window] += 1
    assert seen.min() >= 1


@settings(deadline=None)
@given(SIDES, SIDES, st.integers(0, 2**31), st.sampled_from([1, 2, 4]))
def test_a_tile_runs_when_any_tissue_pixel_falls_in_it(
    width: int, height: int, seed: int, factor: int
) -> None:
    grid = make_grid(width, height)
    random = np.random.default_rng(seed)
    mask = random.random(grid.map_lattice.coarser(factor).shape) < 0.0005
    fine = enlarged(
        mask, factor, slice(0, grid.map_lattice.height), slice(0, grid.map_lattice.width)
    )
    touching = tiles_touching(grid, mask, factor)
    for (r, c), runs in np.ndenumerate(touching):
        assert runs == fine[grid.window(r, c)].any()


@settings(deadline=None)
@given(SIDES, SIDES, st.sampled_from([32, 64, 256]))
def test_blocks_and_tiles_know_each_other(width: int, height: int, chunk: int) -> None:
    grid = make_grid(width, height)
    blocks = Blocks(grid, chunk)
    pairs = {
        (block, (r, c))
        for r in range(grid.shape[0])
        for c in range(grid.shape[1])
        for block in blocks.of_tile((r, c))
    }
    again = {
        ((i, j), tile)
        for i in range(blocks.shape[0])
        for j in range(blocks.shape[1])
        for tile in blocks.tiles((i, j))
    }
    assert pairs == again


def blend(grid: Grid, chunk: int, values: np.ndarray, missing: set[tuple[int, int]]) -> np.ndarray:
    """Blend tiles cut from `values` (y, x) back together."""
    blocks = Blocks(grid, chunk)
    tiles = blocks.order(np.ndindex(*grid.shape), {(0, 0), (2, 1)})
    blender = Blender(blocks, tiles, {b for t in tiles for b in blocks.of_tile(t)}, 1)
    out = np.full(grid.map_lattice.shape, -1.0, np.float32)
    for tile in tiles:
        answer = np.zeros((1, grid.map_tile, grid.map_tile), np.float32)
        piece = values[grid.window(*tile)]
        answer[0, : piece.shape[0], : piece.shape[1]] = piece
        for block, mean in blender.add(tile, None if tile in missing else answer):
            assert (out[blocks.window(block)] == -1).all(), "a block is finished once"
            out[blocks.window(block)] = mean[0]
    return out


@settings(deadline=None, max_examples=25)
@given(SIDES, SIDES, st.sampled_from([64, 256]))
def test_blending_tiles_of_one_picture_gives_the_picture(
    width: int, height: int, chunk: int
) -> None:
    grid = make_grid(width, height)
    picture = np.random.default_rng(1).random(grid.map_lattice.shape).astype(np.float32)
    np.testing.assert_allclose(blend(grid, chunk, picture, set()), picture, atol=1e-5)


def test_pixels_that_no_tile_reached_are_not_a_number() -> None:
    grid = make_grid(600, 600)
    picture = np.full(grid.map_lattice.shape, 0.5, np.float32)
    out = blend(grid, 64, picture, {(0, 0)})
    assert np.isnan(out[0, 0])
    assert out[-1, -1] == pytest.approx(0.5)
    assert out[grid.map_pitch, 0] == pytest.approx(0.5), "a neighbour's overlap fills in"


def most_held(width: int, first: set[tuple[int, int]], chunk: int = 512) -> int:
    """Return the largest number of bytes held while a map of that width is blended."""
    blocks = Blocks(make_grid(width, 4096), chunk)
    tiles = blocks.order(np.ndindex(*blocks.grid.shape), first)
    blender = Blender(blocks, tiles, {b for t in tiles for b in blocks.of_tile(t)}, 1)
    answer = np.zeros((1, blocks.grid.map_tile, blocks.grid.map_tile), np.float32)
    held = []
    for tile in tiles:
        blender.add(tile, answer)
        held.append(blender.nbytes)
    return max(held)


def test_what_waits_is_one_strip_of_overlap_and_a_few_blocks() -> None:
    narrow, wide = most_held(4096, set()), most_held(16384, set())
    strip = (16384 - 4096) // 2 * make_grid(99, 99).map_tile * 4 * 2
    assert wide - narrow <= strip
    assert narrow <= 4 * 512 * 512 * 4 * 2 + strip


def test_around_a_block_that_comes_first_waits_a_ring_of_tiles() -> None:
    tile = make_grid(99, 99).map_tile
    block, with_ring = 512**2 * 4 * 2, (512 + 2 * tile) ** 2 * 4 * 2
    coarse = most_held(16384, {(1, 1), (1, 5), (1, 9), (1, 13)})
    assert coarse <= most_held(16384, set()) + 4 * (with_ring - block) + block


def test_quantising_keeps_zero_for_what_was_not_inferred() -> None:
    stored = quantize(np.array([[0.0, 0.5, 1.0, np.nan]]), np.array([[True, True, True, False]]))
    assert stored.tolist() == [[1, 128, 255, 0]]


def test_a_resumed_run_infers_unfinished_blocks_and_one_ring_around_them() -> None:
    blocks = Blocks(make_grid(2000, 2000), 256)
    wanted = np.ones(blocks.grid.shape, bool)
    states = np.full(wanted.shape, DONE, np.uint8)
    finished = np.ones(blocks.shape, np.uint8)
    finished[1, 1] = 0
    plan = plan_run(blocks, wanted, states, finished)
    assert plan.blocks == {(1, 1)}
    assert set(plan.tiles) == set(blocks.tiles((1, 1)))
    assert plan.again == len(plan.tiles)
    assert not plan_run(blocks, wanted, states, np.ones_like(finished)).tiles


def test_failed_tiles_are_tried_again() -> None:
    blocks = Blocks(make_grid(2000, 2000), 256)
    states = np.full(blocks.grid.shape, DONE, np.uint8)
    states[3, 3] = FAILED
    plan = plan_run(blocks, states >= 0, states, np.ones(blocks.shape, np.uint8))
    assert (3, 3) in plan.tiles
    assert plan.blocks == set(blocks.of_tile((3, 3)))


def test_the_order_of_tiles_does_not_depend_on_which_run() -> None:
    blocks = Blocks(make_grid(2000, 1500), 256)
    everything = blocks.order(np.ndindex(*blocks.grid.shape))
    some = everything[::3]
    assert blocks.order(reversed(some)) == some
    coarse = blocks.order(everything, {(1, 2)})
    assert set(coarse[: len(set(blocks.tiles((1, 2))))]) == set(blocks.tiles((1, 2)))
    assert blocks.order(reversed(coarse[::3]), {(1, 2)}) == coarse[::3]


def test_the_fullest_block_of_every_group_with_tissue_comes_first() -> None:
    blocks = Blocks(make_grid(4096, 2048), 128)
    tissue = np.zeros((256, 512), bool)
    tissue[0:20, 0:60] = True  # blocks (0, 0) and (0, 1); the first is full across
    tissue[200:201, 500] = True
    assert first_blocks(blocks, tissue, 4) == {(0, 0), (6, 15)}
    wanted = tiles_touching(blocks.grid, tissue, 4)
    states = np.zeros(blocks.grid.shape, np.uint8)
    plan = plan_run(blocks, wanted, states, np.zeros(blocks.shape, np.uint8), {(6, 15)})
    assert (6, 15) in set(blocks.of_tile(plan.tiles[0]))


def test_added_tissue_runs_only_tiles_that_reach_it() -> None:
    blocks = Blocks(make_grid(3000, 3000), 256)
    states = np.full(blocks.grid.shape, DONE, np.uint8)
    states[5, 5] = TODO
    added = np.zeros(states.shape, bool)
    added[5, 5] = added[5, 6] = True
    plan = plan_addition(blocks, np.ones(states.shape, bool), added, states)
    assert plan.tiles == [(5, 5), (5, 6)]
    assert plan.fill
    assert plan.again == 1


def test_tiles_without_tissue_are_skipped_and_come_back_with_it() -> None:
    states = np.array([[TODO, SKIPPED, DONE, DONE]], np.uint8)
    wanted = np.array([[False, True, True, False]])
    assert initial_states(wanted, states).tolist() == [[SKIPPED, TODO, DONE, DONE]]


@pytest.mark.parametrize(("tile", "overlap"), [(256, 256), (256, -2), (255, 32), (256, 33)])
def test_a_grid_that_does_not_fit_the_stride_is_refused(tile: int, overlap: int) -> None:
    with pytest.raises(ValueError, match=r"overlap|multiples"):
        make_grid(1000, 1000, overlap, 2, tile)
