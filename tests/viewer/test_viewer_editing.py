"""Painting on the mask: what is on the screen is on disk, whatever is done in which order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Labels
from viewer_measured import measured_result

from napari_breastpath.analyses import measure_result
from napari_breastpath.core.errors import ResultError
from napari_breastpath.edits import Change, Corrections
from napari_breastpath.results import load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import edit_commands, edit_window
from napari_breastpath.viewer.edit_part import EditPart
from napari_breastpath.viewer.editing import Editor
from napari_breastpath.viewer.session import Session

WHOLE = slice(0, 480), slice(0, 640)


@pytest.fixture(autouse=True)
def _qt(qapp: Any) -> None:
    """Timers and signals need an application."""


class Desk:
    """A viewer with a measured result, hands at it."""

    def __init__(self, folder: Path) -> None:
        slide = open_slide(sample_slide_path())
        self.path = measured_result(folder, slide).path
        self.viewer = ViewerModel()
        self.open()

    def open(self) -> None:
        self.session = Session.of(self.viewer)
        self.session.open_result(self.path)
        self.editor = Editor.of(self.session)
        self.said: list[str] = []
        self.editor.said.connect(lambda line: self.said.append(line.text))

    def close(self) -> None:
        assert self.editor.drain()
        self.session.close_slide()

    def look_at(self, row: float, column: float, zoom: float) -> None:
        """Move the camera to a map pixel (4 µm), as a hand does that pans."""
        self.viewer.scene.camera.center = (row * 4, column * 4)
        self.viewer.scene.camera.zoom = zoom
        self.editor.follow()

    def start(self, mode: str = "paint") -> Any:
        assert self.editor.start(mode)
        assert self.editor.drain()
        return self.editor.canvas.layer

    @property
    def corrections(self) -> Corrections:
        assert self.session.corrections is not None
        return self.session.corrections

    def on_disk(self) -> np.ndarray:
        return load_result(self.path).map.label("mask").read(*WHOLE)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def test_a_stroke_is_on_disk_and_in_the_log_with_what_changed_only(desk: Desk) -> None:
    layer, before = desk.start(), desk.on_disk()
    layer.brush_size = 20
    layer.paint((100, 250), 1)  # half of it over the model's region, which hands leave the model's
    assert desk.editor.drain()
    edits = desk.corrections.edits(*WHOLE)
    np.testing.assert_array_equal(desk.on_disk(), layer.data)
    np.testing.assert_array_equal(edits > 0, layer.data != before)
    assert set(np.unique(edits)) == {0, 1}
    (entry,) = desk.corrections.log
    assert (entry.tool, entry.maker, entry.pixels) == ("brush", "hand", np.count_nonzero(edits))


def test_the_eraser_leaves_the_slider_nothing_to_bring_back(desk: Desk) -> None:
    layer = desk.start("erase")
    layer.paint((120, 100), 0)
    assert desk.editor.drain()
    desk.corrections.threshold = 0.05
    assert desk.corrections.mask(*WHOLE)[120, 100] == 0
    assert desk.corrections.edits(*WHOLE)[120, 100] == 255


def test_a_view_elsewhere_is_opened_and_keeps_everything(desk: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr(edit_window, "SMALLEST_PX", 64)
    desk.look_at(60, 60, 2.0)
    layer = desk.start()
    first = desk.editor.canvas.window
    layer.paint((10, 10), 1)
    painted = first.row + 10, first.column + 10
    desk.look_at(300, 400, 2.0)
    assert desk.editor.drain()
    second = desk.editor.canvas.window
    assert first.shared(second) is None
    assert desk.editor.canvas.layer.mode == "paint"
    desk.editor.canvas.layer.paint((50, 50), 1)
    assert desk.editor.drain()
    assert desk.on_disk()[painted] == 1
    assert desk.on_disk()[second.row + 50, second.column + 50] == 1
    desk.editor.undo()
    desk.editor.undo()
    assert desk.editor.drain()
    assert not desk.corrections.edits(*WHOLE).any()


def test_the_layer_lies_where_the_mask_lies(desk: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr(edit_window, "SMALLEST_PX", 64)
    desk.look_at(150, 200, 2.0)
    layer, mask = desk.start(), desk.session.layer("mask")
    window = desk.editor.canvas.window
    assert (window.row, window.column) != (0, 0)
    np.testing.assert_allclose(
        layer.data_to_world((0, 0)), mask.data_to_world((window.row, window.column))
    )
    assert layer.units == mask.units
    assert not mask.visible


def test_too_large_a_view_shows_the_mask_until_one_zooms_in(desk: Desk, monkeypatch: Any) -> None:
    layer = desk.start()
    monkeypatch.setattr(EditPart, "_read", pytest.fail)
    desk.look_at(240, 320, 0.05)  # still the same pixels: the map ends
    assert layer.visible
    monkeypatch.undo()
    monkeypatch.setattr("napari_breastpath.viewer.edit_window.window_around.__defaults__", (100,))
    desk.editor.canvas.window = edit_window.EditWindow(0, 0, 100, 100)
    desk.editor.follow()
    assert (layer.visible, desk.session.layer("mask").visible) == (False, True)
    assert "zoom in" in desk.said[-1]
    monkeypatch.undo()
    desk.editor.follow()
    assert desk.editor.drain()
    assert (layer.visible, layer.mode) == (True, "paint")


def test_undo_waits_for_the_strokes_before_it(desk: Desk) -> None:
    layer = desk.start()
    before = desk.on_disk()
    for column in (300, 400, 500):
        layer.paint((400, column), 1)
    desk.editor.undo()  # none of them need be on disk yet
    layer.paint((450, 300), 1)
    assert desk.editor.drain()
    changed = desk.on_disk() != before
    assert [bool(changed[400, c]) for c in (300, 400, 500)] == [True, True, False]
    assert changed[450, 300]
    np.testing.assert_array_equal(desk.editor.canvas.layer.data, desk.on_disk())


def test_undo_works_with_any_layer_of_the_result_selected(desk: Desk) -> None:
    desk.start().paint((400, 300), 1)
    for role in ("edit", "mask", "regions"):
        undo = next(f for key, f in desk.session.layer(role).keymap.items() if str(key) == "Ctrl+Z")
        undo(desk.session.layer(role))
        assert desk.editor.drain()
        assert not desk.corrections.can_undo
        desk.editor.redo()
        assert desk.editor.drain()
    edit_commands.undo(desk.viewer)
    assert desk.editor.drain()
    assert not desk.corrections.can_undo


def test_the_brush_key_on_the_mask_opens_the_edit_layer(desk: Desk) -> None:
    mask = desk.session.layer("mask")
    next(f for key, f in mask.keymap.items() if str(key) == "P")(mask)
    assert desk.editor.drain()
    assert desk.viewer.layers.selection.active is desk.editor.canvas.layer
    assert desk.editor.canvas.layer.mode == "paint"


def test_a_new_threshold_is_seen_under_the_brush_and_hands_stay(desk: Desk) -> None:
    layer = desk.start()
    layer.paint((400, 300), 1)
    assert desk.editor.drain()
    assert layer.data[220, 70] == 1
    desk.corrections.threshold = 0.8  # above the small region's 0.6
    desk.session.measured.emit(desk.session.result)
    assert desk.editor.drain()
    assert (layer.data[220, 70], layer.data[400, 300]) == (0, 1)


def test_reviewed_or_missing_results_refuse_in_one_line(desk: Desk) -> None:
    desk.corrections.note("review")
    assert not desk.editor.start()
    assert "was reviewed" in desk.said[-1]
    assert not desk.editor.undo()
    desk.corrections.note("reopen")
    desk.session.close_result()
    assert not desk.editor.start()
    assert "no result" in desk.said[-1]


def test_a_stroke_that_cannot_be_written_is_kept_and_tried_again(
    desk: Desk, monkeypatch: Any
) -> None:
    layer = desk.start()

    def full(*_: Any, **__: Any) -> None:
        raise ResultError("x", "no space left", "make room")

    with monkeypatch.context() as patch:
        patch.setattr(Corrections, "apply", full)
        layer.paint((400, 300), 1)
        assert not desk.editor.drain()
        assert "no space left" in desk.said[-1]
    assert layer.data[400, 300] == 1
    layer.paint((400, 500), 1)
    assert desk.editor.drain()
    assert desk.on_disk()[400, 300] == desk.on_disk()[400, 500] == 1


def test_a_label_that_is_no_class_cannot_be_chosen(desk: Desk) -> None:
    layer = desk.start()
    layer.selected_label = 7
    assert layer.selected_label == 1
    layer.selected_label = 0
    assert desk.editor.value == 0


def test_the_brush_is_in_um(desk: Desk) -> None:
    desk.editor.brush_um = 200
    layer = desk.start()
    assert layer.brush_size == 50  # at 4 µm per map pixel
    layer.brush_size = 10
    assert desk.editor.brush_um == 40


def test_closing_the_layer_brings_the_mask_back(desk: Desk, qapp: Any) -> None:
    desk.start()
    desk.viewer.layers.remove(desk.editor.canvas.layer)
    qapp.processEvents()
    assert desk.session.layer("mask").visible
    assert not desk.editor.active


def test_changes_of_tools_show_under_the_brush(desk: Desk) -> None:
    layer = desk.start()

    def square(corrections: Corrections) -> Change:
        return Change(300, 300, np.full((20, 20), 1, np.uint8), np.ones((20, 20), bool))

    assert desk.editor.apply(square, "polygon", maker="hand")
    assert desk.editor.drain()
    assert layer.data[300:320, 300:320].all()


points = st.tuples(st.integers(0, 479), st.integers(0, 639))
strokes = st.tuples(st.just("stroke"), points, st.sampled_from([0, 1]), st.integers(1, 60))
moves = st.tuples(st.just("move"), points, st.floats(0.5, 4))
steps = st.tuples(st.sampled_from(["undo", "redo", "reopen", "threshold"]))


class Model:
    """The same in plain numpy: a stack of edits, and the model's heat."""

    def __init__(self, desk: Desk) -> None:
        self.heat = desk.corrections.heat(*WHOLE)
        self.threshold = 0.5
        self.edits = [np.zeros(self.heat.shape, np.uint8)]
        self.undone: list[np.ndarray] = []

    @property
    def mask(self) -> np.ndarray:
        edits = self.edits[-1]
        model = (self.heat > self.threshold * 255).astype(np.uint8)
        return np.where(edits == 0, model, np.where(edits == 255, 0, edits))

    def stroke(self, dab: np.ndarray, value: int) -> None:
        changed = dab & (self.mask != value)
        if changed.any():
            self.edits.append(np.where(changed, value or 255, self.edits[-1]).astype(np.uint8))
            self.undone.clear()

    def undo(self) -> None:
        if len(self.edits) > 1:
            self.undone.append(self.edits.pop())

    def redo(self) -> None:
        if self.undone:
            self.edits.append(self.undone.pop())


