"""The docks without a window: what they show, and one clear line for every wrong click."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Shapes
from viewer_measured import measured_result

from napari_breastpath.core.errors import ResultError
from napari_breastpath.models import load_model
from napari_breastpath.results import load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.analysis_dock import AnalysisDock
from napari_breastpath.viewer.measurements_dock import NOTHING_YET, MeasurementsDock
from napari_breastpath.viewer.model_card import card_text
from napari_breastpath.viewer.planning import paints_tumour


@pytest.fixture
def viewer(tmp_path: Path) -> ViewerModel:
    preferences.answer(False)
    preferences.settings().results.folder = str(tmp_path)
    return ViewerModel()


@pytest.fixture
def analysis(viewer: ViewerModel, qtbot: Any) -> AnalysisDock:
    dock = AnalysisDock(viewer)
    qtbot.addWidget(dock)
    return dock


@pytest.fixture
def measurements(viewer: ViewerModel, qtbot: Any) -> MeasurementsDock:
    dock = MeasurementsDock(viewer)
    qtbot.addWidget(dock)
    return dock


@pytest.mark.parametrize(
    ("task", "role", "offered"),
    [
        ("segmentation", "tumour", True),
        ("classification", "invasive", True),
        ("segmentation", "other", False),
        ("detection", "tumour", False),
    ],
)
def test_only_models_of_tumour_are_offered(task: str, role: str, offered: bool) -> None:
    bundle = load_model("tumour-demo")
    (kind,) = bundle.classes
    classes = (dataclasses.replace(kind, role=role),)
    assert paints_tumour(dataclasses.replace(bundle, task=task, classes=classes)) is offered


def open_measured(dock: MeasurementsDock, folder: Path) -> Any:
    slide = dock.session.open_slide(sample_slide_path())
    result = measured_result(folder, slide)
    dock.session.show_result(load_result(result.path))
    return dock.session.result


def rows(dock: MeasurementsDock, column: int) -> list[str]:
    model = dock.table.model()
    return [model.index(row, column).data() for row in range(model.rowCount())]


def wait_for_measuring(dock: MeasurementsDock, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: dock.runner.task == "Measuring", timeout=5000)
    qtbot.waitUntil(lambda: dock.runner.idle, timeout=20_000)


@pytest.mark.parametrize("press", ["run", "show_tissue", "analyse_added_tissue", "show_label"])
def test_without_a_slide_every_button_says_so(analysis: AnalysisDock, press: str) -> None:
    getattr(analysis, press)()
    assert analysis.status.text().startswith("Nothing to do: no slide is open; drop a slide")


def test_selected_shapes_with_none_selected_is_one_line(
    analysis: AnalysisDock, viewer: ViewerModel
) -> None:
    assert analysis.open(sample_slide_path())
    viewer.add_layer(Shapes([np.array([[0, 0], [0, 9], [9, 9]])], shape_type="polygon"))
    analysis.form.choose(where="selected shapes")
    analysis.run()
    assert "no area is selected" in analysis.status.text()
    assert analysis.runner.idle


def test_a_broken_slide_is_one_line(analysis: AnalysisDock, tmp_path: Path) -> None:
    (tmp_path / "broken.svs").write_text("no slide")
    assert not analysis.open(tmp_path / "broken.svs")
    assert "broken.svs: " in analysis.status.text()
    assert "\n" not in analysis.status.text()


def test_the_form_and_preferences_make_the_request(analysis: AnalysisDock) -> None:
    analysis.open(sample_slide_path())
    preferences.settings().inference.overlap = 64
    analysis.form.choose(stain="macenko", specimen="node", tissue="yen", threshold=0.35)
    request = analysis.request()
    assert (request.stain, request.specimen, request.tissue) == ("macenko", "node", "yen")
    assert (request.threshold, request.overlap, request.region) == (0.35, 64, None)


def test_tissue_is_shown_painted_on_and_used(
    analysis: AnalysisDock, qtbot: Any, tmp_path: Path
) -> None:
    analysis.open(sample_slide_path())
    analysis.show_tissue()
    qtbot.waitUntil(lambda: analysis.session.layer("tissue") is not None, timeout=20_000)
    layer = analysis.session.layer("tissue")
    assert analysis.request().tissue == "otsu"
    layer.paint((2, 2), 1)
    assert analysis.request().tissue == str(tmp_path / "sample_slide.tif.tissue.png")
    analysis.show_tissue()
    assert analysis.session.layer("tissue") is layer
    assert "by hand" in analysis.status.text()


def test_the_card_says_what_the_model_is_not_for(analysis: AnalysisDock) -> None:
    text = card_text(analysis.bundle)
    assert analysis.bundle.intended_use in text
    assert analysis.bundle.training_data in text


def test_without_a_result_there_is_nothing_to_measure_or_export(
    measurements: MeasurementsDock, tmp_path: Path
) -> None:
    assert measurements.status.text() == NOTHING_YET
    assert not measurements.slider.isEnabled()
    exchange = measurements.exchange
    for press in (
        measurements.go_to_longest,
        lambda: exchange.export("csv", tmp_path / "a.csv"),
        lambda: exchange.export_dialog("csv"),
        lambda: exchange.import_dialog("regions"),
        exchange.report,
    ):
        measurements.say("")
        press()
        assert "no measured one is shown; run an analysis" in measurements.status.text()
    assert not (tmp_path / "a.csv").exists()


def test_regions_are_listed_and_sorted_as_numbers(
    measurements: MeasurementsDock, tmp_path: Path
) -> None:
    open_measured(measurements, tmp_path)
    assert rows(measurements, 1) == ["0.825 mm", "0.283 mm"]
    measurements.table.sortByColumn(1, measurements.table.horizontalHeader().sortIndicatorOrder())
    assert rows(measurements, 1) == ["0.283 mm", "0.825 mm"]


def test_a_click_on_a_region_goes_there(
    measurements: MeasurementsDock, viewer: ViewerModel, tmp_path: Path
) -> None:
    open_measured(measurements, tmp_path)
    measurements.table.clicked.emit(measurements.table.model().index(1, 0))
    assert viewer.scene.camera.center[-2:] == pytest.approx((900, 300), abs=1)
    assert measurements.session.region == 2


def test_the_threshold_measures_again_without_waiting(
    measurements: MeasurementsDock, qtbot: Any, tmp_path: Path
) -> None:
    result = open_measured(measurements, tmp_path)
    for value in (60, 70, 80):
        measurements.slider.setValue(value)
    assert len(rows(measurements, 0)) == 2
    wait_for_measuring(measurements, qtbot)
    assert len(rows(measurements, 0)) == 1
    assert load_result(result.path).record["settings"]["threshold"] == 0.8
    assert measurements.session.layer("caliper") is not None
    measurements.slider.setValue(95)
    wait_for_measuring(measurements, qtbot)
    assert rows(measurements, 0) == []
    assert measurements.session.layer("caliper") is None
    measurements.go_to_longest()
    assert "there is no region; lower the threshold" in measurements.status.text()


def test_the_specimen_can_be_stated_afterwards(
    measurements: MeasurementsDock, qtbot: Any, tmp_path: Path
) -> None:
    result = open_measured(measurements, tmp_path)
    measurements.specimen.setCurrentIndex(measurements.specimen.findData("primary"))
    wait_for_measuring(measurements, qtbot)
    assert load_result(result.path).record["specimen"] == "primary"


def no_table(path: Path) -> None:
    (path / "regions.csv").unlink()


def empty_table(path: Path) -> None:
    (path / "regions.csv").write_text("")


def other_table(path: Path) -> None:
    (path / "regions.csv").write_text("a,b\n1,2\n")


def no_specimen(path: Path) -> None:
    record = json.loads((path / "result.json").read_text())
    del record["specimen"]
    (path / "result.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (no_table, "no regions.csv yet"),
        (empty_table, "a table is damaged"),
        (other_table, "'region_id, feret_max_mm"),
        (no_specimen, "'specimen'"),
    ],
)
def test_a_damaged_result_is_one_line(
    measurements: MeasurementsDock,
    tmp_path: Path,
    damage: Callable[[Path], None],
    text: str,
) -> None:
    slide = measurements.session.open_slide(sample_slide_path())
    result = measured_result(tmp_path, slide)
    damage(result.path)
    measurements.session.show_result(load_result(result.path))
    assert text in measurements.status.text()
    assert "\n" not in measurements.status.text()
    assert rows(measurements, 0) == []


def test_a_result_without_its_map_leaves_nothing_behind(
    measurements: MeasurementsDock, tmp_path: Path
) -> None:
    slide = measurements.session.open_slide(sample_slide_path())
    result = measured_result(tmp_path, slide)
    shutil.rmtree(result.map.path / "labels" / "mask")
    with pytest.raises(ResultError, match="damaged"):
        measurements.session.show_result(load_result(result.path))
    assert measurements.session.result is None
    assert measurements.session.layer("probability") is None
