"""A real napari window: drop a slide, run, look, measure, export, cancel, close."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("napari", reason="needs napari")

from qtpy.QtCore import QMimeData, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QMessageBox, QWidget

from napari_breastpath.results import load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.analysis_dock import AnalysisDock
from napari_breastpath.viewer.coordinates import world_placement
from napari_breastpath.viewer.measurements_dock import MeasurementsDock
from napari_breastpath.viewer.session import Session

pytestmark = pytest.mark.window
OVERLAYS = ("probability", "tissue", "mask", "regions", "caliper")
RUN_MS, SHORT_MS = 240_000, 30_000


@dataclass
class Window:
    """A napari window with both docks."""

    viewer: Any
    analysis: AnalysisDock
    measurements: MeasurementsDock
    wait_until: Callable[..., None]

    @property
    def session(self) -> Session:
        return Session.of(self.viewer)

    def idle(self) -> bool:
        return self.analysis.runner.idle

    def inferred(self) -> int:
        result = self.session.result
        return 0 if result is None else int((result.map.tile_state == 1).sum())

    def drop(self, path: Path) -> None:
        """Drop a file on the canvas, as a file manager does."""
        target = self.canvas()
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        copy, center = Qt.DropAction.CopyAction, QPointF(target.rect().center())
        enter = QDragEnterEvent(center.toPoint(), copy, data, left, none)
        QApplication.sendEvent(target, enter)
        QApplication.sendEvent(target, QDropEvent(center, copy, data, left, none))

    def canvas(self) -> QWidget:
        """The widget that takes drops, over the canvas."""
        window = self.analysis.window()
        return next(w for w in window.centralWidget().findChildren(QWidget) if w.acceptDrops())


@pytest.fixture
def open_window(
    make_napari_viewer_proxy: Any, qtbot: Any, tmp_path: Path
) -> Iterator[Callable[[], Window]]:
    held: list[Window] = []

    def make() -> Window:
        viewer = make_napari_viewer_proxy(show=True)
        preferences.answer(True)
        preferences.settings().results.folder = str(tmp_path)
        docks = [
            viewer.window.add_plugin_dock_widget("napari-breastpath", name)[1]
            for name in ("Breast analysis", "Measurements")
        ]
        held.append(Window(viewer, docks[0], docks[1], qtbot.waitUntil))
        return held[-1]

    yield make
    for window in held:
        window.analysis.runner.stop_and_let_go()
        # napari's fixture checks that nobody holds the window: neither we nor slices under way.
        qtbot.waitUntil(lambda: all(x.loaded for x in window.viewer.layers))  # noqa: B023
        qtbot.wait(100)
        vars(window).clear()


@pytest.fixture
def window(open_window: Callable[[], Window]) -> Window:
    return open_window()


def answer(text: str) -> None:
    """Press that button of the next message box."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox):
            (*_, button) = [box.escapeButton(), *(b for b in box.buttons() if text in b.text())]
            button.click()
        else:
            QTimer.singleShot(50, press)

    QTimer.singleShot(50, press)


def test_from_dropping_a_slide_to_cancelling_a_second_run(window: Window, tmp_path: Path) -> None:
    session, analysis, measurements = window.session, window.analysis, window.measurements
    analysis.run_button.click()
    assert "no slide is open" in analysis.status.text()

    window.drop(sample_slide_path())
    window.wait_until(lambda: session.slide is not None, timeout=SHORT_MS)
    assert session.slide_layer is not None
    assert str(session.slide_layer.units[0]) == "micrometer"

    analysis.run_button.click()
    assert analysis.run_button.text() == "Cancel"
    window.wait_until(lambda: session.layer("probability") is not None, timeout=SHORT_MS)
    window.wait_until(window.idle, timeout=RUN_MS)
    assert session.result is not None
    assert session.result.status == "complete"
    assert all(session.layer(role) is not None for role in OVERLAYS)
    assert measurements.table.model().rowCount() == len(session.result.regions) > 0

    area = session.result.record["regions"]["total_area_mm2"]
    measurements.slider.setValue(80)
    window.wait_until(
        lambda: session.result.record["settings"]["threshold"] == 0.8, timeout=SHORT_MS
    )
    assert session.result.record["regions"]["total_area_mm2"] < area
    assert load_result(session.result.path).record["settings"]["threshold"] == 0.8

    for to in ("geojson", "csv"):
        measurements.exchange.export(to, tmp_path / f"regions.{to}")
        window.wait_until(window.idle, timeout=SHORT_MS)
    count = len(session.result.regions)
    assert len(json.loads((tmp_path / "regions.geojson").read_text())["features"]) == count
    assert len(pd.read_csv(tmp_path / "regions.csv")) == count

    answer("anew")
    analysis.run_button.click()
    window.wait_until(lambda: analysis.bar.maximum() > 1, timeout=SHORT_MS)
    analysis.run_button.click()
    assert analysis.run_button.text() == "Cancelling…"
    window.wait_until(window.idle, timeout=SHORT_MS)
    assert session.result.status == "partial"
    assert "Run goes on" in analysis.status.text()
    assert session.layer("mask") is None
    assert session.layer("caliper") is None
    assert measurements.table.model().rowCount() == 0


