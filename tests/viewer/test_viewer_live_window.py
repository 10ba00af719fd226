"""A real window: an end of the caliper is dragged with the mouse, and closing saves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from viewer_measured import measured_result

from napari_breastpath.results import load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.caliper import Caliper
from napari_breastpath.viewer.live_numbers import LiveNumbers
from napari_breastpath.viewer.measurements_dock import MeasurementsDock
from napari_breastpath.viewer.preferences import PLUGIN
from napari_breastpath.viewer.session import Session

pytestmark = pytest.mark.window
WAIT_MS = 20_000
LEFT, NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def on_canvas(viewer: Any, world: np.ndarray) -> QPoint:
    """Where a place (y, x) in µm is on the canvas."""
    camera, (height, width) = viewer.scene.camera, viewer.canvas.size
    y, x = (world - np.array(camera.center[-2:])) * camera.zoom
    return QPoint(round(width / 2 + x), round(height / 2 + y))


def test_a_dragged_end_is_a_manual_measurement_and_closing_saves_it(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot, tmp_path: Path
) -> None:
    preferences.answer(False)
    preferences.set_reader_name("A. Reader")
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Measurements")
    assert isinstance(dock, MeasurementsDock)
    session = Session.of(viewer)
    result = measured_result(tmp_path, session.open_slide(sample_slide_path()))
    session.show_result(load_result(result.path))
    viewer.window._qt_window.resize(1366, 768)
    qtbot.wait(500)  # until the canvas has its size
    dock.go_to_longest()
    qtbot.wait(200)
    canvas, caliper = viewer.window._qt_viewer.canvas.native, Caliper.of(session)
    center = viewer.scene.camera.center
    end = caliper._extents[-1].ends[1].copy()
    target = end + np.array([0, 60]) / viewer.scene.camera.zoom
    QTest.mouseMove(canvas, on_canvas(viewer, end))
    qtbot.waitUntil(lambda: viewer.cursor.style == "pointing", timeout=WAIT_MS)
    QTest.mousePress(canvas, LEFT, NO_KEY, on_canvas(viewer, end))
    for part in (0.5, 1):
        QTest.mouseMove(canvas, on_canvas(viewer, end + (target - end) * part))
        qtbot.wait(50)
    QTest.mouseRelease(canvas, LEFT, NO_KEY, on_canvas(viewer, target))
    hands = session.corrections
    qtbot.waitUntil(lambda: hands.state.extent is not None, timeout=WAIT_MS)
    assert viewer.scene.camera.center == center
    extent, mpp = hands.state.extent, session.slide.mpp
    across = np.hypot((extent.x2 - extent.x1) * mpp.x, (extent.y2 - extent.y1) * mpp.y)
    assert extent.length_mm == pytest.approx(across / 1e3)
    pixel_um = 1 / viewer.scene.camera.zoom
    drawn = caliper._extents[-1].ends
    assert np.abs(drawn[1] - target).max() < 2 * pixel_um
    assert not LiveNumbers.of(session).is_saved
    viewer.close()
    regions = load_result(result.path).record["regions"]
    assert regions["manual_longest_feret_mm"] == extent.length_mm
    assert regions["manual_reader"] == "A. Reader"
