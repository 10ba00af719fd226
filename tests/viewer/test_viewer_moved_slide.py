"""The slide of a result that moved: asked for once, checked by fingerprint, remembered."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QWidget
from viewer_measured import measured_result

from napari_breastpath.core.errors import SlideError
from napari_breastpath.results import Result, load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import dialogs, moved_slide
from napari_breastpath.viewer.opening import open_path
from napari_breastpath.viewer.session import Session


@pytest.fixture
def result(tmp_path: Path) -> Result:
    """A result in `results/`, whose slide was moved from `slides/` to `elsewhere/`."""
    for name in ("slides", "elsewhere", "results"):
        (tmp_path / name).mkdir()
    before = Path(shutil.copy(sample_slide_path(), tmp_path / "slides" / "one.tif"))
    made = measured_result(tmp_path / "results", open_slide(before))
    before.rename(tmp_path / "elsewhere" / "one.tif")
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> Iterator[Any]:
    """Lines that were said with the question, and what is answered, in order."""
    window, said, answers = QWidget(), [], []
    qtbot.addWidget(window)

    def answer(result: Result, line: str, parent: QWidget) -> Path | None:
        said.append(line)
        return answers.pop(0)

    monkeypatch.setattr(dialogs, "parent_window", lambda: window)
    monkeypatch.setattr(moved_slide, "ask_where", answer)
    yield said, answers
    assert not answers


def other_slide(path: Path) -> Path:
    tifffile.imwrite(
        path, np.zeros((64, 64, 3), np.uint8), resolution=(20000, 20000), resolutionunit=3
    )
    return path


def test_a_moved_slide_is_asked_for_until_right_and_then_remembered(
    result: Result, asked: Any, tmp_path: Path
) -> None:
    said, answers = asked
    there = tmp_path / "elsewhere" / "one.tif"
    answers += [other_slide(tmp_path / "other.tif"), there]
    assert open_path(viewer := ViewerModel(), result.path)
    assert Session.of(viewer).slide.path == there
    assert "not there" in said[0]
    assert "fingerprint differs" in said[1]
    assert load_result(result.path).slide_path == there

    assert open_path(ViewerModel(), result.path), "opens by itself"
    assert len(said) == 2


def test_cancelling_opens_nothing(result: Result, asked: Any) -> None:
    said, answers = asked
    answers += [None]
    assert not open_path(viewer := ViewerModel(), result.path, said.append)
    assert Session.of(viewer).slide is None
    assert len(said) == 1, "no error for what the user chose"


def test_another_slide_of_the_name_is_not_taken_for_it(result: Result) -> None:
    other_slide(result.slide_path)
    viewer = ViewerModel()
    with pytest.raises(SlideError, match="fingerprint differs"):
        Session.of(viewer).open_result(result.path)


def test_the_slide_beside_its_result_is_found(result: Result, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "elsewhere" / "one.tif", result.path.parent)
    session = Session.of(viewer := ViewerModel())
    session.open_result(result.path)
    assert session.slide.path.parent == result.path.parent
    assert session.slide_layer in viewer.layers
