"""The question of the first slide, both answers, and what napari then does with a .tif."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from napari.components import ViewerModel
from napari.errors import MultipleReaderError
from napari.settings import get_settings
from npe2 import PluginManager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow

from napari_breastpath.sample import sample_slide_path
from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.layers import tag

YES, NO = 0, 1


@pytest.fixture(autouse=True)
def readers() -> None:
    """napari's own reader and ours, as installed."""
    PluginManager.instance().discover()


@pytest.fixture
def window(qtbot: QtBot) -> QMainWindow:
    """Somewhere to ask."""
    window = QMainWindow()
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.fixture
def answered(qtbot: QtBot, window: QMainWindow, request: pytest.FixtureRequest) -> int:
    """The question, asked and answered with a click."""
    button: int = request.param
    box = preferences.ask_once()
    assert box is not None
    qtbot.mouseClick(box.buttons()[button], Qt.MouseButton.LeftButton)
    return button


@pytest.mark.parametrize("answered", [YES], indirect=True)
@pytest.mark.parametrize("name", ["slide.tif", "SLIDE.TIF"])
def test_yes_opens_slides_with_our_reader_in_the_background(
    answered: int, tmp_path: Path, name: str
) -> None:
    path = shutil.copy(sample_slide_path(), tmp_path / name)
    (layer,) = ViewerModel().open(path, plugin=None)
    assert tag(layer)["role"] == "slide"
    assert get_settings().experimental.async_


@pytest.mark.parametrize("answered", [NO], indirect=True)
def test_no_leaves_napari_as_it_is(answered: int) -> None:
    with pytest.raises(MultipleReaderError):
        ViewerModel().open(sample_slide_path(), plugin=None)
    assert not get_settings().experimental.async_


@pytest.mark.parametrize("answered", [YES, NO], indirect=True)
def test_the_answer_is_remembered(answered: int) -> None:
    assert preferences.ask_once() is None
    saved = preferences.settings().config_path.read_text()
    assert "ask: false" in saved


def test_without_a_window_nobody_is_asked() -> None:
    assert preferences.ask_once() is None
    assert preferences.should_ask()


def test_readers_chosen_for_other_files_stay() -> None:
    get_settings().plugins.extension2reader = {"*.csv": "napari"}
    preferences.answer(True)
    assert get_settings().plugins.extension2reader["*.csv"] == "napari"


def test_a_result_folder_opens_without_asking_after_yes(tmp_path: Path) -> None:
    from viewer_results import make_result

    from napari_breastpath.slides import open_slide

    result = make_result(tmp_path, slide=open_slide(sample_slide_path()))
    preferences.answer(True)
    added = ViewerModel().open(result.path, plugin=None)
    assert [tag(layer)["role"] for layer in added] == ["slide", "probability"]
