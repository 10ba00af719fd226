"""Looking around in a real window: a ruler by mouse, a picture, and coming back to it all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from viewer_measured import measured_result

from napari_breastpath.edits import Corrections
from napari_breastpath.results import load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import preferences, snapshot
from napari_breastpath.viewer.pen import Pen
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.tracker import VIEW, Tracker

pytestmark = pytest.mark.window
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def result_path(tmp_path: Path) -> Path:
    return measured_result(tmp_path, open_slide(sample_slide_path(), mpp=(0.5, 0.25))).path


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    preferences.answer(False)
    preferences.set_reader_name("A. Reader")
    return make_napari_viewer(show=True)


def test_measure_by_mouse_take_a_picture_and_come_back(
    viewer: Any, result_path: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    session = Session.of(viewer)
    session.open_result(result_path)
    tracker = Tracker.of(session)
    tracker.go_to(1000, 2000, 10)
    qtbot.waitUntil(lambda: bool(tracker.visited.seen_at(10).any()))
    canvas = viewer.window._qt_viewer.canvas.native
    before = tracker.view()

    qtbot.keyClick(canvas, Qt.Key.Key_F8)
    assert Pen.of(session).kind == "ruler"
    start, end = QPoint(60, 50), QPoint(160, 50)
    qtbot.mousePress(canvas, LEFT, NONE, start)
    qtbot.mouseMove(canvas, QPoint(110, 50))
    qtbot.mouseMove(canvas, end)
    qtbot.mouseRelease(canvas, LEFT, NONE, end)
    qtbot.waitUntil(lambda: len(session.corrections.state.rulers) == 1)
    (ruler,) = Corrections.open(load_result(result_path)).state.rulers
    (x1, y1), (x2, y2) = ruler.points
    assert (abs(x2 - x1) * 0.5, abs(y2 - y1) * 0.25) == pytest.approx((100, 0), abs=1)
    assert tracker.view() == before, "the view did not pan"

    written = snapshot.save_view(viewer, session, tmp_path / "picture")
    with Image.open(written) as picture:
        assert picture.width == viewer.canvas.size[1]
        assert picture.height > viewer.canvas.size[0]
        assert json.loads(picture.text[snapshot.KEY])["magnification"] == 10
    assert viewer.canvas.overlays.scale_bar.visible

    qtbot.waitUntil((result_path / VIEW).exists)
    tracker.save()
    share = session.visited_share
    session.close_slide()
    viewer.open(str(result_path), plugin="napari-breastpath")
    assert tracker.power == pytest.approx(10)
    view = tracker.view()
    assert (view.x, view.y) == pytest.approx((before.x, before.y), abs=4), "1 screen pixel"
    assert len(session.layer("rulers").data) == 1
    qtbot.waitUntil(lambda: session.visited_share == share)
