"""Import…, Export… and Report: every format, in the background, one line whatever happens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from napari.components import ViewerModel
from PIL import Image
from qtpy.QtCore import QObject, QUrl, Slot
from qtpy.QtGui import QDesktopServices
from viewer_measured import measured_result

from napari_breastpath.core.errors import UsageError
from napari_breastpath.exchange.formats import FORMATS
from napari_breastpath.results import Result, load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.viewer import exporting, preferences
from napari_breastpath.viewer.analysis_dock import AnalysisDock
from napari_breastpath.viewer.measurements_dock import MeasurementsDock

SQUARE_MM2 = 0.04
"""400 × 400 level-0 px at 0.5 µm/px."""


@pytest.fixture
def viewer() -> ViewerModel:
    preferences.answer(False)
    return ViewerModel()


@pytest.fixture
def dock(viewer: ViewerModel, qtbot: Any, tmp_path: Path) -> MeasurementsDock:
    """The dock with a measured result."""
    dock = MeasurementsDock(viewer)
    qtbot.addWidget(dock)
    slide = dock.session.open_slide(sample_slide_path())
    dock.session.show_result(load_result(measured_result(tmp_path, slide).path))
    return dock


class Browser(QObject):
    """Takes what Qt would have the system's browser open."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    @Slot(QUrl)
    def open(self, url: QUrl) -> None:
        """Qt's hook."""
        self.asked.append(url.toLocalFile())


@pytest.fixture
def browser() -> Iterator[Browser]:
    browser = Browser()
    QDesktopServices.setUrlHandler("file", browser, "open")
    yield browser
    QDesktopServices.unsetUrlHandler("file")


def wait(dock: MeasurementsDock, qtbot: Any) -> str:
    qtbot.waitUntil(lambda: dock.runner.idle, timeout=30_000)
    return dock.status.text()


def shown(dock: MeasurementsDock) -> Result:
    assert dock.session.result is not None
    return dock.session.result


def outlines(folder: Path, name: str = "Tumor") -> Path:
    ring = [[2000, 2000], [2400, 2000], [2400, 2400], [2000, 2400], [2000, 2000]]
    path = folder / "drawn.geojson"
    properties = {"classification": {"name": name}}
    geometry = {"type": "Polygon", "coordinates": [ring]}
    path.write_text(json.dumps({"type": "Feature", "geometry": geometry, "properties": properties}))
    return path


@pytest.mark.parametrize("to", [to for to in FORMATS if not to.startswith("dicom")])
def test_every_format_is_exported(
    dock: MeasurementsDock, qtbot: Any, tmp_path: Path, to: str
) -> None:
    path = tmp_path / f"out{FORMATS[to].suffix}"
    dock.exchange.export(to, path)
    assert dock.status.text() == f"Exporting to {path.name} …"
    assert wait(dock, qtbot) == f"Exported to {path}"
    assert path.exists()


def test_a_format_that_needs_dicom_says_so_in_the_menu_and_when_asked_for(
    dock: MeasurementsDock, qtbot: Any, tmp_path: Path
) -> None:
    menu = dock.exchange.export_menu
    menu.aboutToShow.emit()
    grey = {to for to, action in menu.formats.items() if not action.isEnabled()}
    assert grey == {"dicom-seg", "dicom-sr"}
    assert menu.formats["dicom-sr"].toolTip() == exporting.NO_DICOM
    dock.exchange.export("dicom-sr", tmp_path / "a.dcm")
    assert "is no DICOM" in wait(dock, qtbot)
    assert not (tmp_path / "a.dcm").exists()


@pytest.mark.parametrize("to", ["dicom-seg", "dicom-sr"])
def test_a_dicom_slide_gives_dicom_results(
    dock: MeasurementsDock, qtbot: Any, tmp_path: Path, shared_data: Path, to: str
) -> None:
    slide = dock.session.open_slide(shared_data / "slides" / "CMU-1-Small-Region-dicom")
    dock.session.show_result(load_result(measured_result(tmp_path, slide).path))
    dock.exchange.export_menu.refresh()
    assert dock.exchange.export_menu.formats[to].isEnabled()
    dock.exchange.export(to, tmp_path / "a.dcm")
    assert wait(dock, qtbot) == f"Exported to {tmp_path / 'a.dcm'}"
    assert pydicom.dcmread(tmp_path / "a.dcm").Modality == to.split("-")[1].upper()


def test_where_nothing_can_be_written_is_one_line(
    dock: MeasurementsDock, qtbot: Any, tmp_path: Path
) -> None:
    dock.exchange.export("csv", tmp_path / "nowhere" / "a.csv")
    text = wait(dock, qtbot)
    assert "a.csv: cannot be written" in text
    assert "\n" not in text


