"""Old against new, slide by slide: the table that says how each agrees with the hands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_breastpath.results import load_result
from napari_breastpath.training.comparing import Agreement
from napari_breastpath.viewer.train_words import figure_text

FIGURES = {
    "dice": ("Dice", "2 × shared area over the sum of both areas"),
    "iou": ("IoU", "Shared area over the area of either"),
    "sensitivity": ("Sens.", "Share of the corrected mask that the model finds"),
    "specificity": (
        "Spec.",
        "Share of the rest that the model leaves out",
    ),
}
ROW_PX = 22
OLD, NEW = "old", "new"


class AgreementTable(QTableWidget):
    """Two rows a slide: the old model's figures and the new one's, the better Dice in bold."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 2 + len(FIGURES), parent)
        self.pairs: list[tuple[Agreement, Agreement]] = []
        self.setHorizontalHeaderLabels(["Slide", "Model", *(name for name, _ in FIGURES.values())])
        for column, (_, tip) in enumerate(FIGURES.values(), start=2):
            self.horizontalHeaderItem(column).setToolTip(tip)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_PX)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def show_pairs(self, agreements: Sequence[Agreement]) -> None:
        """Show agreements: of each slide the old model's, then the new one's."""
        self.pairs = list(zip(agreements[::2], agreements[1::2], strict=True))
        self.setRowCount(2 * len(self.pairs))
        for k, pair in enumerate(self.pairs):
            name = load_result(pair[0].corrected).slide_path.name
            self.setSpan(2 * k, 0, 2, 1)
            best = max(each.figures["dice"] for each in pair)
            for row, model, each in zip((2 * k, 2 * k + 1), (OLD, NEW), pair, strict=True):
                self._fill(row, name, model, each, is_best=each.figures["dice"] == best)
        self.setFixedHeight(ROW_PX * (min(2 * len(self.pairs), 8) + 1) + 6)
        self.selectRow(0)

    def _fill(self, row: int, name: str, model: str, each: Agreement, is_best: bool) -> None:
        texts = [name, model, *(figure_text(each.figures[key]) for key in FIGURES)]
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(name if column == 0 else each.model)
            if column > 1:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            font = item.font()
            font.setBold(is_best and column == 2)
            item.setFont(font)
            self.setItem(row, column, item)

    @property
    def chosen(self) -> tuple[Path, Path, Path] | None:
        """Result folders of the chosen slide: corrected, the old map, the new one."""
        row = self.currentRow()
        if not 0 <= row < 2 * len(self.pairs):
            return None
        old, new = self.pairs[row // 2]
        return old.corrected, old.map, new.map