def test_a_run_goes_on_after_the_window_was_closed(
    open_window: Callable[[], Window], tmp_path: Path
) -> None:
    window = open_window()
    window.analysis.open(sample_slide_path())
    window.analysis.run_button.click()
    window.wait_until(lambda: window.inferred() > 0, timeout=RUN_MS)
    window.viewer.close()
    assert window.idle()
    (path,) = tmp_path.glob("*.breastpath")
    done = int((load_result(path).map.tile_state == 1).sum())
    assert load_result(path).status == "partial"
    assert done > 0

    again = open_window()
    again.analysis.open(path)
    assert again.session.slide is not None
    again.analysis.run_button.click()
    again.wait_until(again.idle, timeout=RUN_MS)
    result = again.session.result
    assert result is not None
    assert result.status == "complete"
    assert again.inferred() > done
    inferred = [line for line in (path / "run.log").read_text().splitlines() if "inferring" in line]
    assert len(inferred) == 2


def test_deleted_layers_come_back_and_added_tissue_is_analysed_alone(window: Window) -> None:
    session, analysis = window.session, window.analysis
    analysis.open(sample_slide_path())
    areas = session.viewer.add_shapes([[[300, 300], [900, 1000]]], **world_placement())
    areas.selected_data = {0}
    analysis.form.choose(where="selected shapes")
    analysis.run_button.click()
    window.wait_until(lambda: session.layer("probability") is not None, timeout=SHORT_MS)
    session.viewer.layers.remove(session.layer("probability"))
    window.wait_until(window.idle, timeout=RUN_MS)
    assert all(session.layer(role) is not None for role in OVERLAYS[:4])

    for role in ("mask", "tissue"):
        session.viewer.layers.remove(session.layer(role))
    answer("Show")
    analysis.run_button.click()
    window.wait_until(window.idle, timeout=SHORT_MS)
    assert all(session.layer(role) is not None for role in OVERLAYS[:4])

    before = window.inferred()
    analysis.add_tissue_button.click()
    assert "the outline is unchanged" in analysis.status.text()
    layer = session.layer("tissue")
    layer.data[-60:-30, -60:-30] = 1
    layer.refresh()
    analysis.add_tissue_button.click()
    window.wait_until(window.idle, timeout=RUN_MS)
    assert before < window.inferred() <= before + 9
    assert np.asarray(session.layer("tissue").data)[-60:-30, -60:-30].all()


def test_another_slide_may_be_opened_while_one_is_analysed(window: Window, tmp_path: Path) -> None:
    other = Path(shutil.copy(sample_slide_path(), tmp_path / "other.tif"))
    with other.open("ab") as file:
        file.write(b"another fingerprint")
    window.analysis.open(sample_slide_path())
    window.analysis.form.choose(where="what I see")
    window.session.viewer.scene.camera.zoom = 2
    window.analysis.run_button.click()
    window.wait_until(lambda: window.session.layer("probability") is not None, timeout=SHORT_MS)
    window.analysis.open(other)
    assert window.session.result is None
    window.wait_until(window.idle, timeout=RUN_MS)
    assert window.session.slide.path == other
    assert window.session.result is None
    assert window.session.layer("probability") is None
    assert "sample_slide.tif" in window.analysis.status.text()
    (path,) = tmp_path.glob("*.breastpath")
    assert load_result(path).status == "complete"
