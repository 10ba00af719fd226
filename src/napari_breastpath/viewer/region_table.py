"""The table of regions: a Qt model over regions.csv, sorted as numbers, shown with units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_breastpath.report.wording import area_mm2, fraction, length_mm

Role = Qt.ItemDataRole
ROOT = QModelIndex()


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


def with_remarks(regions: pd.DataFrame) -> pd.DataFrame:
    """Return the table with a column `remarks`, the flags in words."""
    codes = sum(regions[name].to_numpy(bool) << k for k, name in enumerate(REMARKS))
    words = [
        ", ".join(text for k, text in enumerate(REMARKS.values()) if code >> k & 1)
        for code in range(1 << len(REMARKS))
    ]
    remarks = np.array(words, dtype=object)[codes]
    return regions.assign(remarks=pd.Series(remarks, index=regions.index, dtype=object))


class RegionModel(QAbstractTableModel):
    """Regions of a result for a Qt view, which sorts them itself.

    A proxy that sorts would ask for every cell in Python: seconds with thousands of regions.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.regions = pd.DataFrame()
        self._cells: list[list[Any]] = []
        self._sorting = 0, Qt.SortOrder.AscendingOrder

    def show(self, regions: pd.DataFrame | None) -> None:
        """Show regions; none for None. As many as before only change their cells."""
        shown = with_remarks(regions) if regions is not None else pd.DataFrame()
        if len(shown) and len(shown) == len(self.regions):
            self._take(shown)
            self.dataChanged.emit(self.index(0, 0), self.index(len(shown) - 1, len(COLUMNS) - 1))
            return
        self.beginResetModel()
        self._take(shown)
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column, as numbers where it holds numbers."""
        self.layoutAboutToBeChanged.emit()
        self._sorting = column, order
        self._take(self.regions)
        self.layoutChanged.emit()

    def _take(self, regions: pd.DataFrame) -> None:
        """Keep regions in the order wanted, and their cells as plain lists."""
        column, order = self._sorting
        if len(regions) and 0 <= column < len(COLUMNS):
            is_ascending = order == Qt.SortOrder.AscendingOrder
            name = COLUMNS[column].name
            regions = regions.sort_values(name, ascending=is_ascending, kind="stable")
        self.regions = regions
        self._cells = [regions[c.name].tolist() if len(regions) else [] for c in COLUMNS]

    def rowCount(self, parent: QModelIndex = ROOT) -> int:
        """Number of regions."""
        return 0 if parent.isValid() else len(self.regions)

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
        return column.shown(self._cells[index.column()][index.row()])


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

    def show_regions(self, regions: pd.DataFrame | None, again: bool = False) -> None:
        """Show regions, the longest first; `again` keeps order and widths that the user chose."""
        self.regions.show(regions)
        if not again:
            self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
            self.resizeColumnsToContents()

    def _on_row(self, index: QModelIndex) -> None:
        self.chosen.emit(self.regions.regions.iloc[index.row()])
