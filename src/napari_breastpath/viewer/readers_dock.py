"""The dock **Two readers**: how far two people's corrections of one slide agree, and where not."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.results.folder import SUFFIX
from napari_breastpath.viewer.dialogs import brief
from napari_breastpath.viewer.form import DOCK_WIDTH_PX, StatusPanel, note
from napari_breastpath.viewer.listening import listen
from napari_breastpath.viewer.reader_layers import COLOURS
from napari_breastpath.viewer.reader_words import (
    Row,
    difference_text,
    differences_text,
    figure_rows,
)
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.two_readers import TwoReaders

if TYPE_CHECKING:
    from napari.viewer import Viewer

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
HINT = "Open one reader's result, then choose the other's: a result of the same slide and model."
STALE = "Corrections came since: compare again."
TIPS = {
    "choose_button": f"Choose the other reader's result, a folder that ends in {SUFFIX}",
    "again_button": "Compute figures and differences again, from the corrections as they are now",
    "end_button": "Take the second reader off the slide, or give up a comparison under way",
    "before": "Go back to the difference before",
    "after": "Go to the next difference, the largest first",
    "export_button": "Write figures and differences as two CSV files",
}


class ReadersDock(StatusPanel):
    """Dock that lays a second reader's corrections over those of the shown result.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer, or napari's proxy for it.
    parent : QWidget, optional
    """

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = Session.of(napari_viewer)
        self.readers = TwoReaders.of(self.session)
        self._build()
        self._connect()
        self.show_state()

    # ------------------------------------------------------------------ what it looks like
    def _build(self) -> None:
        self.choose_button = QPushButton("Second result…")
        self.again_button, self.end_button = QPushButton("Compare again"), QPushButton("End")
        self.table = QTableWidget(0, 3)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.before, self.after = QPushButton("◀"), QPushButton("▶  Next difference")
        self.before.setMaximumWidth(36)
        self.where = note()
        self.export_button = QPushButton("Export CSV…")
        for name, tip in TIPS.items():
            getattr(self, name).setToolTip(tip)
        self._fit_table()
        self._lay_out()

    def _fit_table(self) -> None:
        rows, columns = self.table.verticalHeader(), self.table.horizontalHeader()
        if rows is not None and columns is not None:
            rows.hide()
            rows.setDefaultSectionSize(22)
            columns.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
            columns.setTextElideMode(Qt.TextElideMode.ElideRight)
            columns.setDefaultAlignment(LEFT)
            columns.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addLayout(_row(self.choose_button, self.again_button, self.end_button))
        layout.addWidget(self.table, stretch=1)
        layout.addLayout(_row(self.before, self.after, self.export_button))
        layout.addWidget(self.where)
        layout.addWidget(self.status)
        self.setMinimumWidth(DOCK_WIDTH_PX)

    def _connect(self) -> None:
        self.choose_button.clicked.connect(self.choose)
        self.again_button.clicked.connect(self.readers.compare)
        self.end_button.clicked.connect(self.readers.close)
        self.before.clicked.connect(lambda: self.readers.step(-1))
        self.after.clicked.connect(lambda: self.readers.step(1))
        self.export_button.clicked.connect(self.choose_export)
        listen(self, self.readers.changed, self.show_state)
        listen(self, self.readers.failed, self.complain)

    def event(self, event: QEvent | None) -> bool:
        """Qt's hook: a dock that was closed leaves nothing on the slide."""
        done = super().event(event)
        closed = event is not None and event.type() == QEvent.Type.ParentChange
        if closed and self.parent() is None and hasattr(self, "readers"):
            with suppress(ReferenceError):  # the viewer went first
                self.readers.close()
        return done

    # ------------------------------------------------------------------ what is shown
    def show_state(self, _: object = None) -> None:
        """Show what is compared, how far that is, and where the tour is."""
        readers = self.readers
        there, found = readers.other is not None, readers.found
        self.again_button.setEnabled(there and not readers.busy)
        self.end_button.setEnabled(there)
        self.export_button.setEnabled(found is not None and not readers.stale)
        for button in (self.before, self.after):
            button.setEnabled(readers.count > 0)
        self._show_figures()
        self._show_place()
        self.say(self._state_text())

    def _state_text(self) -> str:
        if self.readers.other is None:
            return HINT
        if self.readers.busy:
            return "Comparing …"
        return STALE if self.readers.stale else ""

    def _show_place(self) -> None:
        found, place = self.readers.found, self.readers.place
        if found is None:
            self.where.setText("")
        elif place is None:
            self.where.setText(differences_text(self.readers.count))
        else:
            self.where.setText(difference_text(found, self.readers.names, place))

    def _show_figures(self) -> None:
        found = self.readers.found
        rows = list(figure_rows(found)) if found else []
        self.table.clearSpans()
        self.table.setRowCount(len(rows))
        self.table.setVisible(self.readers.other is not None)
        for k, name in enumerate(self.readers.names):
            heading = QTableWidgetItem(_spot(COLOURS[k]), name)
            heading.setToolTip(name)
            self.table.setHorizontalHeaderItem(k + 1, heading)
        self.table.setHorizontalHeaderItem(0, QTableWidgetItem(""))
        for k, row in enumerate(rows):
            self._show_row(k, row)

    def _show_row(self, k: int, row: Row) -> None:
        for column, text in enumerate((row.label, *row.values)):
            item = QTableWidgetItem(text)
            item.setToolTip(row.tip)
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            self.table.setItem(k, column, item)
        if not row.values:
            font = self.table.item(k, 0).font()
            font.setBold(True)
            self.table.item(k, 0).setFont(font)
            self.table.setSpan(k, 0, 1, 3)
        elif len(row.values) == 1:
            self.table.setSpan(k, 1, 1, 2)

    # ------------------------------------------------------------------ what the buttons ask
    def choose(self) -> None:
        """Ask for the second result, and compare."""
        try:
            start = str(self.session.require_result().path.parent)
        except BreastPathError as error:
            self.complain(str(error))
            return
        title = f"The other reader's result (a folder that ends in {SUFFIX})"
        name = QFileDialog.getExistingDirectory(self, title, start)
        if name:
            self.open(Path(name))

    def open(self, path: Path) -> bool:
        """Show a second reader's result; False where that cannot be, which is said in one line."""
        try:
            self.readers.open(path)
        except BreastPathError as error:
            self.complain(brief(error))
            return False
        return True

    def choose_export(self) -> None:
        """Ask where to write the comparison, and do it."""
        if self.readers.found is None:
            return
        folder = self.readers.found.paths[0].parent
        start = str(folder / f"{self.readers.found.paths[0].stem}.readers.csv")
        name, _ = QFileDialog.getSaveFileName(self, "Export the comparison", start, "CSV (*.csv)")
        if name:
            self.export(Path(name))

    def export(self, path: Path) -> None:
        """Write the comparison as CSV, and say where."""
        try:
            figures, differences = self.readers.export(path)
        except BreastPathError as error:
            self.complain(brief(error))
        else:
            self.say(f"Exported to {figures} and {differences.name}")


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row


def _spot(rgb: tuple[int, int, int]) -> QIcon:
    """Return a small square of a colour."""
    square = QPixmap(12, 12)
    square.fill(QColor(*rgb))
    return QIcon(square)
