"""The map on disk: geometry, pyramids, states, and what a library that is not ours says of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_breastpath.core.errors import ResultError
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.results.halving import halve_max, halve_mean
from napari_breastpath.results.maps import MapStore, Piece

MPP = PixelSize(0.5, 0.25)
LATTICE = Lattice.over(3001, 4003, MPP, 2.0)
CLASSES = [("tumour", (200, 0, 0)), ("stroma", (0, 200, 0))]


@pytest.fixture
def store(tmp_path: Path) -> MapStore:
    return MapStore.create(tmp_path / "m.ome.zarr", LATTICE, MPP, CLASSES, (5, 7), at_least=3)


def test_a_map_opens_as_it_was_made(store: MapStore) -> None:
    again = MapStore(store.path, mode="r")
    assert again.lattice == LATTICE
    assert again.probability.levels[0].shape == (2, *LATTICE.shape)
    assert again.tile_state.shape == (5, 7)
    assert again.blocks == (2, 3)


def test_it_is_valid_ome_ngff(store: MapStore) -> None:
    from ome_zarr_models import open_ome_zarr

    image = open_ome_zarr(zarr.open_group(store.path, mode="r"))
    levels = image.attributes.ome.multiscales[0].datasets
    assert len(levels) == len(store.probability.levels) == 3
    scale, translation = levels[1].coordinateTransformations
    assert scale.scale == [1.0, 4.0, 4.0]
    assert translation.translation == [0.0, (4 - 0.25) / 2, (4 - 0.5) / 2]
    for name in ("mask", "edits", "tissue"):
        group = zarr.open_group(store.path / "labels" / name, mode="r")
        assert type(open_ome_zarr(group)).__name__ == "ImageLabel"


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 500), st.integers(0, 700), st.integers(1, 300), st.integers(1, 200))
def test_coarser_levels_follow_any_window(
    store: MapStore, row: int, column: int, height: int, width: int
) -> None:
    label = store.label("mask")
    height, width = min(height, LATTICE.height - row), min(width, LATTICE.width - column)
    random = np.random.default_rng(row + column)
    label.write(row, column, random.integers(0, 3, (height, width), np.uint8))
    for finer, coarser in zip(label.levels, label.levels[1:], strict=False):
        np.testing.assert_array_equal(coarser[:], halve_max(finer[:]))


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sets(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1), st.integers(0, 9))
def test_coarser_levels_follow_blocks_written_together(
    store: MapStore, blocks: set[tuple[int, int]], seed: int
) -> None:
    random, pyramid = np.random.default_rng(seed), store.probability
    pieces = []
    for rows, columns in (store.block_window(*block) for block in blocks):
        shape = 2, rows.stop - rows.start, columns.stop - columns.start
        pieces.append(Piece(rows.start, columns.start, random.integers(0, 256, shape, np.uint8)))
    pyramid.write_blocks(pieces)
    for piece in pieces:
        np.testing.assert_array_equal(pyramid.read(piece.rows, piece.columns), piece.values)
    for finer, coarser in zip(pyramid.levels, pyramid.levels[1:], strict=False):
        np.testing.assert_array_equal(coarser[:], halve_mean(finer[:]))


def test_averages_leave_out_what_was_not_inferred() -> None:
    values = np.array([[0, 100, 9], [0, 201, 0]], np.uint8)
    assert halve_mean(values).tolist() == [[151, 9]]
    assert halve_max(values).tolist() == [[201, 9]]


def test_states_survive(store: MapStore) -> None:
    state = store.block_state
    state[1, 2] = 1
    store.block_state = state
    assert MapStore(store.path).block_state.tolist() == [[0, 0, 0], [0, 0, 1]]


def test_another_zarr_is_refused_in_one_line(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "x.zarr")
    with pytest.raises(ResultError, match="not a probability map of this program"):
        MapStore(tmp_path / "x.zarr")
    with pytest.raises(ResultError):
        MapStore(tmp_path / "absent.zarr")
