"""Other people's models in the dock: listed, with their card, run only after a yes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox

import foreign_models as make
from napari_breastpath.models import is_trusted, load_model
from napari_breastpath.models.cards import card_text
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.analysis_dock import AnalysisDock
from napari_breastpath.viewer.trust_dialog import may_run, question


@pytest.fixture
def viewer(tmp_path: Path) -> ViewerModel:
    preferences.answer(False)
    preferences.settings().results.folder = str(tmp_path)
    return ViewerModel()


@pytest.fixture
def dock(
    viewer: ViewerModel, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AnalysisDock:
    """The analysis dock, a zoo model chosen in it."""
    monkeypatch.setenv("BREASTPATH_MODELS", str(tmp_path / "models"))
    make.zoo_folder(tmp_path / "models" / "zoo-toy")
    dock = AnalysisDock(viewer)
    qtbot.addWidget(dock)
    dock.form.model.setCurrentIndex(dock.form.model.findData("zoo-toy"))
    return dock


def press(text: str, seen: list[str]) -> None:
    """Press a button of the message box that comes up next."""

    def look() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(20, look)
            return
        seen.append(box.text())
        next(b for b in box.buttons() if b.text().replace("&", "") == text).click()

    QTimer.singleShot(0, look)


def test_a_foreign_model_can_be_chosen_and_its_card_says_whose_it_is(dock: AnalysisDock) -> None:
    assert dock.bundle.name == "zoo-toy"
    assert "not run by us" in dock.form.model.currentText()
    assert not dock.form.threshold.isEnabled()
    text = card_text(dock.bundle)
    for part in ("not run by us", "cc-by-nc-4.0", "not trusted", dock.bundle.sha256):
        assert part in text


def test_no_program_runs_without_a_yes(dock: AnalysisDock) -> None:
    seen: list[str] = []
    dock.open(sample_slide_path())
    press("Cancel", seen)
    dock.run()
    bundle = load_model("zoo-toy")
    assert seen == [question(bundle)]
    assert bundle.sha256 in seen[0]
    assert bundle.origin in seen[0]
    assert not is_trusted(bundle)
    assert dock.runner.task == ""


def test_a_yes_is_asked_for_once(dock: AnalysisDock) -> None:
    seen: list[str] = []
    press("Trust and run", seen)
    assert may_run(dock.bundle, dock)
    assert is_trusted(dock.bundle)
    assert may_run(dock.bundle, dock)
    assert len(seen) == 1
