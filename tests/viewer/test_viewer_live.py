"""Numbers follow threshold and hands at once; what hands measure and sign is kept and locks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from npe2 import PluginManager
from qtpy.QtWidgets import QInputDialog, QMessageBox, QWidget
from viewer_measured import measured_result

from napari_breastpath.analyses import measure_result
from napari_breastpath.edits import Change
from napari_breastpath.report.wording import length_mm
from napari_breastpath.results import Result, load_result
from napari_breastpath.results.masks import row_slices
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.viewer import jobs, preferences, reader_name
from napari_breastpath.viewer.ellipse import NOT_YET, axes_world
from napari_breastpath.viewer.live_numbers import LiveNumbers
from napari_breastpath.viewer.measurements_dock import MeasurementsDock
from napari_breastpath.viewer.noting import NO_JOURNAL, note
from napari_breastpath.viewer.preferences import PLUGIN
from napari_breastpath.viewer.reviewing import NO_EXTENT, NOT_REVIEWED
from napari_breastpath.viewer.ruler_shapes import Figure
from napari_breastpath.viewer.rulers import Rulers
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.tour import LENGTH, Tour

WAIT_MS = 20_000
EXTENT = {"x1": 400.0, "y1": 800.0, "x2": 400.0, "y2": 5800.0, "length_mm": 2.5}
Wait = Callable[..., None]


@pytest.fixture
def dock(qtbot: Any, tmp_path: Path) -> MeasurementsDock:
    """The dock over a measured result, ready to follow."""
    preferences.answer(False)
    viewer = ViewerModel()
    dock = MeasurementsDock(viewer)
    qtbot.addWidget(dock)
    dock.viewer = viewer  # a session does not keep it
    session = Session.of(viewer)
    result = measured_result(tmp_path, session.open_slide(sample_slide_path()))
    session.show_result(load_result(result.path))
    qtbot.waitUntil(lambda: LiveNumbers.of(session).is_ready, timeout=WAIT_MS)
    return dock


@pytest.fixture
def wait(qtbot: Any) -> Wait:
    return lambda condition: qtbot.waitUntil(condition, timeout=WAIT_MS)


def figures(dock: MeasurementsDock) -> dict[str, str]:
    """What the dock says, by heading."""
    return dock.figures.texts


def erase(dock: MeasurementsDock) -> None:
    """Erase the smaller region, as the editor does."""
    where = np.ones((60, 60), bool)
    change = Change(195, 45, np.full(where.shape, 255, np.uint8), where)
    corrections = dock.session.corrections
    dock.session.edited.emit(corrections.apply(change, "eraser"))


def erase_all(dock: MeasurementsDock) -> None:
    """Erase everything."""
    shape = dock.session.result.lattice.shape
    change = Change(0, 0, np.full(shape, 255, np.uint8), np.ones(shape, bool))
    dock.session.edited.emit(dock.session.corrections.apply(change, "eraser"))


def whole(layer: Any, result: Result) -> np.ndarray:
    """The finest level of a layer, read by rows as napari reads windows."""
    return np.concatenate([layer.data[0][rows, :] for rows in row_slices(result)])


def test_numbers_and_mask_come_before_anything_is_written(
    dock: MeasurementsDock, wait: Wait
) -> None:
    result, layer = dock.session.result, dock.session.layer("mask")
    dock.slider.setValue(80)
    wait(lambda: dock.live.numbers is not None and dock.table.model().rowCount() == 1)
    assert load_result(result.path).record["settings"]["threshold"] == 0.5
    stored = result.map.label("mask")
    assert not np.array_equal(whole(layer, result), stored.levels[0][:])
    wait(lambda: dock.live.is_saved)
    saved = load_result(result.path)
    assert saved.record["settings"]["threshold"] == 0.8

    assert np.array_equal(whole(layer, result), saved.map.label("mask").levels[0][:])


def test_the_preview_is_the_mask_that_is_written_at_every_level(
    dock: MeasurementsDock, wait: Wait
) -> None:
    result, layer = dock.session.result, dock.session.layer("mask")
    erase(dock)
    dock.slider.setValue(59)
    wait(lambda: dock.live.numbers is not None and dock.live.numbers.threshold == 0.59)
    shown = [np.asarray(level) for level in layer.data]
    measure_result(load_result(result.path), 0.59)
    written = [level[:] for level in load_result(result.path).map.label("mask").levels]
    for seen, stored in zip(shown, written, strict=True):
        assert np.array_equal(seen, stored)


def test_an_edit_is_in_the_numbers_then_in_the_files(dock: MeasurementsDock, wait: Wait) -> None:
    erase(dock)
    wait(lambda: dock.table.model().rowCount() == 1)
    wait(lambda: dock.live.is_saved)
    record = load_result(dock.session.result.path).record
    assert (record["regions"]["count"], record["edits"]["strokes"]) == (1, 1)


def test_reopening_measures_what_was_not_measured_yet(dock: MeasurementsDock, wait: Wait) -> None:
    session = dock.session
    where = np.ones((60, 60), bool)
    session.corrections.apply(Change(195, 45, np.full(where.shape, 255, np.uint8), where), "eraser")
    session.show_result(load_result(session.result.path))  # nobody told of the edit
    wait(lambda: dock.live.is_saved)
    assert load_result(session.result.path).record["regions"]["count"] == 1


def test_manual_beside_automatic_and_back_by_one_click(dock: MeasurementsDock, wait: Wait) -> None:
    dock.caliper.dragged.emit(EXTENT)
    wait(lambda: "Automatic" in figures(dock))
    shown = figures(dock)
    assert "2.50 mm" in shown["Longest extent"]
    assert "manual" in shown["Longest extent"]
    assert shown["Automatic"].startswith("0.825 mm")
    assert shown["By hand"] == "Macrometastasis"
    texts = dock.session.layer("caliper").features["length"]
    assert {"0.825 mm automatic", "2.50 mm manual"} <= set(texts)
    wait(lambda: dock.live.is_saved)
    regions = load_result(dock.session.result.path).record["regions"]
    assert (regions["manual_longest_feret_mm"], regions["category"]) == (2.5, "micro")
    dock.reset_button.click()
    wait(lambda: "Automatic" not in figures(dock))
    wait(lambda: dock.live.is_saved)
    assert "manual_reader" not in load_result(dock.session.result.path).record["regions"]


def test_reviewed_locks_and_reopening_is_asked_and_logged(
    dock: MeasurementsDock, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    preferences.set_reader_name("A. Reader")
    dock.review.button.click()
    wait(lambda: not dock.slider.isEnabled())
    assert "Reviewed by A. Reader on 20" in dock.review.text.text()
    for widget in (dock.slider, dock.specimen, dock.exchange.import_button):
        assert not widget.isEnabled()
        assert "reopen it to change it" in widget.toolTip()
    assert not dock.caliper.may_drag
    wait(lambda: dock.live.is_saved)
    assert load_result(dock.session.result.path).record["reviewed"]["reader"] == "A. Reader"
    yes = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *_: yes)
    dock.review.button.click()
    wait(lambda: dock.slider.isEnabled())
    assert [e.action for e in dock.session.corrections.log] == ["review", "reopen"]


def run(dock: MeasurementsDock, name: str) -> None:
    """Run a command of ours as a menu does."""
    PluginManager.instance().commands.execute(f"{PLUGIN}.{name}", (dock.viewer,))


def test_hand_commands_do_as_their_buttons_do(
    dock: MeasurementsDock, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    preferences.set_reader_name("A. Reader")
    wait(lambda: dock.live.ellipse is not None)
    for is_on in (True, False):
        run(dock, "toggle_ellipse")
        assert (dock.session.layer("ellipse") is not None) == is_on == dock.axis_button.isChecked()
    hands = dock.session.corrections
    dock.caliper.dragged.emit(EXTENT)
    wait(lambda: hands.state.extent is not None)
    run(dock, "reset_extent")
    wait(lambda: hands.state.extent is None)
    run(dock, "review")
    wait(lambda: hands.state.reviewed is not None)
    for answer, is_locked in (("No", True), ("Yes", False)):
        said = getattr(QMessageBox.StandardButton, answer)
        monkeypatch.setattr(QMessageBox, "question", lambda *_, said=said: said)
        run(dock, "reopen")
        wait(lambda is_locked=is_locked: bool(dock._lock) == is_locked)


@pytest.mark.parametrize(
    ("name", "line"),
    [("toggle_ellipse", NOT_YET), ("review", NO_JOURNAL), ("reopen", NOT_REVIEWED),
     ("reset_extent", NO_EXTENT)],
)  # fmt: skip
def test_hand_commands_without_a_result_say_why_not(name: str, line: str, qtbot: Any) -> None:
    PluginManager.instance().commands.execute(f"{PLUGIN}.{name}", (viewer := ViewerModel(),))
    assert str(notification_manager.records[-1].message) == line
    assert len(viewer.layers) == 0


def test_a_category_that_hangs_on_a_map_pixel(dock: MeasurementsDock, wait: Wait) -> None:
    wait(lambda: dock.live.effects is not None)
    assert dock.doubt.isHidden()
    where = np.zeros((50, 200), bool)
    where[:, 49:] = True  # 49 × 10 px of 4 µm are left: 0.20004 mm from corner to corner
    where[10:] = True
    change = Change(100, 50, np.full(where.shape, 255, np.uint8), where)
    dock.session.edited.emit(dock.session.corrections.apply(change, "eraser"))
    erase(dock)
    wait(lambda: bool(dock.live.warning))
    assert not dock.doubt.isHidden()
    assert dock.doubt.text() == f"⚠ {dock.live.warning}"
    assert "4 µm) shorter" in dock.doubt.text()


def test_a_review_needs_a_name(dock: MeasurementsDock) -> None:
    dock.review.button.click()  # there is no window to ask in
    assert "needs a name" in dock.status.text()
    assert dock.session.corrections.log == ()


def test_a_name_is_asked_for_once_and_measurements_wait_for_it(
    dock: MeasurementsDock, qtbot: Any, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    monkeypatch.setattr(reader_name, "parent_window", lambda: window)
    dock.caliper.dragged.emit(EXTENT)
    question = window.findChild(QInputDialog)
    assert dock.session.corrections.log == ()
    question.setTextValue(" B.  Reader ")
    question.accept()
    wait(lambda: dock.session.corrections.state.extent is not None)
    assert dock.session.corrections.state.extent.reader == "B. Reader"
    assert preferences.reader_name() == "B. Reader"


def test_a_ruler_waits_for_the_name_and_is_in_the_record(
    dock: MeasurementsDock, qtbot: Any, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    monkeypatch.setattr(reader_name, "parent_window", lambda: window)
    rulers, corrections = Rulers.of(dock.session), dock.session.corrections
    rulers.add(Figure("ruler", np.array([(0.0, 0.0), (300.0, 400.0)])))
    wait(lambda: window.findChild(QInputDialog) is not None)
    assert corrections.log == ()
    question = window.findChild(QInputDialog)
    question.setTextValue("C. Reader")
    question.accept()
    wait(lambda: len(corrections.log) == 1)
    wait(lambda: dock.live.is_saved)
    edits = load_result(dock.session.result.path).record["edits"]
    assert (edits["entries"], corrections.log[0].reader) == (1, "C. Reader")


def test_a_refused_name_is_not_asked_for_again(
    dock: MeasurementsDock, qtbot: Any, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    monkeypatch.setattr(reader_name, "parent_window", lambda: window)
    dock.caliper.dragged.emit(EXTENT)
    window.findChild(QInputDialog).reject()
    dock.caliper.dragged.emit(EXTENT)
    wait(lambda: len(dock.session.corrections.log) == 2)
    assert dock.session.corrections.state.extent.reader == ""


def test_what_could_not_be_saved_is_tried_again(
    dock: MeasurementsDock, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        def function(work: Any) -> None:
            raise OSError("disk full")

        return function

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "measure", full)
        dock.slider.setValue(80)
        wait(lambda: "disk full" in dock.status.text())
    assert not dock.live.is_saved
    dock.caliper.dragged.emit(EXTENT)  # the next thing that somebody does
    wait(lambda: dock.live.is_saved)
    record = load_result(dock.session.result.path).record
    assert record["settings"]["threshold"] == 0.8
    assert record["regions"]["manual_longest_feret_mm"] == 2.5


def test_the_ellipse_follows_the_numbers(dock: MeasurementsDock, wait: Wait) -> None:
    wait(lambda: dock.axis_button.isEnabled())
    dock.axis_button.click()
    session = dock.session
    words = [text for text in session.layer("ellipse").features["length"] if text]
    major = session.result.record["regions"]["slide_major_axis_mm"]
    assert words == [f"challenge major axis {length_mm(major)}"]
    centre, along, _ = axes_world(dock.live.ellipse, session.slide.mpp)
    outline = session.layer("ellipse").data[0]
    assert np.allclose(outline.mean(axis=0), centre)
    assert np.hypot(*along) * 2 / 1e3 == pytest.approx(major)
    # 200 × 50 map px of 4 µm, lying: pixel centres from 50 to 250 by 100 to 150.
    half_px = np.array([session.slide.mpp.y, session.slide.mpp.x]) / 2
    assert np.allclose(centre, np.array([125, 150]) * 4.0 - half_px)
    assert abs(along[0]) < 1e-6 * abs(along[1])
    erase_all(dock)
    wait(lambda: session.layer("ellipse") is None)


def test_a_note_without_a_result_is_one_line(qtbot: Any) -> None:
    said: list[str] = []
    note(Session.of(viewer := ViewerModel()), "review", failed=said.append)
    assert said == ["There is no measured result to write to."]
    assert len(viewer.layers) == 0


def test_the_tour_says_why(dock: MeasurementsDock, wait: Wait) -> None:
    wait(lambda: dock.live.effects is not None)
    tour = Tour.of(dock.session)
    assert tour.ids() == list(dock.live.effects["region_id"])
    dock.tour.after.click()
    assert dock.tour.why.text().startswith("Region 1 (1 of 2): ")
    assert tour.why(1) in dock.tour.why.text()
    tour.order = LENGTH
    assert tour.ids() == [1, 2]
    dock.tour.before.click()
    assert dock.session.region == 2
