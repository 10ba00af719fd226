"""Tools on a result whose model found two blocks with holes, islands and a neighbour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edits_results import MPP, THREE, check_on_disk, make_result, opened, square, stored
from scipy import ndimage

from napari_breastpath.edits import Change, Corrections, operations, region_at, tools
from napari_breastpath.results.maps import ERASED

EIGHT = np.ones((3, 3))
SHAPE = (420, 391)
BIG = (slice(20, 60), slice(30, 90))
HOLE = (slice(30, 34), slice(40, 44))
OTHER = (slice(20, 60), slice(100, 140))
ISLAND = (slice(80, 83), slice(30, 34))
SNAKE = (slice(200, 203), slice(5, 385))
IN_SITU = (slice(20, 60), slice(90, 95))


@pytest.fixture
def hands(tmp_path: Path) -> Corrections:
    """Corrections of a result of three classes; the second is found in blocks."""
    heat = np.full((3, *SHAPE), 5, np.uint8)
    heat[0] = 200
    for window in (BIG, OTHER, ISLAND, SNAKE):
        heat[1][window] = 250
    heat[1][HOLE] = 5
    heat[2][IN_SITU] = 240
    return opened(make_result(tmp_path / "r", SHAPE, THREE, heat))


def mask(hands: Corrections) -> np.ndarray:
    return stored(hands.result, "mask")


def at(hands: Corrections, row: int, column: int):
    region = region_at(hands, row, column)
    assert region is not None
    return region


def do(hands: Corrections, change: Change | None) -> np.ndarray:
    """Apply a change and return where it changed the mask, with the values there."""
    assert change is not None
    before = mask(hands)
    assert hands.apply(change, "tool") is not None
    check_on_disk(hands.result, stored(hands.result, "edits"))
    return np.where(mask(hands) != before, mask(hands).astype(int), -1)


def only(values: np.ndarray, where: np.ndarray, value: int) -> None:
    """Hold that exactly `where` became `value`."""
    np.testing.assert_array_equal(values, np.where(where, value, -1))


def box(*window: slice) -> np.ndarray:
    where = np.zeros(SHAPE, bool)
    where[window] = True
    return where


@pytest.mark.parametrize("row", [201, 199, 204])
@pytest.mark.parametrize("column", [6, 200, 383])
def test_a_region_is_found_whole_from_any_of_its_pixels_and_beside(
    hands: Corrections, row: int, column: int
) -> None:
    region = at(hands, row, column)
    assert (region.row, region.column, region.class_value) == (200, 5, 2)
    assert region.mask.shape == (3, 380)
    assert region.mask.all()


def test_where_no_region_is_near_there_is_none(hands: Corrections) -> None:
    for row, column in ((206, 200), (32, 42), (-50, 3), (5000, 5000)):
        assert region_at(hands, row, column, within_px=1) is None
    assert at(hands, 40, 92).class_value == 3


def test_regions_equal_scipy_s_on_a_random_mask(tmp_path: Path) -> None:
    drawn = np.random.default_rng(4).standard_normal(SHAPE)
    noise = ndimage.gaussian_filter(drawn, 4)
    heat = np.where(noise > 0.002, 250, 5).astype(np.uint8)
    hands = opened(make_result(tmp_path / "r", SHAPE, heat=heat[None]))
    labels, count = ndimage.label(heat > 127, EIGHT)
    assert count > 5
    for window, label in zip(ndimage.find_objects(labels), range(1, count + 1), strict=True):
        row, column = np.argwhere(labels == label)[-1]
        region = at(hands, int(row), int(column))
        assert (region.rows, region.columns) == window
        np.testing.assert_array_equal(region.mask, labels[window] == label)


def test_holes_are_filled_with_the_region_s_class(hands: Corrections) -> None:
    only(do(hands, tools.fill_holes_in(hands, at(hands, 20, 30))), box(*HOLE), 2)
    assert tools.fill_holes_in(hands, at(hands, 20, 30)) is None


def test_a_hole_of_another_class_keeps_it(hands: Corrections) -> None:
    hands.apply(square(30, 40, 2, 4, 3), "brush")
    filled = do(hands, tools.fill_holes_in(hands, at(hands, 20, 30)))
    only(filled, box(slice(32, 34), slice(40, 44)), 2)


def test_growing_leaves_other_classes_alone(hands: Corrections) -> None:
    region = at(hands, 20, 30)
    changed = do(hands, tools.grow_region(hands, region, 15.0))
    own = box(*BIG) & ~box(*HOLE)
    wide = operations.grow(own, 15.0, MPP) & ~own
    only(changed, wide & ~box(*IN_SITU) & ~box(*OTHER), 2)


def test_shrinking_erases_the_rim_only(hands: Corrections) -> None:
    changed = do(hands, tools.grow_region(hands, at(hands, 30, 120), -6.5))
    only(changed, box(*OTHER) & ~box(slice(22, 58), slice(103, 137)), 0)


def test_smoothing_takes_spikes_and_fills_dents(hands: Corrections) -> None:
    hands.apply(square(40, 140, 1, 15, 2), "brush")
    hands.apply(square(60 - 1, 120, 1, 1, ERASED), "eraser")
    changed = do(hands, tools.smooth_region(hands, at(hands, 30, 120), 12.0))
    assert (changed[40, 143:155] == 0).all()
    assert changed[59, 120] == 2
    assert (changed[24:56, 104:136] == -1).all()


@pytest.mark.parametrize("width_um", [0.0, 20.0])
def test_splitting_leaves_two_regions(hands: Corrections, width_um: float) -> None:
    changed = do(
        hands, tools.split_region(hands, at(hands, 201, 9), [(190, 100), (210, 131)], width_um)
    )
    assert set(np.unique(changed)) == {-1, 0}
    assert at(hands, 201, 9).mask.sum() < 3 * 130
    assert at(hands, 201, 300).column > 100
    assert not (changed != -1)[box(*SNAKE) == 0].any()
    assert tools.split_region(hands, at(hands, 201, 9), [(0, 0), (5, 5)], width_um) is None


def test_merging_bridges_what_lies_between(hands: Corrections) -> None:
    hands.apply(square(20, 90, 40, 5, ERASED), "eraser")
    assert at(hands, 30, 31).mask.shape == (40, 60)
    changed = do(hands, tools.merge_regions(hands, (40.5, 89.5), (45.5, 100.5), 1.0))
    assert at(hands, 30, 31).mask.shape == (40, 110)
    assert set(np.unique(changed)) == {-1, 2}
    assert (np.argwhere(changed == 2)[:, 1] >= 90).all()
    assert (np.argwhere(changed == 2)[:, 1] < 100).all()
    assert tools.merge_regions(hands, (40, 89), (150, 150), 1.0) is None


def test_deleting_then_reverting_gives_the_model_s_back(hands: Corrections) -> None:
    before = mask(hands)
    only(do(hands, tools.delete_region(hands, at(hands, 81, 31))), box(*ISLAND), 0)
    hands.undo()
    hands.apply(square(75, 25, 12, 6, ERASED), "eraser")
    hands.apply(square(82, 33, 200, 4, 2), "brush")
    hands.apply(square(300, 300, 9, 9, 2), "brush")
    change = tools.revert_region(hands, at(hands, 81, 31))
    do(hands, change)
    np.testing.assert_array_equal(mask(hands)[:280], before[:280])
    assert (mask(hands)[300:309, 300:309] == 2).all()
    assert tools.revert_region(hands, at(hands, 30, 31)) is None


def test_islands_go_that_lie_wholly_in_the_window(hands: Corrections) -> None:
    limit = 3 * 4 * MPP[0] * MPP[1] / 1e6
    everything = slice(0, SHAPE[0]), slice(0, SHAPE[1])
    assert tools.remove_islands_in(hands, *everything, limit) is None
    half = slice(0, 82), slice(0, 60)
    assert tools.remove_islands_in(hands, *half, 2 * limit) is None
    hands.apply(square(0, 0, 2, 2, 3), "brush")
    changed = do(hands, tools.remove_islands_in(hands, *everything, 2 * limit))
    only(changed, box(*ISLAND) | box(slice(0, 2), slice(0, 2)), 0)


def test_polygons_paint_and_erase(hands: Corrections) -> None:
    corners = [(290, 290), (290, 310), (300, 310), (300, 290)]
    inside = box(slice(290, 300), slice(290, 310))
    only(do(hands, tools.polygon(hands, corners, 3)), inside, 3)
    only(do(hands, tools.polygon(hands, corners, 0)), inside, 0)
    assert tools.polygon(hands, corners[:2], 1) is None
    assert tools.polygon(hands, [(y - 900, x) for y, x in corners], 1) is None


def test_brushes_are_discs_in_um_along_the_line(hands: Corrections) -> None:
    points = [(300.5, 300.5), (330.5, 340.5), (330.5, 389.5)]
    line = operations.line_mask(SHAPE, points, 30.0, MPP)
    only(do(hands, tools.paint(hands, points, 15.0, 2)), line, 2)
    dot = tools.paint(hands, [(360.5, 20.5)], 0.1, 2)
    only(do(hands, dot), box(slice(360, 361), slice(20, 21)), 2)


def test_the_probable_brush_paints_where_the_model_is_surer(tmp_path: Path) -> None:
    hands = opened(make_result(tmp_path / "r", SHAPE))
    points = [(100.5, 100.5), (100.5, 180.5)]
    heat = np.asarray(hands.result.map.probability.levels[0][0])
    brushed = operations.line_mask(SHAPE, points, 40.0, MPP)
    change = tools.paint_probable(hands, points, 20.0, 1, 0.2)
    assert change is not None
    hands.apply(change, "probability brush", maker="machine")
    np.testing.assert_array_equal(stored(hands.result, "edits") == 1, brushed & (heat / 255 > 0.2))
