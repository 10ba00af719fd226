"""Correct → retrain → compare in a real window, with a tiny model on tiny slides."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from napari_breastpath.analyses import Request, analyze_request
from napari_breastpath.edits import Change, Corrections
from napari_breastpath.models import ModelBundle, load_model
from napari_breastpath.viewer import preferences, train_job
from napari_breastpath.viewer.analysis_dock import AnalysisDock
from napari_breastpath.viewer.compared_layers import ROLE
from napari_breastpath.viewer.corrected_table import HELD
from napari_breastpath.viewer.layers import tag
from napari_breastpath.viewer.train_dock import TrainDock
from report.report_results import write_slide
from training.training_corrected import untrained

pytestmark = pytest.mark.window


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three slides as an untrained model sees them, the violet part painted by hand."""
    monkeypatch.setenv("BREASTPATH_MODELS", str(tmp_path / "models"))
    old = untrained(tmp_path / "models")
    preferences.answer(False)
    return [_corrected(tmp_path, number, old) for number in range(3)]


def _corrected(folder: Path, number: int, old: ModelBundle) -> Path:
    slide = write_slide(folder / f"S{number}.tif", width=1600 + 16 * number)
    asked = Request(stain="none", device="cpu", engine="torch", threads=1)
    result = analyze_request(slide, folder / "results", asked, old)
    height, width = result.lattice.shape
    values = np.full((height, width), 255, np.uint8)
    values[height // 4 : height // 2, width // 4 : width // 2] = 1
    Corrections.open(result, "A. Reader").apply(Change(0, 0, values, values > 0), "polygon")
    return result.path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, small batches."""
    plan = train_job.make_plan

    def planned(*arguments: Any) -> train_job.Plan:
        made = plan(*arguments)
        fit = dataclasses.replace(made.config.fit, batch=4, threads=1)
        return dataclasses.replace(made, config=dataclasses.replace(made.config, fit=fit))

    monkeypatch.setattr(train_job, "make_plan", planned)


def start(dock: TrainDock, epochs: int, tiles: int = 32) -> None:
    dock.base.setCurrentIndex(dock.base.findData("old"))
    dock.epochs.setValue(epochs)
    dock.tiles.setValue(tiles)
    dock.rate.setValue(0.005)
    dock.start_button.click()


def maps(viewer: ViewerModel) -> list[str]:
    return [layer.name for layer in viewer.layers if tag(layer).get("role") == ROLE]


@pytest.mark.usefixtures("quick")
def test_a_model_is_trained_cancelled_gone_on_with_compared_and_kept(
    make_napari_viewer: Callable[..., Any], results: list[Path], qtbot: QtBot
) -> None:
    viewer = make_napari_viewer(show=True)
    docks = [
        viewer.window.add_plugin_dock_widget("napari-breastpath", name)[1]
        for name in ("Train", "Breast analysis")
    ]
    dock, analysis = docks
    assert isinstance(dock, TrainDock)
    assert isinstance(analysis, AnalysisDock)
    dock.session.open_result(results[0])
    dock.add_shown.click()
    dock.add_all(results[0].parent)
    assert len(dock.table.slides) == 3
    dock.table.item(2, HELD).setCheckState(Qt.CheckState.Checked)

    start(dock, 5)
    qtbot.waitUntil(lambda: len(dock.curves.rows) >= 1, timeout=120_000)
    dock.start_button.click()
    qtbot.waitUntil(lambda: dock.runner.idle, timeout=60_000)
    assert "Start training goes on with it" in dock.status.text()
    before = list(dock.curves.rows)

    dock.start_button.click()
    qtbot.waitUntil(lambda: dock.runner.idle, timeout=180_000)
    assert [row["epoch"] for row in dock.curves.rows] == [1, 2, 3, 4, 5]
    assert dock.curves.rows[: len(before)] == before
    (pair,) = dock.compared.pairs
    old, new = (each.figures["dice"] for each in pair)
    assert new > max(old, 0.8)
    assert dock.verdict.text().startswith("New is better on 1 of 1 slide")

    dock.show_maps.click()
    assert dock.session.result.path == pair[0].corrected
    assert maps(viewer) == ["Old model", "New model"]
    dock.keep.click()
    qtbot.waitUntil(lambda: dock.runner.idle, timeout=60_000)
    assert load_model("old-retrained").sha256 == pair_sha(dock)
    assert analysis.form.model.findData("old-retrained") >= 0
    assert not dock.keep.isEnabled()


def pair_sha(dock: TrainDock) -> str:
    return load_model(train_job.run_folder("old-retrained") / "bundle").sha256


@pytest.mark.usefixtures("quick")
def test_thrown_away_leaves_nothing_but_the_corrections(
    make_napari_viewer: Callable[..., Any],
    results: list[Path],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-breastpath", "Train")
    dock.add_all(results[0].parent)
    dock.table.item(0, HELD).setCheckState(Qt.CheckState.Checked)
    start(dock, 1, 8)
    qtbot.waitUntil(lambda: dock.runner.idle, timeout=180_000)
    dock.show_maps.click()
    answer = QMessageBox.StandardButton.Yes
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answer)
    dock.throw_away.click()
    assert not train_job.run_folder("old-retrained").exists()
    assert maps(viewer) == []
    assert not dock.outcome.isVisible()
    assert all((path / "journal").is_dir() for path in results)
