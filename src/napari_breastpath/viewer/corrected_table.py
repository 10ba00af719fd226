"""The list of corrected slides: whose each is, and who is held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_breastpath.training.corrected import CorrectedSlide
from napari_breastpath.viewer.train_words import hands_text

SLIDE, PATIENT, HELD, HANDS = range(4)
HEADINGS = ("Slide", "Patient", "Hold out", "Corrected")
TIPS = (
    "The slide; its result folder is in the tooltip",
    "Double-click to change it. Slides of one patient must have the same: they stay together",
    "Not trained on: old and new model are compared on this patient",
    "Strokes in force, who made them, and whether the result is reviewed",
)
ROW_PX, SHOWN_ROWS = 24, 5
Check, Flag = Qt.CheckState, Qt.ItemFlag


class CorrectedTable(QTableWidget):
    """Corrected slides in the order added; patient and *Hold out* can be changed.

    Signals
    -------
    chosen_changed : emitted when slides, patients or who is held out changed.
    """

    chosen_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(HEADINGS), parent)
        self._slides: list[CorrectedSlide] = []
        self.setHorizontalHeaderLabels(HEADINGS)
        for column, tip in enumerate(TIPS):
            self.horizontalHeaderItem(column).setToolTip(tip)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_PX)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setFixedHeight(ROW_PX * (SHOWN_ROWS + 1) + 4)
        self._size_columns()
        self.itemChanged.connect(self._on_changed)

    def _size_columns(self) -> None:
        header = self.horizontalHeader()
        for column, width in ((SLIDE, 90), (PATIENT, 74), (HELD, 58)):
            header.resizeSection(column, width)
        header.setSectionResizeMode(HANDS, QHeaderView.ResizeMode.Stretch)

    @property
    def slides(self) -> list[CorrectedSlide]:
        """The slides, as they are set now."""
        return list(self._slides)

    def has(self, path: Path) -> bool:
        """Tell whether a result is in the list."""
        return any(each.path.resolve() == path.resolve() for each in self._slides)

    def put(self, slide: CorrectedSlide) -> None:
        """Add a slide, or bring it up to date; what was set of it, and of its patient, stays."""
        before = next((s for s in self._slides if s.path.resolve() == slide.path.resolve()), None)
        if before is not None:
            kept = replace(slide, patient=before.patient, held_out=before.held_out)
            self._slides[self._slides.index(before)] = kept
        else:
            held = self._is_held(slide.patient, slide)
            self._slides.append(replace(slide, held_out=held))
        self._show()

    def remove_selected(self) -> None:
        """Take the selected rows out of the list; nothing on disk changes."""
        chosen = {index.row() for index in self.selectedIndexes()}
        self._slides = [each for k, each in enumerate(self._slides) if k not in chosen]
        self._show()

    def _show(self) -> None:
        self.blockSignals(True)
        self.setRowCount(len(self._slides))
        for row, slide in enumerate(self._slides):
            for column, text in enumerate((slide.slide.name, slide.patient, "", hands_text(slide))):
                self.setItem(row, column, self._item(column, text, slide))
        self.blockSignals(False)
        self.chosen_changed.emit()

    def _item(self, column: int, text: str, slide: CorrectedSlide) -> QTableWidgetItem:
        item = QTableWidgetItem(text)
        item.setToolTip(str(slide.path) if column == SLIDE else text or TIPS[column])
        flags = Flag.ItemIsEnabled | Flag.ItemIsSelectable
        if column == PATIENT:
            flags |= Flag.ItemIsEditable
        if column == HELD:
            flags |= Flag.ItemIsUserCheckable
            item.setCheckState(Check.Checked if slide.held_out else Check.Unchecked)
        item.setFlags(flags)
        return item

    def _on_changed(self, item: QTableWidgetItem) -> None:
        row, name = item.row(), item.text().strip()
        if item.column() == PATIENT and name:
            held = self._is_held(name, self._slides[row])
            self._slides[row] = replace(self._slides[row], patient=name, held_out=held)
        elif item.column() == HELD:
            whose, held = self._slides[row].patient, item.checkState() == Check.Checked
            self._slides = [
                replace(s, held_out=held) if s.patient == whose else s for s in self._slides
            ]
        self._show()

    def _is_held(self, patient: str, slide: CorrectedSlide) -> bool:
        """Tell whether a slide is held out as one of a patient; alone, it stays as it is."""
        others = [s.held_out for s in self._slides if s.patient == patient and s is not slide]
        return any(others) if others else slide.held_out
