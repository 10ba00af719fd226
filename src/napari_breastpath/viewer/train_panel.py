"""What the dock **Train** looks like: its widgets, their places, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QGroupBox,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_breastpath.report.wording import RESEARCH_ONLY
from napari_breastpath.training.comparing import Agreement
from napari_breastpath.training.corrected import Wishes
from napari_breastpath.viewer.agreement_table import AgreementTable
from napari_breastpath.viewer.corrected_table import CorrectedTable
from napari_breastpath.viewer.curve_view import CurveView
from napari_breastpath.viewer.form import (
    DOCK_WIDTH_PX,
    StatusPanel,
    beside,
    choice,
    compact_form,
    note,
    row,
    scrolling,
)
from napari_breastpath.viewer.runner import CANCELLING, IDLE, RUNNING

BUTTON = {IDLE: "Start training", RUNNING: "Cancel", CANCELLING: "Cancelling…"}
TIPS = {
    "base": "The model that the new one starts from; what it learnt is refined, not forgotten.",
    "name": "What the new model is called in the list of models.",
    "epochs": "Rounds of learning at most; it stops earlier when it gets no better.",
    "tiles": "Pieces of slide that it looks at in every round, tumour and normal 1 : 1.",
    "curves": "Training: the slides it learns from. Check: the patient who says when to stop.",
    "rate": "How large its steps are. Larger learns faster and forgets faster.",
}


class TrainPanel(StatusPanel):
    """The widgets of the dock: all but Start, progress and status scroll."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table, self.choice_note = CorrectedTable(), note()
        self.add_shown, self.add_other = QPushButton("Add shown"), QPushButton("Add")
        self.remove = QPushButton("Remove")
        self.add_menu = QMenu(self)
        self.add_other.setMenu(self.add_menu)
        self.base, self.card, self.name = choice([]), QPushButton("Card…"), QLineEdit()
        self.epochs, self.tiles = whole_box(1, 500, 30), whole_box(8, 100_000, 400)
        self.rate = rate_box()
        self.curves, self.compared, self.verdict = CurveView(), AgreementTable(), note()
        self.show_maps = QPushButton("Show both maps of this slide")
        self.keep, self.throw_away = QPushButton("Keep new model"), QPushButton("Throw away")
        self.start_button, self.bar = QPushButton(BUTTON[IDLE]), QProgressBar()
        self.learning, self.outcome = QGroupBox("Learning"), QGroupBox("Old against new")
        self._wanted: QWidget = self.learning
        self._lay_out()

    def _lay_out(self) -> None:
        self.add_shown.setToolTip("Add the result on screen")
        self.add_other.setToolTip("Add results from folders")
        for name, tip in TIPS.items():
            getattr(self, name).setToolTip(tip)
        column = QWidget()
        inside = QVBoxLayout(column)
        inside.setContentsMargins(0, 0, 0, 0)
        for box in (self._slides_box(), self._model_box(), self._learning(), self._outcome()):
            box.layout().setContentsMargins(2, 4, 2, 4)
            inside.addWidget(box)
        inside.addStretch(1)
        self.area: QScrollArea = scrolling(column)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.area, stretch=1)
        for widget in (self.start_button, self.bar, self.status, note(RESEARCH_ONLY)):
            layout.addWidget(widget)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.setMinimumWidth(DOCK_WIDTH_PX)

    def _slides_box(self) -> QGroupBox:
        box = QGroupBox("Corrected slides")
        column = QVBoxLayout(box)
        column.addWidget(self.table)
        column.addLayout(row(self.add_shown, self.add_other, self.remove))
        column.addWidget(self.choice_note)
        return box

    def _model_box(self) -> QGroupBox:
        box = QGroupBox("New model")
        form = compact_form()
        form.addRow("Start from", beside(self.base, self.card))
        form.addRow("Name", self.name)
        form.addRow("Epochs", self.epochs)
        form.addRow("Tiles an epoch", self.tiles)
        form.addRow("Learning rate", self.rate)
        QVBoxLayout(box).addLayout(form)
        return box

    def _learning(self) -> QGroupBox:
        QVBoxLayout(self.learning).addWidget(self.curves)
        self.learning.hide()
        return self.learning

    def _outcome(self) -> QGroupBox:
        column = QVBoxLayout(self.outcome)
        for widget in (self.compared, self.verdict, self.show_maps):
            column.addWidget(widget)
        column.addLayout(row(self.keep, self.throw_away))
        self.outcome.hide()
        return self.outcome

    @property
    def wishes(self) -> Wishes:
        """What is set."""
        name = self.name.text().strip()
        return Wishes(name, self.epochs.value(), self.rate.value(), self.tiles.value())

    def set_models(self, models: Sequence[tuple[str, str | Path]]) -> None:
        """Fill the list of models to start from; the one that was chosen stays."""
        before = self.base.currentData()
        self.base.clear()
        for text, value in models:
            self.base.addItem(text, value)
        self.base.setCurrentIndex(max(0, self.base.findData(before)))

    def bring_to_view(self, widget: QWidget) -> None:
        """Scroll to a widget, once it has its place."""
        self._wanted = widget
        QTimer.singleShot(0, self._scroll)

    def _scroll(self) -> None:
        self.area.ensureWidgetVisible(self._wanted)

    def show_outcome(self, agreements: Sequence[Agreement], verdict: str) -> None:
        """Show old against new; nothing hides it."""
        self.outcome.setVisible(bool(agreements))
        if agreements:
            self.compared.show_pairs(agreements)
            self.verdict.setText(verdict)

    def show_state(self, state: str, training: bool, shown: bool, undecided: bool) -> None:
        """Let be pressed what makes sense now.

        Parameters
        ----------
        state : str
            The runner's.
        training : bool
            It is a training that is under way.
        shown : bool
            A result is open that could be added.
        undecided : bool
            A new model is neither kept nor thrown away.
        """
        idle = state == IDLE
        self.start_button.setText(BUTTON[state] if training else BUTTON[IDLE])
        self.start_button.setEnabled(idle or (training and state == RUNNING))
        for widget in (
            self.table, self.add_other, self.remove, self.base, self.name, self.epochs, self.tiles,
            self.rate, self.show_maps,
        ):  # fmt: skip
            widget.setEnabled(idle)
        self.add_shown.setEnabled(idle and shown)
        self.keep.setEnabled(idle and undecided)
        self.throw_away.setEnabled(idle and undecided)
        if idle:
            self.show_share(0)

    def show_share(self, share: float | None) -> None:
        """Show how much is done, 0–1; None is busy."""
        self.bar.setRange(0, 0 if share is None else 1000)
        self.bar.setValue(0 if share is None else round(1000 * share))


def whole_box(low: int, high: int, value: int) -> QSpinBox:
    """Return a box for a whole number."""
    box = QSpinBox()
    box.setRange(low, high)
    box.setValue(value)
    return box


def rate_box() -> QDoubleSpinBox:
    """Return a box for a learning rate."""
    box = QDoubleSpinBox()
    box.setDecimals(5)
    box.setRange(0.00001, 0.1)
    box.setSingleStep(0.0001)
    box.setValue(Wishes("").rate)
    return box
