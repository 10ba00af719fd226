"""napari's own window: dropping files, menus and palette, `breastpath view`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import pytest
from napari._app_model import get_app_model
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication, QMessageBox
from viewer_results import make_result

from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import launch, preferences
from napari_breastpath.viewer.layers import tag
from napari_breastpath.viewer.session import Session

pytestmark = pytest.mark.window


def drop(viewer: Any, path: Path) -> None:
    """Do what dropping a file on the canvas does."""
    viewer.window._qt_viewer._qt_open([str(path)], stack=False)


def question() -> QMessageBox | None:
    boxes = (w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox))
    return next((box for box in boxes if box.text().find(preferences.QUESTION) >= 0), None)


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any]) -> Any:
    viewer = make_napari_viewer(show=True)
    preferences.prefer_our_reader()
    return viewer


def test_a_slide_dropped_on_a_bare_window_is_the_sessions_slide(
    viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    path = Path(shutil.copy(sample_slide_path(), tmp_path / "dropped.tif"))
    drop(viewer, path)
    assert Session.of(viewer).slide.path == path
    assert viewer.canvas.overlays.scale_bar.visible
    qtbot.waitUntil(lambda: question() is not None)
    question().close()


def test_the_question_comes_with_the_first_slide_only(viewer: Any, qtbot: QtBot) -> None:
    preferences.answer(False)
    drop(viewer, sample_slide_path())
    qtbot.wait(100)
    assert question() is None


def test_a_dropped_result_brings_its_slide(viewer: Any, tmp_path: Path) -> None:
    preferences.answer(False)
    result = make_result(tmp_path, slide=open_slide(sample_slide_path()))
    result.save(status="complete")
    drop(viewer, result.path)
    session = Session.of(viewer)
    assert session.result.path == result.path
    assert (session.layer("regions").visible, session.layer("probability").visible) == (True, False)


def test_a_broken_slide_is_one_line_and_no_layer(
    viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    broken = tmp_path / "broken.svs"
    broken.write_text("no slide")
    drop(viewer, broken)
    assert len(viewer.layers) == 0
    assert len(said) == 1
    assert said[0].startswith("broken.svs: ")


def test_menu_commands_act_on_the_window_they_are_in(viewer: Any, tmp_path: Path) -> None:
    preferences.answer(False)
    result = make_result(tmp_path, slide=open_slide(sample_slide_path()))
    session = Session.of(viewer)
    session.open_result(result.path)
    commands = get_app_model().commands
    commands.execute_command("napari-breastpath.toggle_probability").result()
    assert not session.layer("probability").visible
    commands.execute_command("napari-breastpath.zoom_10").result()
    assert viewer.scene.camera.zoom == 1.0


def test_the_sample_is_in_the_menu(viewer: Any) -> None:
    preferences.answer(False)
    (layer,) = viewer.open_sample("napari-breastpath", "synthetic")
    assert tag(layer)["role"] == "slide"
    assert Session.of(viewer).slide is not None


def test_view_opens_napari_with_both_docks_and_the_slide(
    make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    preferences.answer(False)
    monkeypatch.setattr(napari, "Viewer", lambda **options: make_napari_viewer(**options))
    viewer = launch.view(sample_slide_path(), block=False)
    assert Session.of(viewer).slide is not None
    docked = " ".join(viewer.window.dock_widgets)
    assert all(name in docked for name in launch.DOCKS)
