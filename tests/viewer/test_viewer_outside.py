"""What another program does to a result that is open here is followed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from viewer_measured import measured_result

from napari_breastpath.cli import main
from napari_breastpath.results import load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.viewer import outside, preferences
from napari_breastpath.viewer.correct_dock import CorrectDock
from napari_breastpath.viewer.live_numbers import LiveNumbers
from napari_breastpath.viewer.measurements_dock import MeasurementsDock
from napari_breastpath.viewer.outside import Outside
from napari_breastpath.viewer.session import Session

WAIT_MS = 20_000
SQUARE_PX = [[800, 2400], [1600, 2400], [1600, 3200], [800, 3200], [800, 2400]]
"""0.4 × 0.4 mm of the slide, in level-0 pixels of 0.5 µm."""


def annotations(folder: Path) -> Path:
    """Return a file with one area of tumour, as QuPath writes it."""
    area = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [SQUARE_PX]},
        "properties": {"classification": {"name": "tumour"}},
    }
    path = folder / "areas.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [area]}))
    return path


@pytest.fixture
def viewer() -> ViewerModel:
    preferences.answer(False)
    preferences.set_reader_name("A. Reader")
    return ViewerModel()


def test_numbers_mask_and_undo_follow_an_import_in_a_terminal(
    viewer: ViewerModel, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(condition: Callable[[], Any]) -> None:
        qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)

    monkeypatch.setattr(outside, "LOOK_MS", 100)
    measurements, correct = MeasurementsDock(viewer), CorrectDock(viewer)
    for dock in (measurements, correct):
        qtbot.addWidget(dock)
    session = Session.of(viewer)
    result = measured_result(tmp_path, session.open_slide(sample_slide_path()))
    session.show_result(load_result(result.path))
    Outside.of(session)
    live = LiveNumbers.of(session)
    wait(lambda: live.is_ready)
    assert measurements.table.model().rowCount() == 2

    assert main(["import", str(result.path), str(annotations(tmp_path)), "--as", "edits"]) == 0
    wait(lambda: measurements.table.model().rowCount() == 3)
    wait(lambda: live.is_ready and live.is_saved)
    assert "changed by another program" in str(notification_manager.records[-1].message)
    assert session.layer("mask").data[0][350, 150] == 1
    assert correct.undo.text() == "Undo import"

    correct.undo.click()
    assert correct.editor.drain()
    wait(lambda: measurements.table.model().rowCount() == 2)
    wait(lambda: live.is_saved)
    record = load_result(result.path).record
    assert (record["regions"]["count"], record["edits"]["entries"]) == (2, 2)
