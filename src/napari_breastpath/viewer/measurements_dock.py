"""The dock **Measurements**: the slide's figures, its regions, the threshold, files in and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QPushButton, QSlider, QVBoxLayout, QWidget
from superqt.utils import qdebounced

from napari_breastpath.core.errors import BreastPathError, ResultError, UsageError
from napari_breastpath.report.wording import RESEARCH_ONLY
from napari_breastpath.results import Result
from napari_breastpath.viewer import jobs, wording
from napari_breastpath.viewer.caliper import Caliper
from napari_breastpath.viewer.closing import ClosingGuard
from napari_breastpath.viewer.exchange_bar import ExchangeBar, shown_result
from napari_breastpath.viewer.form import (
    DOCK_WIDTH_PX,
    SPECIMENS,
    beside,
    choice,
    compact_form,
    note,
    select,
    threshold_box,
)
from napari_breastpath.viewer.layers import MEASURED
from napari_breastpath.viewer.listening import listen
from napari_breastpath.viewer.region_table import RegionTable
from napari_breastpath.viewer.runner import Runner
from napari_breastpath.viewer.session import Session

if TYPE_CHECKING:
    import pandas as pd
    from napari.viewer import Viewer

MEASURING = "Measuring"
WAIT_MS = 350
NOTHING_YET = "No measurements yet: run an analysis, or open a result."


class MeasurementsDock(QWidget):
    """Dock with the measurements of the result that a viewer's session shows.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer, or napari's proxy for it.
    parent : QWidget, optional
    """

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = Session.of(napari_viewer)
        self.runner = Runner.of(self.session)
        self.caliper = Caliper(self.session)
        self._guard: ClosingGuard | None = None
        self._wanted: dict[str, Any] = {}
        self._measure_soon = qdebounced(self._measure, timeout=WAIT_MS)
        self._build()
        self._connect()
        self.show_result(self.session.result)

    # ------------------------------------------------------------------ what it looks like
    def _build(self) -> None:
        self.figures = compact_form()
        self.warnings, self.status = note(), note()
        self.warnings.setStyleSheet(f"color: {wording.WARNING_COLOR};")
        self.threshold, self.slider = threshold_box(), QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(1, 99)
        self.threshold.setSingleStep(0.01)
        self.specimen = choice(SPECIMENS)
        self._choices = (self.threshold, self.slider, self.specimen)
        self.table = RegionTable()
        self.longest_button = QPushButton("Go to longest extent")
        self.exchange = ExchangeBar(self.session, self.runner, self.say)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(self.figures)
        layout.addWidget(self.warnings)
        choices = compact_form()
        choices.addRow("Specimen", self.specimen)
        choices.addRow("Threshold", beside(self.slider, self.threshold))
        layout.addLayout(choices)
        layout.addWidget(self.table, stretch=1)
        layout.addWidget(self.longest_button)
        layout.addWidget(self.exchange)
        layout.addWidget(self.status)
        layout.addWidget(note(RESEARCH_ONLY))
        self.setMinimumWidth(DOCK_WIDTH_PX)

    def _connect(self) -> None:
        self.slider.valueChanged.connect(lambda v: self.threshold.setValue(v / 100))
        self.threshold.valueChanged.connect(self._on_threshold)
        self.specimen.currentIndexChanged.connect(
            lambda _: self._want(specimen=self.specimen.currentData())
        )
        self.longest_button.clicked.connect(self.go_to_longest)
        self.table.chosen.connect(self.go_to)
        self.runner.changed.connect(self._on_runner)
        listen(self, self.session.result_changed, self.show_result)
        listen(self, self.session.measured, self._on_measured)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Qt's hook: now there is a window to watch."""
        super().showEvent(event)
        if self._guard is None:
            self._guard = ClosingGuard(self.window(), self.runner)

    # ------------------------------------------------------------------ what is shown
    def show_result(self, result: Result | None) -> None:
        """Show a result's figures; of one that is not measured yet, say so."""
        measured = result if result is not None and result.status in MEASURED else None
        self._wanted = {}
        self.say("" if measured else NOTHING_YET)
        try:
            self._show_measured(measured)
        except ResultError as error:
            self._show_measured(None)
            self.complain(error)
        self._on_runner()

    def _show_measured(self, result: Result | None) -> None:
        """Show figures and choices; whatever is wrong with a result is a `ResultError`."""
        try:
            self._show_figures(result)
            self._show_choices(result)
        except (KeyError, TypeError, ValueError) as error:
            if result is None:
                raise
            cause = f"its record or a table is damaged ({type(error).__name__}: {error})"
            raise ResultError(
                result.path, cause, "restore it, or analyse the slide anew"
            ) from error

    def _show_figures(self, result: Result | None) -> None:
        self.table.show_result(result)
        self._fill(wording.headline(result) if result else [])
        lines = wording.warning_lines(result) if result else []
        self.warnings.setText("\n".join(f"⚠ {line}" for line in lines))
        self.warnings.setVisible(bool(lines))
        self.caliper.show_longest(result)

    def _fill(self, figures: Sequence[tuple[str, str]]) -> None:
        while self.figures.rowCount():
            self.figures.removeRow(0)
        for row, (name, value) in enumerate(figures):
            figure, dot, rest = value.partition(" · ")
            first = f'<b style="font-size: 13pt">{figure}</b>{dot}{rest}'
            self.figures.addRow(name, note(first if row == 0 else value))

    def _show_choices(self, result: Result | None) -> None:
        """Show a result's threshold and specimen, without measuring again."""
        settings = result.record["settings"] if result else {}
        value = settings.get("threshold", 0.5)
        for widget in self._choices:
            widget.blockSignals(True)
        self.threshold.setValue(value)
        self.slider.setValue(round(value * 100))
        select(self.specimen, result.record["specimen"] if result else "unspecified")
        for widget in self._choices:
            widget.blockSignals(False)

    def _on_runner(self) -> None:
        """Let choices be changed only while nothing else writes to the result."""
        result, measuring = self.session.result, self.runner.task == MEASURING
        measured = result is not None and result.status in MEASURED
        free = measured and (self.runner.idle or measuring)
        one_class = measured and result is not None and len(result.classes) == 1
        for widget in (self.threshold, self.slider):
            widget.setEnabled(bool(free and one_class))
        self.specimen.setEnabled(bool(free))
        if self.runner.idle and self._wanted:
            self._measure_soon()

    def say(self, text: str, error: bool = False) -> None:
        """Show one line at the bottom."""
        self.status.setStyleSheet(f"color: {wording.ERROR_COLOR};" if error else "")
        self.status.setText(text)

    def complain(self, error: BreastPathError | str) -> None:
        """Show an error as one line."""
        self.say(str(error), error=True)

    # ------------------------------------------------------------------ measuring again
    def _on_threshold(self, value: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(value * 100))
        self.slider.blockSignals(False)
        self._want(threshold=round(value, 3))

    def _want(self, **choice: Any) -> None:
        self._wanted |= choice
        self._measure_soon()

    def _measure(self) -> None:
        """Measure as was asked for last, unless something is under way."""
        result, wanted = self.session.result, self._wanted
        if result is None or not wanted or not self.runner.idle:
            return
        self._wanted = {}
        self.say("Measuring …")
        work = jobs.measure(result.path, wanted.get("threshold"), wanted.get("specimen"))
        self.runner.start(MEASURING, work, self._on_measure_done, self.complain)

    def _on_measure_done(self, result: Result) -> None:
        """Show new figures, unless another result is shown by now or other ones are wanted."""
        if not self._is_shown(result):
            return
        self.session.result = result
        self.session.measured.emit(result)

    def _is_shown(self, result: Result) -> bool:
        return self.session.result is not None and self.session.result.path == result.path

    def _on_measured(self, result: Result) -> None:
        if self._is_shown(result) and not self._wanted:
            self.show_result(result)

    # ------------------------------------------------------------------ going places
    def go_to(self, region: pd.Series[Any]) -> None:
        """Bring a region of the table to the middle of the view."""
        self.session.go_to_region(region["region_id"])

    def go_to_longest(self) -> None:
        """Bring the longest extent to the middle of the view."""
        try:
            region = (shown_result(self.session).record["regions"] or {}).get(
                "longest_feret_region"
            )
            if region is None:
                raise UsageError("Longest extent", "there is no region", "lower the threshold")
            self.session.go_to_region(region)
        except BreastPathError as error:
            self.complain(error)
