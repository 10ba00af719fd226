"""The dock Train without a window: who trains, what is missing, and what it says meanwhile."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QRectF, Qt

import foreign_models as make
from napari_breastpath.edits import Corrections
from napari_breastpath.results import Result
from napari_breastpath.training import TrainingProgress
from napari_breastpath.training.comparing import Agreement, ComparingProgress
from napari_breastpath.training.corrected import read_corrected
from napari_breastpath.viewer import preferences, train_job, train_words
from napari_breastpath.viewer.corrected_table import HANDS, HELD, PATIENT
from napari_breastpath.viewer.curve_view import PLOTS, place, points, value_range
from napari_breastpath.viewer.train_dock import NOTHING_YET, TrainDock
from training.training_corrected import corrected_result, untrained

ROW = {"epoch": 1.0, "train_loss": 0.9, "val_loss": 0.7, "val_dice": 0.4}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("corrected")
    return [corrected_result(folder, k) for k in range(3)]


@pytest.fixture
def folder(made: list[Result], tmp_path: Path) -> Path:
    """A folder with three corrected results, whose slides are elsewhere."""
    for result in made:
        shutil.copytree(result.path, tmp_path / "results" / result.path.name)
    return tmp_path / "results"


@pytest.fixture
def dock(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainDock:
    monkeypatch.setenv("BREASTPATH_MODELS", str(tmp_path / "models"))
    untrained(tmp_path / "models")
    preferences.answer(False)
    dock = TrainDock(ViewerModel())
    qtbot.addWidget(dock)
    choose(dock, "old")
    return dock


def choose(dock: TrainDock, model: str) -> None:
    dock.base.setCurrentIndex(dock.base.findData(model))


def hold_out(dock: TrainDock, row: int, held: bool = True) -> None:
    state = Qt.CheckState.Checked if held else Qt.CheckState.Unchecked
    dock.table.item(row, HELD).setCheckState(state)


def test_an_empty_dock_says_what_to_do(dock: TrainDock) -> None:
    assert dock.choice_note.text() == NOTHING_YET
    dock.start()
    assert "no corrected slide is chosen; add the result of" in dock.status.text()
    assert dock.runner.idle


def test_slides_are_listed_with_patient_and_hands(dock: TrainDock, folder: Path) -> None:
    dock.add_all(folder)
    texts = [[dock.table.item(k, c).text() for c in (PATIENT, HANDS)] for k in range(3)]
    assert texts[1] == ["S1", "1 stroke, A. Reader"]
    assert dock.choice_note.text().startswith("Nobody is held out")
    hold_out(dock, 2)
    assert dock.choice_note.text().startswith("2 patients to train on")
    dock.table.selectRow(0)
    dock.remove.click()
    assert [each.patient for each in dock.table.slides] == ["S1", "S2"]
    assert dock.choice_note.text().startswith("2 patients are too few")


def test_slides_of_a_patient_are_held_out_together(dock: TrainDock, folder: Path) -> None:
    dock.add_all(folder)
    hold_out(dock, 2)
    dock.table.item(1, PATIENT).setText("S2")
    assert [each.held_out for each in dock.table.slides] == [False, True, True]
    hold_out(dock, 1, held=False)
    assert not any(each.held_out for each in dock.table.slides)
    dock.table.item(0, PATIENT).setText("  ")
    assert dock.table.slides[0].patient == "S0"


def test_one_patient_cannot_be_held_out(dock: TrainDock, folder: Path) -> None:
    dock.add(folder / "S0.tif.tumour.breastpath")
    dock.start()
    assert "all slides are of one patient (S0)" in dock.status.text()


def test_corrections_made_since_are_counted_and_settings_stay(
    dock: TrainDock, folder: Path
) -> None:
    path = folder / "S0.tif.tumour.breastpath"
    dock.add(path)
    hold_out(dock, 0)
    Corrections.open(Result.load(path), "B. Reader").note("review")
    dock.add(path)
    (one,) = dock.table.slides
    assert one.held_out
    assert dock.table.item(0, HANDS).text() == "1 stroke, A. Reader, reviewed by B. Reader"


def test_what_cannot_be_added_is_one_line(dock: TrainDock, folder: Path, tmp_path: Path) -> None:
    dock.add(tmp_path)
    assert "no result.json in it" in dock.status.text()
    dock.add_all(tmp_path)
    assert "holds no result" in dock.status.text()
    result = Result.load(folder / "S1.tif.tumour.breastpath")
    shutil.rmtree(result.path / "journal")
    dock.add(result.path)
    assert "nobody corrected or reviewed it" in dock.status.text()
    result.save(slide=result.record["slide"] | {"path": str(tmp_path / "gone" / "S1.tif")})
    dock.add_all(folder)
    assert dock.status.text().startswith("1 result left out. The first: ")
    assert "the slide of S1.tif.tumour.breastpath is not there" in dock.status.text()
    assert len(dock.table.slides) == 2


def test_a_slide_that_moved_beside_its_result_is_found(
    dock: TrainDock, made: list[Result], folder: Path, tmp_path: Path
) -> None:
    result = Result.load(folder / "S1.tif.tumour.breastpath")
    moved = shutil.copy(result.slide_path, folder / "S1.tif")
    result.save(slide=result.record["slide"] | {"path": str(tmp_path / "gone" / "S1.tif")})
    assert dock.add(result.path)
    assert Result.load(result.path).slide_path == Path(moved)


def test_a_foreign_program_cannot_be_trained_on(
    qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREASTPATH_MODELS", str(tmp_path / "models"))
    make.zoo_folder(tmp_path / "models" / "zoo-toy")
    dock = TrainDock(ViewerModel())
    qtbot.addWidget(dock)
    choose(dock, "zoo-toy")
    assert "zoo-toy: is a program (torchscript)" in dock.status.text()


@pytest.mark.parametrize(
    ("name", "line"),
    [("", "cannot be a model's"), ("../x", "cannot be a model's"), ("old", "installed already")],
)
def test_a_name_that_cannot_be_is_one_line(
    dock: TrainDock, folder: Path, name: str, line: str
) -> None:
    dock.add_all(folder)
    hold_out(dock, 2)
    dock.name.setText(name)
    dock.start()
    assert line in dock.status.text()
    assert dock.runner.idle


def test_a_library_that_is_missing_is_named(
    dock: TrainDock, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_job, "NEEDED", ("no_such_library",))
    dock.add_all(folder)
    dock.start()
    assert 'not installed; pip install "napari-breastpath[train]"' in dock.status.text()


def test_the_new_name_is_free(dock: TrainDock, tmp_path: Path) -> None:
    assert dock.name.text() == "old-retrained"
    (tmp_path / "models" / "old-retrained").mkdir()
    assert train_job.free_name("old") == "old-retrained-2"


def test_time_left_follows_from_the_pace() -> None:
    now = [0.0]
    pace = train_words.Pace(lambda: now[0])
    steps = [TrainingProgress("training", done, 10, 0.0, 1, 1, 4) for done in (1, 2, 9)]
    said = []
    for seconds, step in zip((0.0, 1.0, 20.0), steps, strict=True):
        now[0] = seconds
        said.append(train_words.text_of(step, pace))
    assert said[:2] == ["Training: epoch 1 of at most 4"] * 2
    # 8 of 40 batches took 20 s: 31 are left.
    assert said[2].endswith("at most 1 min 18 s left")


def test_comparing_says_which_slide_and_model_and_how_far() -> None:
    step = ComparingProgress("inference", 5, 10, 2.0, "S1.tif", "old", 2, 4)
    pace = train_words.Pace()
    assert train_words.text_of(step, pace).startswith("Comparing, 2 of 4: S1.tif by old. Analysing")
    assert train_words.share_of(step) == 1.5 / 4
    assert train_words.share_of(dataclasses.replace(step, stage="tissue")) == 0.25


def test_the_verdict_counts_slides_and_says_what_it_favours() -> None:
    def two(path: str, old: float, new: float) -> list[Agreement]:
        pair = (("old 1", old), ("new 0.1", new))
        return [Agreement(Path(path), name, Path("m"), {"dice": dice}) for name, dice in pair]

    found = [*two("a", 0.5, 0.8), *two("b", 0.9, 0.8), *two("c", float("nan"), 0.1)]
    text = train_words.verdict(found, "old 1", "new 0.1")
    assert text.startswith("New is better on 1 of 2 slides")
    assert "this favours it" in text


def test_curves_stay_in_their_frame() -> None:
    rows = [ROW, ROW | {"epoch": 2.0, "train_loss": float("nan"), "val_dice": 1.0}]
    assert points(rows, "train_loss") == [(1.0, 0.9)]
    assert points(rows, "val_dice") == [(1.0, 0.4), (2.0, 1.0)]
    error, agreement = PLOTS
    low, high = value_range(error, rows)
    assert low == 0
    assert high > 0.9
    assert value_range(agreement, rows) == (0, 1)
    assert value_range(error, []) == (0, 1.05)
    area = QRectF(10, 10, 100, 50)
    corner = place((5, 1.0), area, 5, (0, 1))
    assert (corner.x(), corner.y()) == (110, 10)


def test_a_run_that_was_stopped_shows_its_epochs_again(tmp_path: Path) -> None:
    assert train_job.finished_epochs(tmp_path) == []
    (tmp_path / "fold-1").mkdir()
    lines = (",".join(ROW), ",".join(map(str, ROW.values())))
    (tmp_path / "fold-1" / "curves.csv").write_text("\n".join(lines))
    assert train_job.finished_epochs(tmp_path) == [ROW]


def test_adding_nothing_shown_does_nothing(dock: TrainDock) -> None:
    assert not dock.add_shown.isEnabled()
    dock.add_shown_result()
    assert dock.table.slides == []


def test_a_result_is_read_without_being_changed(folder: Path) -> None:
    path = folder / "S0.tif.tumour.breastpath"
    before = {f: f.stat().st_mtime_ns for f in path.rglob("*")}
    read_corrected(path)
    assert {f: f.stat().st_mtime_ns for f in path.rglob("*")} == before
