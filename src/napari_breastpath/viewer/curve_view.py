"""Curves that grow while a model learns: two small plots side by side, painted by Qt alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF, QTextOption
from qtpy.QtWidgets import QSizePolicy, QWidget

GAP_PX, TITLE_PX, AXIS_PX, LABEL_PX = 8.0, 18.0, 16.0, 36.0
DOT_PX, LINE_PX = 2.5, 1.6
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its key in the rows, its name and colour (Okabe and Ito 2008)."""

    key: str
    name: str
    colour: str


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot: its title, its curves, and the ends of its axis where they are fixed."""

    title: str
    lines: tuple[Line, ...]
    ends: tuple[float, float] | None = None


PLOTS = (
    Plot(
        "Error",
        (Line("train_loss", "training", "#56b4e9"), Line("val_loss", "check", "#e69f00")),
    ),
    Plot("Dice", (Line("val_dice", "check", "#e69f00"),), (0.0, 1.0)),
)


def points(rows: Sequence[Mapping[str, float]], key: str) -> list[tuple[float, float]]:
    """Return (epoch, value) of every row that has a number there."""
    pairs = [(row["epoch"], row.get(key, math.nan)) for row in rows]
    return [(float(x), float(y)) for x, y in pairs if math.isfinite(y)]


def value_range(plot: Plot, rows: Sequence[Mapping[str, float]]) -> tuple[float, float]:
    """Return the ends of a plot's axis: fixed, else from 0 to a little above the largest value."""
    values = [y for line in plot.lines for _, y in points(rows, line.key)]
    return plot.ends or (min(0.0, *values, 0.0), max(values, default=1.0) * 1.05 or 1.0)


def place(
    point: tuple[float, float], area: QRectF, epochs: float, ends: tuple[float, float]
) -> QPointF:
    """Return where (epoch, value) lies in an area; epoch 1 at its left edge."""
    across = (point[0] - 1) / max(epochs - 1, 1)
    up = (point[1] - ends[0]) / (ends[1] - ends[0])
    return QPointF(area.left() + across * area.width(), area.bottom() - up * area.height())


def write(painter: QPainter, box: QRectF, where: Qt.AlignmentFlag, text: str) -> None:
    """Write one line of text into a box."""
    option = QTextOption(where)
    option.setWrapMode(QTextOption.WrapMode.NoWrap)
    painter.drawText(box, text, option)


class CurveView(QWidget):
    """Shows the rows of curves.csv: error, and agreement with the slides that are not trained on.

    Attributes
    ----------
    rows : list of mapping
        One per finished epoch.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Mapping[str, float]] = []
        self._epochs = 1
        self.setFixedHeight(130)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(320, 130)

    def start(self, rows: Sequence[Mapping[str, float]], epochs: int) -> None:
        """Show what there is already, with room for that many epochs."""
        self.rows, self._epochs = list(rows), epochs
        self.update()

    def add(self, row: Mapping[str, float]) -> None:
        """Show one more epoch."""
        self.rows.append(row)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Qt's hook."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = (self.width() - GAP_PX) / len(PLOTS)
        for k, plot in enumerate(PLOTS):
            self._paint(painter, plot, QRectF(k * (width + GAP_PX), 0, width, self.height()))
        painter.end()

    def _paint(self, painter: QPainter, plot: Plot, whole: QRectF) -> None:
        area = whole.adjusted(LABEL_PX, TITLE_PX + 2, -4, -AXIS_PX)
        ends = value_range(plot, self.rows)
        self._paint_frame(painter, plot, whole, area, ends)
        for line in plot.lines:
            dots = [place(p, area, self._epochs, ends) for p in points(self.rows, line.key)]
            painter.setPen(QPen(QColor(line.colour), LINE_PX))
            painter.drawPolyline(QPolygonF(dots))
            painter.setBrush(QColor(line.colour))
            for dot in dots:
                painter.drawEllipse(dot, DOT_PX, DOT_PX)

    def _paint_frame(
        self, painter: QPainter, plot: Plot, whole: QRectF, area: QRectF, ends: tuple[float, float]
    ) -> None:
        text = self.palette().text().color()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(text.darker(200), 1))
        painter.drawRect(area)
        painter.setPen(text)
        write(
            painter, QRectF(area.left(), 0, whole.right() - area.left(), TITLE_PX), LEFT, plot.title
        )
        self._paint_names(painter, plot, area.adjusted(0, 2, -4, 0))
        painter.setPen(text)
        for value, y in ((ends[1], area.top()), (ends[0], area.bottom())):
            box = QRectF(whole.left(), y - 8, LABEL_PX - 4, 16)
            write(painter, box, RIGHT, f"{value:.2g}")
        foot = QRectF(area.left(), area.bottom() + 1, area.width(), AXIS_PX)
        write(painter, foot, LEFT, "1")
        write(painter, foot, Qt.AlignmentFlag.AlignHCenter, "epoch")
        write(painter, foot, RIGHT, f"{self._epochs}")

    def _paint_names(self, painter: QPainter, plot: Plot, box: QRectF) -> None:
        """Write the name of each curve in its colour, one under the other."""
        for line in plot.lines if len(plot.lines) > 1 else ():
            painter.setPen(QColor(line.colour))
            write(painter, box, Qt.AlignmentFlag.AlignRight, line.name)
            box.setTop(box.top() + painter.fontMetrics().height())
