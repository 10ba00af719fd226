"""The list of classes to paint with: name, colour and area as it is now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from napari_breastpath.report.wording import area_mm2
from napari_breastpath.viewer.palette import ERASE_RGB, Rgb, class_colours, paintable

if TYPE_CHECKING:
    from napari_breastpath.results import Result

SWATCH_PX, PAD_PX, MOST_ROWS = 14, 3, 7
NOTHING = "Nothing (erase)"
VALUE = Qt.ItemDataRole.UserRole


def swatch(rgb: Rgb) -> QIcon:
    """Return a square of a colour."""
    picture = QPixmap(SWATCH_PX, SWATCH_PX)
    picture.fill(QColor(*rgb))
    painter = QPainter(picture)
    painter.setPen(QColor(90, 90, 90))
    painter.drawRect(0, 0, SWATCH_PX - 1, SWATCH_PX - 1)
    painter.end()
    return QIcon(picture)


class ClassList(QTreeWidget):
    """Classes of a result and what erases, one of them chosen.

    Signals
    -------
    chosen : emitted with the label value that somebody clicked; 0 erases.
    """

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setToolTip("What brush, encircle and polygon paint; the area in the mask as it is now")
        self.itemClicked.connect(lambda item: self.chosen.emit(item.data(0, VALUE)))
        self._names: dict[int, str] = {}
        self.show_result(None)

    def show_result(self, result: Result | None) -> None:
        """Show the classes of a result; none without one."""
        self.clear()
        self._names = paintable(result.classes) if result is not None else {}
        colours = class_colours(result.classes) if result is not None else {}
        for value, name in self._names.items():
            self._add(value, name, colours[value])
        if self._names:
            self._add(0, NOTHING, ERASE_RGB)
        rows = min(max(self.topLevelItemCount(), 1), MOST_ROWS)
        self.setFixedHeight(rows * max(self.sizeHintForRow(0), SWATCH_PX) + 2 * PAD_PX)
        header = self.header()
        if header is not None:
            header.setStretchLastSection(False)
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)

    def _add(self, value: int, name: str, rgb: Rgb) -> None:
        item = QTreeWidgetItem([name, ""])
        item.setIcon(0, swatch(rgb))
        item.setData(0, VALUE, value)
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.addTopLevelItem(item)

    def show_areas(self, areas_mm2: Mapping[str, float]) -> None:
        """Show the area of each class, by its name."""
        for item in self._items():
            name = self._names.get(item.data(0, VALUE))
            item.setText(1, area_mm2(areas_mm2.get(name, 0.0)) if name is not None else "")

    def select(self, value: int) -> None:
        """Mark the class that is painted."""
        for item in self._items():
            if item.data(0, VALUE) == value:
                self.setCurrentItem(item)

    def _items(self) -> list[QTreeWidgetItem]:
        items = (self.topLevelItem(row) for row in range(self.topLevelItemCount()))
        return [item for item in items if item is not None]
