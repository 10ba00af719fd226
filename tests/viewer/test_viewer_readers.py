"""Two readers' corrections of one slide, on a viewer without a window."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QWidget
from viewer_measured import measured_result
from viewer_results import make_result

from napari_breastpath.analyses import measure_result
from napari_breastpath.edits import Change, Corrections
from napari_breastpath.results import Result, load_result
from napari_breastpath.results.maps import ERASED
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.reader_layers import READER_ROLES
from napari_breastpath.viewer.readers_dock import HINT, STALE, ReadersDock
from napari_breastpath.viewer.session import Session


def painted(row: int, column: int, height: int, width: int, value: int = 1) -> Change:
    values = np.full((height, width), value, np.uint8)
    return Change(row, column, values, values > 0)


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of regions 50 × 200 and 50 × 50 px (4 µm), A adds 20 × 30 px and B erases the smaller."""
    folder = tmp_path_factory.mktemp("corrected")
    (folder / "a").mkdir()
    result = measured_result(folder / "a", open_slide(sample_slide_path()))
    other = load_result(shutil.copytree(result.path, folder / "b" / result.path.name))
    Corrections.open(result, "A. Reader").apply(painted(350, 100, 20, 30), "brush")
    Corrections.open(other, "B. Lector").apply(painted(200, 50, 50, 50, ERASED), "delete region")
    for each in (result, other):
        measure_result(each)
    return folder


