"""The dock **Measurements**: the slide's figures, its regions, the threshold, files in and out."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QPushButton, QSlider, QVBoxLayout, QWidget

from napari_breastpath.core.errors import BreastPathError, ResultError, UsageError
from napari_breastpath.report.wording import RESEARCH_ONLY
from napari_breastpath.results import Result
from napari_breastpath.viewer import wording
from napari_breastpath.viewer.caliper import Caliper
from napari_breastpath.viewer.closing import ClosingGuard
from napari_breastpath.viewer.ellipse import NOT_YET, MomentAxis
from napari_breastpath.viewer.exchange_bar import ExchangeBar
from napari_breastpath.viewer.figure_form import FigureForm, set_text
from napari_breastpath.viewer.figures import Figures, undamaged
from napari_breastpath.viewer.form import (
    DOCK_WIDTH_PX,
    SPECIMENS,
    StatusPanel,
    beside,
    choice,
    compact_form,
    note,
    scrolling,
    select,
    threshold_box,
)
from napari_breastpath.viewer.listening import listen
from napari_breastpath.viewer.live_numbers import LiveNumbers
from napari_breastpath.viewer.noting import lock_reason
from napari_breastpath.viewer.noting import note as write_note
from napari_breastpath.viewer.pieces import Pieces
from napari_breastpath.viewer.reader_name import with_reader
from napari_breastpath.viewer.region_table import RegionTable
from napari_breastpath.viewer.review_bar import ReviewBar
from napari_breastpath.viewer.runner import Runner
from napari_breastpath.viewer.saver import MEASURING
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.tour import Tour
from napari_breastpath.viewer.tour_bar import TourBar

if TYPE_CHECKING:
    import pandas as pd
    from napari.viewer import Viewer

NOTHING_YET = "No measurements yet: run an analysis, or open a result."
TIPS = {
    "threshold": "A pixel belongs to the mask when its probability is strictly greater.",
    "slider": "A pixel belongs to the mask when its probability is strictly greater.",
    "specimen": "A lymph node gets a nodal category (ITC, micro, macro) from the longest extent.",
    "axis_button": "Show the ellipse of the longest moment axis: the challenge's length [Shift+O]",
    "reset_button": "Take the manual extent back; the journal keeps it",
}


class MeasurementsDock(StatusPanel):
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
        self.live = LiveNumbers.of(self.session)
        self.caliper = Caliper.of(self.session)
        self._guard: ClosingGuard | None = None
        self._pieces = Pieces(self)
        self._build()
        self._connect()
        self.show_result(self.session.result)
        self._show_axis()

    # ------------------------------------------------------------------ what it looks like
    def _build(self) -> None:
        self.figures = FigureForm()
        self.warnings = note()
        self.doubt = note()
        for line in (self.warnings, self.doubt):
            line.setStyleSheet(f"color: {wording.WARNING_COLOR};")
        self.threshold, self.slider = threshold_box(), QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(1, 99)
        self.threshold.setSingleStep(0.01)
        self.specimen = choice(SPECIMENS)
        self._choices = (self.threshold, self.slider, self.specimen)
        self.table, self.tour = RegionTable(), TourBar(self.session)
        self.longest_button = QPushButton("Go to longest extent")
        self.reset_button = QPushButton("Back to automatic")
        self.axis, self.axis_button = MomentAxis.of(self.session), QPushButton("Axis")
        self.axis_button.setCheckable(True)
        self.review = ReviewBar(self.session, self.say)
        self.exchange = ExchangeBar(self.session, self.runner, self.say)
        self._lay_out()
        for name, tip in TIPS.items():
            getattr(self, name).setToolTip(tip)
        self.setMinimumWidth(DOCK_WIDTH_PX)

    def _lay_out(self) -> None:
        outer, inner = QVBoxLayout(self), QWidget()
        outer.setContentsMargins(6, 6, 6, 6)
        outer.addWidget(scrolling(inner), stretch=1)
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.figures)
        layout.addWidget(self.doubt)
        layout.addWidget(self.warnings)
        layout.addLayout(beside(self.longest_button, self.axis_button, self.reset_button))
        choices = compact_form()
        choices.addRow("Specimen", self.specimen)
        choices.addRow("Threshold", beside(self.slider, self.threshold))
        layout.addLayout(choices)
        self.table.setMinimumHeight(100)
        layout.addWidget(self.table, stretch=1)
        for widget in (self.tour, self.review, self.exchange, self.status, note(RESEARCH_ONLY)):
            outer.addWidget(widget)

    def _connect(self) -> None:
        self.slider.valueChanged.connect(lambda v: self.threshold.setValue(v / 100))
        self.threshold.valueChanged.connect(self._on_threshold)
        self.specimen.currentIndexChanged.connect(
            lambda _: self.live.want(specimen=self.specimen.currentData())
        )
        self.longest_button.clicked.connect(self.go_to_longest)
        self.axis_button.clicked.connect(self._on_axis)
        self.reset_button.clicked.connect(lambda: self._write("extent_reset"))
        self.table.chosen.connect(self.go_to)
        self.runner.changed.connect(self._on_runner)
        session = self.session
        listen(self, session.result_changed, self.show_result)
        listen(self, session.measured, self._on_measured)
        listen(self, session.numbers, self._show_numbers)
        listen(self, session.edited, self._show_again)
        listen(self, self.live.failed, self.complain)
        listen(self, self.live.advised, self._show_doubt)
        listen(self, self.caliper.dragged, self._on_dragged)
        listen(self, self.axis.changed, self._show_axis)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Qt's hook: now there is a window to watch."""
        super().showEvent(event)
        if self._guard is None:
            self._guard = ClosingGuard(self.window(), self.runner, self.live.finish)

    # ------------------------------------------------------------------ what is shown
    def show_result(self, result: Result | None) -> None:
        """Show a result's figures; of one that is not measured yet, say so."""
        measured = result if result is not None and result.is_measured else None
        self.say("" if measured else NOTHING_YET)
        try:
            self._show(measured)
        except ResultError as error:
            self._show(None)
            self.complain(error)
        self._on_runner()

    def _show(self, result: Result | None, again: bool = False, soon: bool = False) -> None:
        """Show figures, table and caliper (these `soon` after), unless `again` choices, too."""
        figures = self.live.figures() if result is not None else None
        with undamaged(result) if result is not None else nullcontext():
            self._show_figures(figures)
            self._show_doubt()
            self._pieces.run(
                lambda: self.table.show_regions(figures.regions if figures else None, again),
                lambda: self._show_caliper(result, figures),
                at_once=not soon,
            )
            if not again:
                self._show_choices(result)

    def _show_figures(self, figures: Figures | None) -> None:
        self.figures.show_figures(wording.headline(figures.record) if figures else [])
        lines = wording.warning_lines(figures.record) if figures else []
        set_text(self.warnings, "\n".join(f"⚠ {line}" for line in lines))
        self.warnings.setVisible(bool(lines))
        by_hand = figures is not None and "manual_longest_feret_mm" in figures.summary
        self.reset_button.setVisible(by_hand)

    def _show_doubt(self, _: object = None) -> None:
        """Say what the category hangs on; older advice is not shown with newer numbers."""
        set_text(self.doubt, f"⚠ {self.live.warning}")
        self.doubt.setVisible(bool(self.live.warning))

    def _show_caliper(self, result: Result | None, figures: Figures | None) -> None:
        self.caliper.may_drag = self.session.corrections is not None and not self._lock
        if figures is None:
            self.caliper.show(None)
        else:
            self.caliper.show(result, figures.regions, figures.summary)

    @property
    def _lock(self) -> str:
        """Why nothing may be changed, "" where it may."""
        return lock_reason(self.session)

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

    def _show_numbers(self, _: object) -> None:
        """Show newer numbers."""
        self._show_again(soon=True)

    def _show_again(self, _: object = None, soon: bool = False) -> None:
        """Show newer numbers, or what hands measured, and leave choices as they are."""
        result = self.session.measured_result
        if result is not None:
            try:
                self._show(result, again=True, soon=soon)
            except ResultError as error:
                self.complain(error)
        self._on_runner()

    def _on_runner(self) -> None:
        """Let choices be changed only while nothing else writes to the result."""
        result, measuring = self.session.result, self.runner.task == MEASURING
        measured = result is not None and result.is_measured
        lock = self._lock
        free = bool(measured and (self.runner.idle or measuring) and not lock)
        one_class = measured and result is not None and len(result.classes) == 1
        for name, is_on in (("threshold", one_class), ("slider", one_class), ("specimen", True)):
            getattr(self, name).setEnabled(bool(free and is_on))
            getattr(self, name).setToolTip(lock or TIPS[name])
        self.reset_button.setEnabled(not lock)
        self.reset_button.setToolTip(lock or TIPS["reset_button"])
        self.exchange.lock(lock)

    # ------------------------------------------------------------------ what hands do
    def _on_threshold(self, value: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(value * 100))
        self.slider.blockSignals(False)
        self.live.want(threshold=round(value, 3))

    def _on_measured(self, result: Result) -> None:
        """Show what was measured, unless another result is shown or newer numbers are."""
        shown = self.session.result
        if shown is None or shown.path != result.path:
            return
        if self.live.numbers is None and self.live.is_saved:
            self.show_result(result)
        else:
            self._show_again(result)

    def _on_axis(self) -> None:
        self.axis.toggle()
        self._show_axis()

    def _show_axis(self, _: object = None) -> None:
        """Let the button say whether the ellipse is drawn, and whether it can be."""
        self.axis_button.setChecked(self.axis.is_on)
        self.axis_button.setEnabled(self.axis.ellipse is not None)
        self.axis_button.setToolTip(TIPS["axis_button"] if self.axis.ellipse else NOT_YET)

    def _on_dragged(self, detail: dict[str, Any]) -> None:
        with_reader(self.session, lambda _: self._write("extent", detail))

    def _write(self, action: str, detail: dict[str, Any] | None = None) -> None:
        write_note(self.session, action, detail, self._on_unwritten)

    def _on_unwritten(self, line: str) -> None:
        self._show_again()
        self.complain(line)

    # ------------------------------------------------------------------ going places
    def go_to(self, region: pd.Series[Any]) -> None:
        """Bring a region of the table to the middle of the view."""
        Tour.of(self.session).go_to(region["region_id"])

    def go_to_longest(self) -> None:
        """Bring the longest extent to the middle of the view."""
        try:
            self.session.require_result()
            figures = self.live.figures()
            region = figures.summary.get("longest_feret_region") if figures else None
            if region is None:
                raise UsageError("Longest extent", "there is no region", "lower the threshold")
            Tour.of(self.session).go_to(region)
        except BreastPathError as error:
            self.complain(error)