def test_no_two_formats_are_offered_the_same_file(dock: MeasurementsDock) -> None:
    names = [exporting.suggested(shown(dock), to).name for to in FORMATS]
    assert len(set(names)) == len(FORMATS)
    assert "sample_slide.tif.tumour.csv" in names
    assert all(
        exporting.with_suffix(Path(name), to).name == name
        for name, to in zip(names, FORMATS, strict=True)
    )


def test_a_suffix_left_out_is_added_but_never_onto_another_file(tmp_path: Path) -> None:
    assert exporting.with_suffix(tmp_path / "a", "ome-tiff") == tmp_path / "a.ome.tif"
    (tmp_path / "a.ome.tif").touch()
    with pytest.raises(UsageError, match="exists already"):
        exporting.with_suffix(tmp_path / "a", "ome-tiff")


@pytest.mark.parametrize(("what", "count"), [("regions", 1), ("edits", 3)])
def test_outlines_become_regions(
    dock: MeasurementsDock, qtbot: Any, tmp_path: Path, what: str, count: int
) -> None:
    heard: list[Result] = []
    dock.session.measured.connect(heard.append)
    dock.exchange.import_file(outlines(tmp_path), what)
    assert wait(dock, qtbot).startswith(f"Imported 1 areas of drawn.geojson as {what}")
    assert dock.table.model().rowCount() == count == len(shown(dock).regions)
    assert SQUARE_MM2 in shown(dock).regions["area_mm2"].round(4).tolist()
    mask = dock.session.layer("mask")
    assert mask is not None
    assert np.asarray(mask.data[0][275, 275]) == 1
    assert heard == [shown(dock)]


def test_imported_tissue_is_shown(dock: MeasurementsDock, qtbot: Any, tmp_path: Path) -> None:
    analysis = AnalysisDock(dock.session.viewer)
    qtbot.addWidget(analysis)
    height, width = shown(dock).lattice.shape
    tissue = np.zeros((height, width), np.uint8)
    tissue[20:200, 20:200] = 255
    Image.fromarray(tissue).save(tmp_path / "tissue.png")
    dock.exchange.import_file(tmp_path / "tissue.png", "tissue")
    assert wait(dock, qtbot).startswith("Imported 1 label values of tissue.png as tissue")
    layer = dock.session.layer("tissue")
    assert layer is not None
    assert not np.asarray(layer.data)[110:].any()
    assert analysis.outline.edited is None


def test_what_hands_painted_on_the_tissue_outlasts_an_import(
    dock: MeasurementsDock, qtbot: Any, tmp_path: Path
) -> None:
    analysis = AnalysisDock(dock.session.viewer)
    qtbot.addWidget(analysis)
    dock.session.layer("tissue").paint((2, 2), 1)
    dock.exchange.import_file(outlines(tmp_path), "edits")
    wait(dock, qtbot)
    assert analysis.outline.edited is not None


@pytest.mark.parametrize(
    ("name", "text"),
    [("Positive", "unknown here: 'Positive'"), (None, "drawn.geojson")],
)
def test_a_file_that_cannot_be_imported_is_one_line_and_changes_nothing(
    dock: MeasurementsDock, qtbot: Any, tmp_path: Path, name: str | None, text: str
) -> None:
    path = outlines(tmp_path, name or "")
    if name is None:
        path.write_text("{")
    before = (shown(dock).path / "result.json").read_bytes()
    dock.exchange.import_file(path, "regions")
    line = wait(dock, qtbot)
    assert text in line
    assert "\n" not in line
    assert (shown(dock).path / "result.json").read_bytes() == before


def test_the_report_is_written_and_opened(
    dock: MeasurementsDock, qtbot: Any, browser: Browser
) -> None:
    dock.exchange.report_button.click()
    path = shown(dock).path / "report.html"
    assert wait(dock, qtbot).startswith(f"The report is {path}")
    assert browser.asked == [str(path)]
    assert "<html" in path.read_text()


def test_one_thing_at_a_time(dock: MeasurementsDock, qtbot: Any, tmp_path: Path) -> None:
    go = threading.Event()
    dock.runner.start("The analysis", lambda work: go.wait(20), lambda _: None, dock.complain)
    for press in (
        lambda: dock.exchange.export("csv", tmp_path / "a.csv"),
        lambda: dock.exchange.export_dialog("csv"),
        lambda: dock.exchange.import_dialog("regions"),
        dock.exchange.report,
    ):
        dock.say("")
        press()
        assert "the analysis is under way; wait for it or cancel it" in dock.status.text()
    go.set()
    wait(dock, qtbot)