def brush(center: tuple[int, int], size: int, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels of napari's brush: on a layer of the whole map that is none of ours."""
    layer = Labels(np.zeros(shape, np.uint8))
    layer.brush_size = size
    layer.paint(center, 1)
    return np.asarray(layer.data) > 0


def do(desk: Desk, model: Model, action: tuple[Any, ...]) -> None:
    """Do the same on the screen and in numpy."""
    if action[0] == "stroke":
        _, center, value, size = action
        window, layer = desk.editor.canvas.window, desk.editor.canvas.layer
        here = center[0] % window.height, center[1] % window.width
        dab = np.zeros(model.heat.shape, bool)
        dab[window.rows, window.columns] = brush(here, size, (window.height, window.width))
        model.stroke(dab, value)
        layer.brush_size = size
        layer.paint(here, value)
    elif action[0] == "move":
        _, (row, column), zoom = action
        desk.look_at(row, column, zoom)
    elif action[0] == "threshold":
        model.threshold = desk.corrections.threshold = 0.95 - model.threshold
        desk.session.measured.emit(measure_result(desk.session.result, model.threshold))
    elif action[0] == "reopen":
        desk.close()
        desk.open()
        desk.start()
    else:
        getattr(desk.editor, action[0])()
        getattr(model, action[0])()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(strokes, strokes, moves, steps), max_size=12), st.data())
def test_whatever_is_done_the_disk_equals_a_plain_model(
    actions: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(edit_window, "SMALLEST_PX", 64)
        desk = Desk(Path(folder))
        desk.look_at(100, 100, 2.0)
        desk.start()
        model = Model(desk)
        for action in actions:
            do(desk, model, action)
            if data.draw(st.booleans(), label="wait"):
                assert desk.editor.drain()
            elif action[0] in ("threshold", "undo", "redo", "move"):
                assert desk.editor.drain()  # the model needs to know what is on the screen
        assert desk.editor.drain()
        np.testing.assert_array_equal(desk.on_disk(), model.mask)
        window = desk.editor.canvas.window
        shown = np.asarray(desk.editor.canvas.layer.data)
        np.testing.assert_array_equal(shown, model.mask[window.rows, window.columns])
        edits = load_result(desk.path).map.label("edits").read(*WHOLE)
        np.testing.assert_array_equal(edits, model.edits[-1])
        desk.close()
