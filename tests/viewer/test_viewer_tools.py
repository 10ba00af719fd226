"""The tools under the mouse: gestures, what they change, and the dock that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QInputDialog, QWidget
from scipy import ndimage
from viewer_measured import measured_result

from napari_breastpath.edits import read_log
from napari_breastpath.results import load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import edit_commands, preferences, reader_name, reviewing
from napari_breastpath.viewer.correct_dock import CorrectDock
from napari_breastpath.viewer.flip import flip
from napari_breastpath.viewer.palette import SAFE, class_colours, paintable
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.tool_table import HINTS

WHOLE = slice(0, 480), slice(0, 640)
LONG, SMALL = (125, 150), (225, 75)  # inside the two regions, map px at 4 µm


class Desk:
    """A dock over a bare viewer, and a mouse."""

    def __init__(self, folder: Path, qtbot: Any) -> None:
        self.path = measured_result(folder, open_slide(sample_slide_path())).path
        self.viewer = ViewerModel()
        self.session = Session.of(self.viewer)
        self.session.open_result(self.path)
        self.dock = CorrectDock(self.viewer)
        qtbot.addWidget(self.dock)
        self.editor, self.toolbox = self.dock.editor, self.dock.toolbox

    def click(self, name: str) -> None:
        self.dock.buttons[name].click()
        assert self.editor.drain()
        assert self.toolbox.tool is not None
        assert self.toolbox.tool.name == name

    def drag(self, points: Sequence[tuple[float, float]], let_go: bool = True) -> None:
        """Press at the first map pixel, move over the others and let go, as napari says it."""
        layer = self.editor.canvas.layer
        world = [tuple(self.session.layer("mask").data_to_world(p)) for p in points]
        event = SimpleNamespace(type="mouse_press", button=1, position=world[0], modifiers=())
        drags = [gen for f in layer.mouse_drag_callbacks if (gen := start(f, layer, event))]
        for event.position in world[1:]:
            event.type = "mouse_move"
            drags = [gen for gen in drags if next(gen, StopIteration) is not StopIteration]
        if let_go:
            event.type = "mouse_release"
            for gen in drags:
                next(gen, None)
            assert self.editor.drain()

    def on_disk(self) -> np.ndarray:
        return load_result(self.path).map.label("mask").read(*WHOLE)

    def count(self) -> int:
        return int(ndimage.label(self.on_disk(), np.ones((3, 3)))[1])

    def last(self) -> Any:
        return read_log(load_result(self.path))[-1]


def start(callback: Any, layer: Any, event: Any) -> Any:
    gen = callback(layer, event)
    if gen is None or next(gen, StopIteration) is StopIteration:
        return None
    return gen


@pytest.fixture
def desk(tmp_path: Path, qtbot: Any) -> Iterator[Desk]:
    desk = Desk(tmp_path, qtbot)
    yield desk
    assert desk.editor.drain()
    desk.session.close_slide()


def ring(center: tuple[float, float], radius: float, count: int = 40) -> list[tuple[float, float]]:
    angles = np.linspace(0, 2 * np.pi, count)
    return [(center[0] + radius * np.sin(a), center[1] + radius * np.cos(a)) for a in angles]


def test_dragging_around_fills_and_erases(desk: Desk) -> None:
    desk.click("encircle")
    desk.drag(ring((400, 300), 30))
    filled = desk.on_disk()[370:431, 270:331]
    assert filled.sum() == pytest.approx(np.pi * 30**2, rel=0.03)
    desk.editor.choose(0)
    desk.drag(ring((400, 300), 40))
    assert not desk.on_disk()[350:450, 250:350].any()
    assert (desk.last().tool, desk.last().maker) == ("encircle", "hand")


def test_painting_by_mouse_takes_the_time_of_the_stroke(desk: Desk) -> None:
    desk.click("brush")
    desk.drag([(400, 300), (400, 340), (420, 380)])
    entry = desk.last()
    assert desk.on_disk()[400, 320] == 1
    assert entry.tool == "brush"
    assert 0 < entry.seconds < 60


def test_the_probability_brush_paints_only_where_it_is_probable(desk: Desk) -> None:
    desk.session.corrections.threshold = 0.8  # the small region's 0.6 is below it
    desk.dock.probability.setValue(0.55)
    desk.dock.brush.setValue(400)
    desk.click("probability brush")
    desk.drag([(225, 40), (225, 110)])
    mask = desk.on_disk()
    assert mask[200:250, 50:100].all()
    assert not mask[200:250, 20:50].any()
    assert not mask[200:250, 100:140].any()
    assert desk.last().detail == {"probability": 0.55, "brush_um": 400.0}


@pytest.mark.parametrize(
    ("name", "points", "regions"),
    [
        ("split", [(90, 150), (160, 150)], 3),
        ("join", [LONG, (210, 60)], 1),
        ("delete region", [SMALL], 1),
    ],
)
def test_regions_are_cut_joined_and_deleted(
    desk: Desk, name: str, points: list[tuple[float, float]], regions: int
) -> None:
    assert desk.count() == 2
    desk.click(name)
    desk.drag(points)
    assert desk.count() == regions
    desk.dock.undo.click()
    assert desk.editor.drain()
    assert desk.count() == 2
    desk.dock.redo.click()
    assert desk.editor.drain()
    assert desk.count() == regions


def test_growing_and_taking_it_back_by_click(desk: Desk) -> None:
    before = desk.on_disk()
    desk.dock.by_um.setValue(40)
    desk.click("grow")
    desk.drag([SMALL])
    grown = desk.on_disk()
    assert grown[190:200, 75].all()  # 40 µm are 10 map px
    assert not grown[189, 75]
    np.testing.assert_array_equal(grown[100:150], before[100:150])
    desk.click("revert")
    desk.drag([SMALL])
    np.testing.assert_array_equal(desk.on_disk(), before)


def test_a_hole_is_filled(desk: Desk) -> None:
    before = desk.on_disk()
    desk.editor.choose(0)
    desk.click("encircle")
    desk.drag(ring((125, 150), 15))
    assert not desk.on_disk()[125, 150]
    desk.click("fill holes")
    desk.drag([(125, 60)])
    np.testing.assert_array_equal(desk.on_disk(), before)
    assert (desk.last().tool, desk.last().maker) == ("fill holes", "machine")


def test_shrinking_moves_the_outline_by_the_um_asked_for(desk: Desk) -> None:
    desk.dock.by_um.setValue(40)  # 10 map px
    desk.click("shrink")
    desk.drag([SMALL])
    rows, columns = np.nonzero(desk.on_disk()[190:260, 40:110])
    assert (rows.min() + 190, rows.max() + 190) == (210, 239)
    assert (columns.min() + 40, columns.max() + 40) == (60, 89)
    assert desk.last().detail == {"um": 40.0}


def test_smoothing_takes_a_thorn_off_and_leaves_the_rest(desk: Desk) -> None:
    before = desk.on_disk()
    desk.dock.brush.setValue(8)
    desk.click("brush")
    desk.drag([(180, 75), (205, 75)])
    assert desk.on_disk()[185, 75]
    desk.dock.by_um.setValue(20)
    desk.click("smooth")
    desk.drag([SMALL])
    after = desk.on_disk()
    assert not after[180:195, 70:80].any()
    np.testing.assert_array_equal(after[206:245, 56:95], before[206:245, 56:95])


OUTSIDE = [(-300, -300), (-280, -300), (-280, -250)]


@pytest.mark.parametrize(
    "name", ["encircle", "probability brush", "split", "join", "delete region", "smooth", "revert"]
)
def test_hands_beside_the_slide_change_nothing_and_are_told_so(desk: Desk, name: str) -> None:
    before = desk.on_disk()
    desk.click(name)
    desk.drag(OUTSIDE[:1] if desk.toolbox.tool.gesture == "click" else OUTSIDE)
    np.testing.assert_array_equal(desk.on_disk(), before)
    assert desk.dock.status.text() not in ("", HINTS[desk.toolbox.tool.gesture])
    assert "\n" not in desk.dock.status.text()


def test_a_reviewed_result_says_who_and_that_it_can_be_reopened(desk: Desk) -> None:
    desk.click("delete region")
    desk.session.corrections.reader = "A. Reader"
    desk.session.corrections.note("review")
    desk.drag([SMALL])
    assert desk.count() == 2
    assert "reopen" in desk.dock.status.text()
    desk.dock.undo.setEnabled(True)
    desk.dock.undo.click()
    assert "reopen" in desk.dock.status.text()


def test_a_review_puts_the_tools_away_until_it_is_reopened(desk: Desk, qtbot: Any) -> None:
    preferences.set_reader_name("A. Reader")
    desk.click("brush")
    reviewing.sign(desk.session, print)
    buttons = [*desk.dock.buttons.values(), desk.dock.islands, desk.dock.edit_button]
    qtbot.waitUntil(lambda: not any(button.isEnabled() for button in buttons), timeout=20_000)
    assert all("reopen it to change it" in button.toolTip() for button in buttons)
    assert not desk.editor.active
    assert desk.toolbox.tool is None
    desk.session.edited.emit(desk.session.corrections.note("reopen"))
    assert all(button.isEnabled() for button in buttons)
    assert not any("reopen" in button.toolTip() for button in buttons)


def test_the_first_tool_asks_for_the_reader_s_name(
    desk: Desk, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    qtbot.addWidget(window := QWidget())
    monkeypatch.setattr(reader_name, "parent_window", lambda: window)
    desk.click("brush")
    (question,) = window.findChildren(QInputDialog)
    question.setTextValue("B. Reader")
    question.accept()
    desk.click("eraser")
    desk.drag([LONG, (125, 160)])
    assert desk.last().reader == "B. Reader"


def test_the_layer_put_aside_is_taken_up_again(desk: Desk) -> None:
    desk.click("brush")
    layer, count = desk.editor.canvas.layer, len(desk.viewer.layers)
    desk.editor.close()
    assert not layer.visible
    assert desk.toolbox.tool is None
    desk.dock.brush.setValue(200)
    desk.click("brush")
    assert desk.editor.canvas.layer is layer
    assert (layer.visible, layer.mode, layer.brush_size) == (True, "paint", 50)
    assert len(desk.viewer.layers) == count
    desk.drag([(400, 300), (400, 340)])
    assert len(desk.session.corrections.log) == 1
    assert desk.on_disk()[400, 320] == 1


def test_a_drag_with_a_click_tool_moves_the_view_only(desk: Desk) -> None:
    desk.click("delete region")
    assert desk.editor.canvas.layer.mouse_pan
    desk.drag([SMALL, (300, 300)])
    assert desk.count() == 2
    desk.click("split")
    assert not desk.editor.canvas.layer.mouse_pan


def test_escape_cancels_what_is_drawn_and_then_puts_the_tool_down(desk: Desk) -> None:
    desk.click("split")
    layer = desk.editor.canvas.layer
    escape = next(f for key, f in layer.keymap.items() if str(key) == "Escape")
    desk.drag([(90, 150), (160, 150)], let_go=False)
    escape(layer)
    assert desk.toolbox.tool is not None
    desk.editor.brush.pressed = False
    assert desk.count() == 2
    escape(layer)
    assert desk.toolbox.tool is None
    assert layer.mouse_pan


def test_the_table_s_region_is_used_without_a_click_on_the_slide(desk: Desk) -> None:
    desk.click("delete region")
    desk.session.go_to_region(2)
    desk.dock.on_region.click()
    assert desk.editor.drain()
    assert desk.count() == 1
    assert desk.on_disk()[LONG] == 1


def test_small_regions_in_view_go_at_once(desk: Desk) -> None:
    desk.click("brush")
    desk.dock.smallest.setValue(0.1)  # 0.2 × 0.2 mm is 0.04
    desk.dock.islands.click()
    assert desk.editor.drain()
    assert desk.count() == 1


@pytest.mark.parametrize("name", ["delete region", "split", "join"])
def test_where_there_is_no_region_one_line_says_so(desk: Desk, name: str) -> None:
    desk.click(name)
    desk.drag([(400, 500)] if name == "delete region" else [(400, 500), (450, 600)])
    assert "region" in desk.dock.status.text()
    assert not desk.session.corrections.log


def test_undo_says_what_it_will_do_and_the_log_who_did_how_much(desk: Desk) -> None:
    assert not desk.dock.undo.isEnabled()
    desk.session.corrections.reader = "A. Reader"
    desk.click("encircle")
    desk.drag(ring((400, 300), 30))
    assert desk.dock.undo.text() == "Undo encircle"
    assert desk.dock.done.text().startswith("1 stroke · ")
    desk.dock.undo.click()
    assert desk.editor.drain()
    assert desk.dock.status.text() == "Undone: encircle"
    assert desk.dock.redo.text() == "Redo encircle"


def test_classes_have_names_colours_and_areas(desk: Desk) -> None:
    classes = desk.dock.classes
    rows = [classes.topLevelItem(k).text(0) for k in range(classes.topLevelItemCount())]
    assert rows == ["tumour", "Nothing (erase)"]
    assert classes.topLevelItem(0).text(1) == "0.200 mm²"
    desk.session.numbers.emit(SimpleNamespace(summary={"areas_mm2": {"tumour": 0.5}}))
    assert classes.topLevelItem(0).text(1) == "0.500 mm²"
    classes.chosen.emit(0)
    assert desk.editor.value == 0


def test_background_is_no_class_to_paint_and_colours_differ() -> None:
    classes = [
        {"name": n, "role": r} for n, r in (("bg", "background"), ("a", "tumour"), ("b", "other"))
    ]
    assert paintable(classes) == {2: "a", 3: "b"}
    assert class_colours(classes) == {2: SAFE[0], 3: SAFE[1]}


def test_the_model_s_mask_is_shown_in_place_of_the_corrected_one(desk: Desk) -> None:
    desk.click("delete region")
    desk.drag([SMALL])
    shown = {role: desk.session.layer(role).visible for role in ("mask", "edit", "regions")}
    back = edit_commands.flip_mask(desk.viewer)
    model = desk.session.layer("model")
    assert model.visible
    assert np.asarray(model.data[0])[SMALL] == 1
    assert not any(desk.session.layer(role).visible for role in shown)
    assert "Model" in desk.viewer.canvas.overlays.text.text
    back()
    assert not model.visible
    assert {role: desk.session.layer(role).visible for role in shown} == shown
    assert not desk.viewer.canvas.overlays.text.visible
    flip(desk.session)
    flip(desk.session)
    assert {role: desk.session.layer(role).visible for role in shown} == shown


def test_all_overlays_hide_the_edit_layer_too(desk: Desk) -> None:
    from napari_breastpath.viewer import commands

    desk.click("brush")
    restore = commands.toggle_overlays(desk.viewer)
    assert not desk.editor.canvas.layer.visible
    restore()
    assert desk.editor.canvas.layer.visible


def test_without_a_result_nothing_can_be_pressed(desk: Desk) -> None:
    desk.session.close_result()
    assert not any(button.isEnabled() for button in desk.dock.buttons.values())
    assert "Nothing to correct yet" in desk.dock.status.text()


def test_the_dock_fits_a_small_screen(desk: Desk) -> None:
    desk.dock.show()
    assert desk.dock.sizeHint().height() < 640
    assert desk.dock.minimumSizeHint().width() <= 360
