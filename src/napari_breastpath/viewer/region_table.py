"""The table of regions: a Qt model over regions.csv, sorted as numbers, shown with units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_breastpath.report.wording import area_mm2, fraction, length_mm

Role = Qt.ItemDataRole
ROOT = QModelIndex()
SAMPLE_ROWS = 50
"""By how many rows the columns' widths are found; Qt would read a thousand."""


def plain(value: Any) -> str:
    """Return a name or number as it is, nothing where there is none."""
    return "" if pd.isna(value) else str(value)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in regions.csv, heading, explanation and how its values are shown."""

    name: str
    heading: str
    tip: str
    shown: Callable[[Any], str] = plain
    numeric: bool = True


COLUMNS = (
    Column("region_id", "#", "Region number, the longest first"),
    Column("feret_max_mm", "Extent", "Longest Feret diameter: the clinical size", length_mm),
    Column("area_mm2", "Area", "Area of the region", area_mm2),
    Column("major_axis_mm", "Major axis", "Major axis of the ellipse of equal moments", length_mm),
    Column("class", "Class", "Class of the model", numeric=False),
    Column("category", "Category", "Nodal category by extent (lymph nodes only)", numeric=False),
    Column("mean_probability", "Mean p", "Mean probability within the region", fraction),
    Column("max_probability", "Max p", "Highest probability within the region", fraction),
    Column("piece", "Piece", "Piece of tissue that it lies in"),
    Column("remarks", "Remarks", "What to know about it", numeric=False),
)
REMARKS = {
    "below_cell_size": "smaller than a cell",
    "touches_edge": "at the slide's edge",
    "touches_unread": "beside unread tissue",
    "edited": "edited by hand",
}


def remarks(regions: pd.DataFrame) -> NDArray[np.object_]:
    """Return the flags of every region in words."""
    codes = sum(regions[name].to_numpy(bool) << k for k, name in enumerate(REMARKS))
    words = [
        ", ".join(text for k, text in enumerate(REMARKS.values()) if code >> k & 1)
        for code in range(1 << len(REMARKS))
    ]
    found: NDArray[np.object_] = np.array(words, dtype=object)[codes]
    return found


class RegionModel(QAbstractTableModel):
    """Regions of a result for a Qt view, which sorts them itself; cells are made as they are seen.

    A proxy that sorts would ask for every cell in Python: seconds with thousands of regions.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sorting = 0, Qt.SortOrder.AscendingOrder
        self._take(pd.DataFrame())

    def show(self, regions: pd.DataFrame | None) -> None:
        """Show regions; none for None. As many as before only change their cells."""
        shown = pd.DataFrame() if regions is None else regions
        if len(shown) and len(shown) == self.rowCount():
            self._take(shown)
            self.dataChanged.emit(self.index(0, 0), self.index(len(shown) - 1, len(COLUMNS) - 1))
            return
        self.beginResetModel()
        self._take(shown)
        self.endResetModel()

    def region(self, row: int) -> pd.Series[Any]:
        """Return the region in a row of the table, as in regions.csv."""
        return self._regions.iloc[self._order[row]]

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column, as numbers where it holds numbers."""
        self.layoutAboutToBeChanged.emit()
        self._sorting = column, order
        self._take(self._regions)
        self.layoutChanged.emit()

    def _take(self, regions: pd.DataFrame) -> None:
        """Keep regions, and the order wanted."""
        self._regions, self._columns = regions, dict[int, Any]()
        self._order = np.arange(len(regions))
        column, order = self._sorting
        if len(regions) and 0 <= column < len(COLUMNS):
            is_ascending = order == Qt.SortOrder.AscendingOrder
            values = pd.Series(self._values(column))
            self._order = values.sort_values(ascending=is_ascending, kind="stable").index.to_numpy()

    def _values(self, column: int) -> Any:
        """Return what a column holds, in the order of regions.csv."""
        if column not in self._columns:
            name, regions = COLUMNS[column].name, self._regions
            self._columns[column] = remarks(regions) if name == "remarks" else regions[name].array
        return self._columns[column]

    def rowCount(self, parent: QModelIndex = ROOT) -> int:
        """Number of regions."""
        return 0 if parent.isValid() else len(self._regions)

    def columnCount(self, parent: QModelIndex = ROOT) -> int:
        """Number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole
    ) -> Any:
        """Headings and their explanations."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        return {Role.DisplayRole: column.heading, Role.ToolTipRole: column.tip}.get(Role(role))

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        """Text and alignment of a cell."""
        column = COLUMNS[index.column()]
        if role == Role.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.numeric else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role not in (Role.DisplayRole, Role.ToolTipRole):
            return None
        return column.shown(self._values(index.column())[self._order[index.row()]])


class RegionTable(QTableView):
    """The regions, sortable; a click goes to one.

    Signals
    -------
    chosen : emitted with the row of regions.csv (a Series).
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.regions = RegionModel(self)
        self.setModel(self.regions)
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setWordWrap(False)
        self._fit()
        self.clicked.connect(self._on_row)
        self.activated.connect(self._on_row)

    def _fit(self) -> None:
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        if rows is not None and columns is not None:
            rows.hide()
            rows.setDefaultSectionSize(22)
            columns.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
            columns.setMinimumSectionSize(24)
            columns.setResizeContentsPrecision(SAMPLE_ROWS)

    def show_regions(self, regions: pd.DataFrame | None, again: bool = False) -> None:
        """Show regions, the longest first; `again` keeps order and widths that the user chose."""
        self.regions.show(regions)
        if not again:
            self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
            self.resizeColumnsToContents()

    def _on_row(self, index: QModelIndex) -> None:
        self.chosen.emit(self.regions.region(index.row()))
