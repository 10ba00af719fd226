"""Edits, undo, redo, notes: what is on disk, in the log and after reopening."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from edits_results import ONE, THREE, check_on_disk, make_result, opened, square, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.edits import Change, Corrections, read_log, rewrite_mask, stored_mask
from napari_breastpath.results import Result
from napari_breastpath.results.lock import alone
from napari_breastpath.results.maps import ERASED


@pytest.fixture
def result(tmp_path: Path) -> Result:
    return make_result(tmp_path / "r")


def test_an_edit_is_in_the_map_the_log_and_the_summary(result: Result) -> None:
    hands = opened(result, "Dr. Aïcha")
    entry = hands.apply(square(10, 20, 30, 40, 1), "brush", seconds=1.5, detail={"µm": 3})
    assert entry is not None
    assert (entry.number, entry.action, entry.tool, entry.maker) == (1, "edit", "brush", "hand")
    assert (entry.reader, entry.pixels, entry.window) == ("Dr. Aïcha", 1200, (10, 20, 30, 40))
    edits = np.zeros((301, 277), np.uint8)
    edits[10:40, 20:60] = 1
    check_on_disk(result, edits)
    assert read_log(result) == hands.log == (entry,)
    expected = {"strokes": 1, "pixels": 1200, "seconds": 1.5, "readers": ["Dr. Aïcha"]}
    assert hands.summary() == expected
    rows, columns = slice(5, 50), slice(15, 70)
    np.testing.assert_array_equal(hands.edits(rows, columns), edits[rows, columns])
    np.testing.assert_array_equal(hands.mask(rows, columns), stored(result, "mask")[rows, columns])


def test_what_changes_nothing_is_no_edit(result: Result) -> None:
    hands = opened(result)
    nothing = Change(5, 5, np.ones((4, 4), np.uint8), np.zeros((4, 4), bool))
    for change in (nothing, square(900, 900, 5, 5, 1), square(3, 3, 4, 4, 0)):
        assert hands.apply(change, "brush") is None
    assert hands.undo() is None
    assert hands.redo() is None
    assert (hands.log, hands.can_undo, hands.can_redo) == ((), False, False)
    assert not (result.path / "journal").exists()


def test_a_change_over_the_edge_is_clipped(result: Result) -> None:
    entry = opened(result).apply(square(-5, 270, 10, 30, ERASED), "eraser")
    assert entry is not None
    assert entry.window == (0, 270, 5, 7)
    assert np.count_nonzero(stored(result, "edits")) == 35


def test_values_that_no_class_has_are_refused(result: Result) -> None:
    with pytest.raises(ValueError, match="other than"):
        opened(result).apply(square(0, 0, 2, 2, 7), "brush")
    assert not stored(result, "edits").any()


def test_an_edit_of_several_windows_is_one_step(result: Result) -> None:
    hands = opened(result)
    parts = [square(0, 0, 5, 5, 1), square(200, 200, 9, 9, ERASED)]
    entry = hands.apply_all(iter(parts), "import", maker="machine")
    assert entry is not None
    assert (entry.pixels, entry.window, entry.maker) == (106, (0, 0, 209, 209), "machine")
    hands.undo()
    check_on_disk(result, np.zeros((301, 277), np.uint8))
    assert not hands.can_undo


def test_the_mask_follows_the_threshold_set_and_is_mended_on_opening(result: Result) -> None:
    hands = opened(result)
    hands.threshold = 0.8
    hands.apply(square(10, 10, 20, 20, 0), "revert")
    hands.apply(square(50, 50, 20, 20, 1), "brush")
    edits = np.zeros((301, 277), np.uint8)
    edits[50:70, 50:70] = 1
    rewrite_mask(hands.result, 0.8)
    check_on_disk(result, edits, 0.8)
    opened(result)  # the record's threshold is still 0.5
    check_on_disk(result, edits, 0.5)
    assert "mask anew" in (result.path / "run.log").read_text()
    with pytest.raises(UsageError, match="probability"):
        hands.threshold = 1.0


def test_one_process_sees_what_another_did(result: Result) -> None:
    one, other = opened(result, "A"), opened(result, "B")
    one.apply(square(0, 0, 9, 9, 1), "brush")
    other.apply(square(20, 20, 9, 9, 1), "brush")
    one.apply(square(40, 40, 9, 9, 1), "brush")
    assert [(e.number, e.reader) for e in one.log] == [(1, "A"), (2, "B"), (3, "A")]
    other.undo()
    assert [e.number for e in one.refresh()] == [4]
    assert one.log[-1].of == 3
    one.undo()
    assert one.log[-1].of == 2
    assert one.can_redo


def test_a_run_at_work_keeps_hands_off(result: Result) -> None:
    hands = opened(result)
    with alone(result.path), pytest.raises(ResultError, match="a run is at work on it; wait"):
        hands.apply(square(0, 0, 5, 5, 1), "brush")
    assert hands.apply(square(0, 0, 5, 5, 1), "brush")


EXTENT = {"x1": 1, "y1": 2, "x2": np.float64(30), "y2": 40.5, "length_mm": 0.7}
TRIANGLE = {"points": [[0, 0], [5, 0], [5, 5.5]]}


def test_notes_make_the_state_and_outlive_reopening(result: Result) -> None:
    hands = opened(result, "A")
    hands.note("extent", EXTENT)
    ruler = hands.note("ruler", {"points": [[0, 0], [3, 4]]})
    hands.note("area", TRIANGLE)
    for state in (hands.state, opened(result).state):
        assert state.extent is not None
        assert (state.extent.x2, state.extent.length_mm, state.extent.reader) == (30, 0.7, "A")
        assert [r.kind for r in state.rulers] == ["ruler", "area"]
        assert state.rulers[1].points[2] == (5, 5.5)
    hands.note("extent_reset")
    hands.note("ruler_removed", {"number": ruler.number})
    assert hands.state.extent is None
    assert [r.kind for r in hands.state.rulers] == ["area"]


INCOMPLETE = {
    "extent without an end": ("extent", {"x1": 1}),
    "extent that is no number": ("extent", EXTENT | {"x1": float("nan")}),
    "ruler of one point": ("ruler", {"points": [[0, 0]]}),
    "area of two points": ("area", {"points": [[0, 0], [1, 1]]}),
    "removal of nothing": ("ruler_removed", {}),
}


@pytest.mark.parametrize("case", INCOMPLETE)
def test_incomplete_notes_are_refused(result: Result, case: str) -> None:
    with pytest.raises(ResultError, match="incomplete"):
        opened(result).note(*INCOMPLETE[case])
    assert read_log(result) == ()


def test_a_reviewed_result_is_locked_until_reopened(result: Result) -> None:
    hands = opened(result, "Dr. B")
    hands.apply(square(0, 0, 5, 5, 1), "brush")
    hands.note("review")
    hands = opened(result, "C")
    for act in (
        lambda: hands.apply(square(9, 9, 5, 5, 1), "brush"),
        hands.undo,
        hands.redo,
        lambda: hands.note("extent", EXTENT),
        lambda: hands.note("review"),
    ):
        with pytest.raises(ResultError, match=r"was reviewed by Dr\. B on 20.*; reopen it"):
            act()
    assert not hands.can_undo
    assert hands.note("reopen").reader == "C"
    assert hands.undo() is not None


@pytest.mark.parametrize("pixels_at_once", [1, 1 << 24])
@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize("classes", [ONE, THREE], ids=["one class", "three classes"])
def test_a_mask_written_anew_equals_the_plain_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    classes: tuple,
    is_stored: bool,
    pixels_at_once: int,
) -> None:
    monkeypatch.setattr(stored_mask, "PIXELS_AT_ONCE", pixels_at_once)
    result = make_result(tmp_path / "r", (600, 530), classes)
    rng = np.random.default_rng(5)
    edits = rng.choice([0, 0, 1, ERASED], (600, 530)).astype(np.uint8)
    result.map.label("edits").write(0, 0, edits)
    mask = result.map.label("mask")
    mask.write(0, 0, np.zeros((600, 530), np.uint8))
    assert not any(level.nchunks_initialized for level in mask.levels)
    if is_stored:
        mask.levels[1][3:5, 7:9] = 77  # only a coarser level is wrong
    rewrite_mask(result, 0.3)
    check_on_disk(result, edits, 0.3)


windows = st.tuples(
    st.integers(-9, 95), st.integers(-9, 75), st.integers(1, 60), st.integers(1, 60)
)
acts = st.one_of(
    st.tuples(st.just("edit"), windows, st.sampled_from([0, 1, 2, ERASED]), st.integers(0, 99)),
    st.sampled_from([("undo",), ("redo",), ("reopen",)]),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(acts, max_size=12), st.sampled_from([(97, 83), (64, 128), (1, 7)]))
def test_edit_undo_redo_reopen_equal_a_plain_model(sequence: list, shape: tuple) -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = make_result(Path(folder) / "r", shape, THREE)
        hands, states, now = opened(result), [np.zeros(shape, np.uint8)], 0
        for name, *details in sequence:
            if name == "edit":
                edits, changed = _edited(hands, states[now], *details)
                if changed:
                    states[now + 1 :] = [edits]
                    now += 1
            elif name == "reopen":
                hands = opened(result)
            else:
                goal = now + (1 if name == "redo" else -1)
                assert (getattr(hands, name)() is not None) == (0 <= goal < len(states))
                now = goal if 0 <= goal < len(states) else now
        assert (hands.can_undo, hands.can_redo) == (now > 0, now < len(states) - 1)
        check_on_disk(result, states[now])


def _edited(
    hands: Corrections, edits: np.ndarray, window: tuple, value: int, seed: int
) -> tuple[np.ndarray, bool]:
    """Do a speckled change, and the same on a plain array."""
    row, column, height, width = window
    where = np.random.default_rng(seed).random((height, width)) < 0.5
    entry = hands.apply(Change(row, column, np.full(where.shape, value, np.uint8), where), "brush")
    changed = edits.copy()
    for y, x in np.add(np.argwhere(where), (row, column)):
        if 0 <= y < edits.shape[0] and 0 <= x < edits.shape[1]:
            changed[y, x] = value
    assert (entry.pixels if entry else 0) == np.count_nonzero(changed != edits)
    return changed, entry is not None