@pytest.fixture
def paths(corrected: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The results of A and of B, to be changed."""
    shutil.copytree(corrected, tmp_path, dirs_exist_ok=True)
    a, b = sorted(tmp_path.glob("*/*.breastpath"))
    return a, b


@pytest.fixture
def viewer() -> ViewerModel:
    preferences.answer(False)
    return ViewerModel()


@pytest.fixture
def dock(viewer: ViewerModel, paths: tuple[Path, Path], qtbot: Any) -> ReadersDock:
    Session.of(viewer).open_result(paths[0])
    dock = ReadersDock(viewer)
    qtbot.addWidget(dock)
    return dock


@pytest.fixture
def compared(dock: ReadersDock, paths: tuple[Path, Path], qtbot: Any) -> ReadersDock:
    assert dock.open(paths[1])
    qtbot.waitUntil(lambda: not dock.readers.busy, timeout=20_000)
    return dock


def layers(dock: ReadersDock) -> list[Any]:
    return [layer for role in READER_ROLES if (layer := dock.session.layer(role)) is not None]


def shown(dock: ReadersDock) -> dict[str, list[str]]:
    rows = [[dock.table.item(row, k) for k in range(3)] for row in range(dock.table.rowCount())]
    return {row[0].text(): [cell.text() for cell in row[1:] if cell] for row in rows}


def test_layers_are_named_after_readers_and_lie_in_micrometres(compared: ReadersDock) -> None:
    a, b, differences = layers(compared)
    assert (a.name, b.name) == ("A. Reader", "B. Lector")
    assert [x.editable for x in (a, b, differences)] == [False] * 3
    mask = compared.session.layer("mask")
    for layer in (a, b, differences):
        np.testing.assert_array_equal(layer.scale, mask.scale)
        np.testing.assert_array_equal(layer.translate, mask.translate)
    assert not mask.visible
    kinds = np.asarray(differences.data[0])
    assert np.bincount(kinds.ravel(), minlength=4).tolist()[1:] == [600 + 2500, 0, 0]
    assert kinds[360, 110] == 1


def test_figures_stand_side_by_side_with_units(compared: ReadersDock) -> None:
    common = 50 * 200
    dice = 2 * common / (2 * common + 600 + 2500)
    figures = shown(compared)
    assert figures["Dice"] == [f"{dice:.2f}"]
    assert figures["Area"] == ["0.210 mm²", "0.160 mm²"]
    assert figures["Longest extent"] == ["0.825 mm", "0.825 mm"]
    assert figures["Category"] == ["Micrometastasis", "Micrometastasis"]
    assert figures["Hausdorff"][0].endswith(" µm")


def test_the_tour_goes_through_differences_largest_first(compared: ReadersDock) -> None:
    texts, places = [], []
    for button in (compared.after, compared.after, compared.after, compared.before):
        button.click()
        texts.append(compared.where.text())
        places.append(compared.session.viewer.scene.camera.center[-2:])
    assert texts[0] == "1 of 2 · only A. Reader: 0.040 mm²"
    assert texts[1] == "2 of 2 · only A. Reader: 0.010 mm²"
    assert texts[2:] == texts[:2]
    assert places[0] == pytest.approx((900, 300), abs=4)
    assert places[1] == pytest.approx((1440, 460), abs=4)


def test_it_is_exported_with_what_it_rests_on(
    compared: ReadersDock, paths: tuple[Path, Path], tmp_path: Path
) -> None:
    compared.export(tmp_path / "two.csv")
    (figures,) = pd.read_csv(tmp_path / "two.csv").to_dict("records")
    masks = [
        np.asarray(load_result(path).map.label("mask").read(slice(None), slice(None)))
        for path in paths
    ]
    assert [figures["area_mm2_a"], figures["area_mm2_b"]] == pytest.approx(
        [np.count_nonzero(mask) * 16e-6 for mask in masks]
    )
    assert (figures["reader_a"], figures["reader_b"]) == ("A. Reader", "B. Lector")
    assert figures["slide_fingerprint"] == load_result(paths[0]).record["slide"]["fingerprint"]
    differences = pd.read_csv(tmp_path / "two.differences.csv")
    assert differences["kind"].tolist() == ["only A", "only A"]
    assert "two.csv" in compared.status.text()


def test_ending_leaves_the_slide_as_it_was(compared: ReadersDock) -> None:
    compared.end_button.click()
    assert layers(compared) == []
    assert compared.session.layer("mask").visible
    assert compared.status.text() == HINT
    assert compared.table.rowCount() == 0


def test_closing_the_dock_leaves_nothing_on_the_slide(compared: ReadersDock, qtbot: Any) -> None:
    frame = QWidget()
    qtbot.addWidget(frame)
    compared.setParent(frame)
    assert len(layers(compared)) == 3
    compared.setParent(None)  # as napari does when the dock's cross is clicked
    assert layers(compared) == []


def test_another_result_ends_it_too(compared: ReadersDock) -> None:
    compared.session.close_result()
    assert layers(compared) == []
    assert compared.readers.other is None


def test_a_correction_meanwhile_asks_for_another_comparison(
    compared: ReadersDock, qtbot: Any, tmp_path: Path
) -> None:
    corrections = compared.session.corrections
    compared.session.edited.emit(corrections.apply(painted(350, 100, 20, 30, ERASED), "eraser"))
    assert compared.status.text() == STALE
    compared.export(tmp_path / "old.csv")
    assert "compare again" in compared.status.text()
    assert not (tmp_path / "old.csv").exists()
    compared.again_button.click()
    qtbot.waitUntil(lambda: not compared.readers.busy, timeout=20_000)
    assert compared.readers.count == 1


def test_a_comparison_under_way_is_given_up(
    dock: ReadersDock, paths: tuple[Path, Path], qtbot: Any
) -> None:
    dock.open(paths[1])
    work = dock.readers._work
    dock.end_button.click()
    assert work.stop.is_set()
    assert work.ended.wait(20)
    qtbot.wait(50)
    assert dock.readers.found is None
    assert layers(dock) == []


def unmeasured(result: Result, folder: Path) -> Path:
    return make_result(folder, slide=open_slide(sample_slide_path())).path


def of_another_slide(result: Result, folder: Path) -> Path:
    other = Path(shutil.copytree(result.path, folder / result.path.name))
    load_result(other).save(slide=result.record["slide"] | {"fingerprint": "1" * 64})
    return other


REFUSED = {
    "is the result that is shown": lambda result, folder: result.path,
    "its slide is not that of": of_another_slide,
    "is not measured": unmeasured,
    "nowhere": lambda result, folder: folder / "nowhere.breastpath",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_compared_is_one_line(dock: ReadersDock, tmp_path: Path, line: str) -> None:
    folder = tmp_path / "third"
    folder.mkdir()
    assert not dock.open(REFUSED[line](dock.session.result, folder))
    assert line in dock.status.text()
    assert "\n" not in dock.status.text()
    assert layers(dock) == []


def test_without_a_result_there_is_nothing_to_compare(viewer: ViewerModel, qtbot: Any) -> None:
    dock = ReadersDock(viewer)
    qtbot.addWidget(dock)
    dock.choose()
    assert "no measured one is shown" in dock.status.text()
    assert not dock.end_button.isEnabled()


def test_nameless_readers_are_told_apart_by_their_folders(
    paths: tuple[Path, Path], tmp_path: Path
) -> None:
    from napari_breastpath.viewer.two_readers import reader_names

    first = load_result(paths[0])
    again = Path(shutil.copytree(paths[0], tmp_path / "again" / paths[0].name))
    names = reader_names(first, load_result(again))
    assert names == ("A. Reader (a)", "A. Reader (again)")
