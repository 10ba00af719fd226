"""What the dock **Breast analysis** looks like: its widgets, their places, and what they show."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_breastpath.core.progress import Progress
from napari_breastpath.report.wording import RESEARCH_ONLY
from napari_breastpath.slides import Slide
from napari_breastpath.viewer import wording
from napari_breastpath.viewer.form import (
    DOCK_WIDTH_PX,
    AnalysisForm,
    StatusPanel,
    beside,
    compact_form,
    note,
)
from napari_breastpath.viewer.runner import CANCELLING, IDLE, RUNNING

BUTTON = {IDLE: "Run", RUNNING: "Cancel", CANCELLING: "Cancelling…"}


class AnalysisPanel(StatusPanel):
    """The widgets of the dock: all but Run, progress and status scroll."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = AnalysisForm()
        self.facts = compact_form()
        self.open_button, self.other_button = QPushButton("Open slide…"), QPushButton("Other")
        self.label_button = QPushButton("Label…")
        self.open_menu = QMenu(self)
        self.show_tissue_button = QPushButton("Show tissue")
        self.add_tissue_button = QPushButton("Analyse added tissue")
        self.folder_note, self.folder_button = note(), QPushButton("Change…")
        self.run_button, self.bar = QPushButton(BUTTON[IDLE]), QProgressBar()
        self._dress()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._scrolled(), stretch=1)
        for widget in (self.run_button, self.bar, self.status, note(RESEARCH_ONLY)):
            layout.addWidget(widget)
        self.setMinimumWidth(DOCK_WIDTH_PX)

    def _dress(self) -> None:
        self.other_button.setMenu(self.open_menu)
        self.other_button.setToolTip("Open a slide that is a folder, or a result")
        self.label_button.setToolTip("Show the slide's label and macro image, to check identity")
        self.show_tissue_button.setToolTip("Draw the outline of the tissue; the brush changes it")
        self.add_tissue_button.setToolTip("Analyse what was painted onto the tissue, only that")
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)

    def _scrolled(self) -> QScrollArea:
        content, area = QWidget(), QScrollArea()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 6, 0)
        tissue, results = QHBoxLayout(), compact_form()
        tissue.addWidget(self.show_tissue_button, stretch=2)
        tissue.addWidget(self.add_tissue_button, stretch=3)
        results.addRow("Results in", beside(self.folder_note, self.folder_button))
        column.addLayout(beside(self.open_button, self.other_button, self.label_button))
        column.addLayout(self.facts)
        column.addWidget(self.form)
        column.addLayout(tissue)
        column.addLayout(results)
        column.addStretch(1)
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return area

    def show_facts(self, slide: Slide | None) -> None:
        """Show what is known about a slide."""
        while self.facts.rowCount():
            self.facts.removeRow(0)
        for name, value in wording.slide_facts(slide) if slide else []:
            self.facts.addRow(name, note(value))
        self.label_button.setEnabled(slide is not None)

    def show_state(self, state: str, analysing: bool, measured: bool) -> None:
        """Let be pressed what makes sense now.

        Parameters
        ----------
        state : str
            The runner's.
        analysing : bool
            It is an analysis that is under way.
        measured : bool
            There is a finished result.
        """
        idle = state == IDLE
        self.run_button.setText(BUTTON[state] if analysing else BUTTON[IDLE])
        self.run_button.setEnabled(idle or (analysing and state == RUNNING))
        for widget in (self.form, self.show_tissue_button, self.folder_button):
            widget.setEnabled(idle)
        self.add_tissue_button.setEnabled(idle and measured)
        if idle:
            self.bar.setRange(0, 1)
            self.bar.reset()

    def show_progress(self, progress: Progress) -> None:
        """Show how far an analysis is: counted for tiles, busy for the rest."""
        counted = progress.stage == "inference" and progress.total > 0
        self.bar.setRange(0, progress.total if counted else 0)
        self.bar.setValue(progress.done if counted else 0)
        self.say(wording.progress_text(progress))
