"""Correcting in a real napari window, by mouse and keys, on a real slide."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from viewer_measured import measured_result

from napari_breastpath.edits import Corrections
from napari_breastpath.results import load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.session import Session

pytestmark = pytest.mark.window
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SHORT_MS = 20_000


class Window:
    """napari with the dock Correct over a measured result."""

    def __init__(self, viewer: Any, path: Path, wait_until: Callable[..., None]) -> None:
        self.viewer, self.path, self.wait_until = viewer, path, wait_until
        _, self.dock = viewer.window.add_plugin_dock_widget("napari-breastpath", "Correct")
        self.session = Session.of(viewer)
        self.session.open_result(path)
        self.editor = self.dock.editor
        QTest.qWait(200)
        viewer.reset_view()
        QTest.qWait(300)

    @property
    def canvas(self) -> Any:
        return self.viewer.window._qt_viewer.canvas.native

    def screen(self, row: float, column: float) -> QPoint:
        """Return where a map pixel is on the canvas."""
        y, x = self.session.layer("mask").data_to_world((row, column))
        camera = self.viewer.scene.camera
        center, zoom = np.array(camera.center[-2:]), camera.zoom
        half = np.array([self.canvas.height(), self.canvas.width()]) / 2
        down, right = (np.array([y, x]) - center) * zoom + half
        return QPoint(round(right), round(down))

    def take(self, name: str) -> None:
        self.dock.buttons[name].click()
        self.wait_until(lambda: self.editor.canvas.layer is not None, timeout=SHORT_MS)
        self.settle()

    def drag(self, *points: tuple[float, float]) -> None:
        places = [self.screen(*p) for p in points]
        QTest.mouseMove(self.canvas, places[0])
        QTest.qWait(20)
        QTest.mousePress(self.canvas, LEFT, NONE, places[0])
        for one, two in pairwise(places):
            for share in np.linspace(0, 1, 6)[1:]:
                QTest.mouseMove(self.canvas, one + (two - one) * float(share))
                QTest.qWait(10)
        QTest.mouseRelease(self.canvas, LEFT, NONE, places[-1])
        self.settle()

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier) -> None:
        QTest.keyClick(self.canvas, key, modifier)
        self.settle()

    def settle(self) -> None:
        QTest.qWait(50)
        assert self.editor.drain()

    def on_disk(self) -> np.ndarray:
        result = load_result(self.path)
        return result.map.label("mask").read(*(slice(0, n) for n in result.lattice.shape))


@pytest.fixture
def window(make_napari_viewer: Callable[..., Any], qtbot: Any, tmp_path: Path) -> Iterator[Window]:
    preferences.answer(True)
    path = measured_result(tmp_path, open_slide(sample_slide_path())).path
    held = [Window(make_napari_viewer(show=True), path, qtbot.waitUntil)]
    yield held[0]
    window = held.pop()
    window.settle()
    qtbot.waitUntil(lambda: all(layer.loaded for layer in window.viewer.layers))
    vars(window).clear()


def test_a_pathologist_corrects_by_mouse_and_keys(window: Window) -> None:
    before = window.on_disk()
    window.take("brush")
    window.drag((350, 200), (350, 300))
    painted = window.on_disk()
    assert painted[350, 200:300].all()

    window.drag((400, 200), (400, 300))
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    np.testing.assert_array_equal(window.on_disk(), painted)

    window.viewer.layers.selection.active = window.session.slide_layer
    window.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    np.testing.assert_array_equal(window.on_disk(), before)
    window.key(
        Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    )
    np.testing.assert_array_equal(window.on_disk(), painted)

    window.take("split")
    window.drag((90, 150), (160, 150))
    assert not window.on_disk()[100:150, 150].any()
    window.take("delete region")
    window.drag((225, 75))
    assert not window.on_disk()[200:250, 50:100].any()

    reopened = Corrections.open(load_result(window.path))
    assert [e.tool for e in reopened.log if e.action == "edit"] == [
        "brush",
        "brush",
        "split",
        "delete region",
    ]
    whole = slice(0, before.shape[0]), slice(0, before.shape[1])
    np.testing.assert_array_equal(reopened.mask(*whole), window.on_disk())
    assert reopened.undo() is not None
    assert load_result(window.path).map.label("mask").read(*whole)[225, 75] == 1


def test_moving_on_with_the_brush_in_hand_opens_the_next_field(window: Window) -> None:
    window.viewer.scene.camera.zoom = 6
    window.viewer.scene.camera.center = (400, 400)
    window.take("brush")
    first = window.editor.canvas.window
    window.viewer.scene.camera.zoom = 2
    window.viewer.scene.camera.center = (1400, 2000)
    window.wait_until(lambda: window.editor.canvas.window.holds(window.editor.canvas.seen()))
    assert window.editor.canvas.layer.mode == "paint"
    window.drag((340, 490), (340, 500))
    assert window.on_disk()[340, 495] == 1
    assert first is not None


def test_closing_the_window_waits_for_strokes(
    make_napari_viewer: Callable[..., Any], qtbot: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    import time

    preferences.answer(True)
    path = measured_result(tmp_path, open_slide(sample_slide_path())).path
    viewer = make_napari_viewer(show=True)
    window = Window(viewer, path, qtbot.waitUntil)
    window.take("brush")
    apply = Corrections.apply

    def slowly(self: Corrections, *values: Any, **options: Any) -> Any:
        time.sleep(0.5)
        return apply(self, *values, **options)

    monkeypatch.setattr(Corrections, "apply", slowly)
    window.editor.canvas.layer.paint((350, 300), 1)
    vars(window).clear()
    viewer.close()
    mask = load_result(path).map.label("mask").read(slice(0, 480), slice(0, 640))
    assert mask[350, 300] == 1


def test_on_a_real_slide_the_stroke_is_where_the_mouse_was(
    make_napari_viewer: Callable[..., Any], qtbot: Any, tmp_path: Path, shared_data: Path
) -> None:
    preferences.answer(True)
    slide = shutil.copy(shared_data / "slides" / "CMU-1-Small-Region.svs", tmp_path)
    result = measured_result(tmp_path, open_slide(slide))
    held = [Window(make_napari_viewer(show=True), result.path, qtbot.waitUntil)]
    window = held.pop()
    window.take("encircle")
    corners = [(320, 60), (320, 160), (360, 160), (360, 60), (322, 62)]
    window.drag(*corners)
    mask = window.on_disk()
    assert mask[322:359, 64:158].mean() > 0.97
    assert not mask[310:318, 60:160].any()
    assert not mask[363:370, 60:160].any()
    qtbot.waitUntil(lambda: all(layer.loaded for layer in window.viewer.layers))
    vars(window).clear()
