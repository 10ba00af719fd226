"""The navigator's map: a small picture of the slide with layers over it and the view's frame."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_breastpath.viewer.caliper import DARK, LIGHT

Rgb = NDArray[np.uint8]
SMALLEST_FRAME_PX: Final = 7.0
HALO_PX, LINE_PX = 4.0, 2.0
LAYERS: Final = ("picture", "overlay", "seen")
"""From the bottom up; all cover the whole slide."""


def pixmap(pixels: Rgb) -> QPixmap:
    """Return (y, x, 3) RGB or (y, x, 4) RGBA uint8 as a picture for Qt."""
    height, width, channels = pixels.shape
    form = QImage.Format.Format_RGBA8888 if channels == 4 else QImage.Format.Format_RGB888
    data = np.ascontiguousarray(pixels)
    return QPixmap.fromImage(QImage(data.data, width, height, channels * width, form))


def fitted(aspect: float, width: float, height: float) -> QRectF:
    """Return the largest rectangle of that width over height in the middle of another."""
    w, h = (width, width / aspect) if width / aspect <= height else (height * aspect, height)
    return QRectF((width - w) / 2, (height - h) / 2, w, h)


def frame_on(target: QRectF, frame: QRectF) -> QRectF:
    """Return where `frame`, in fractions of the slide, lies on the map; never too small to see."""
    middle = QPointF(
        target.x() + frame.center().x() * target.width(),
        target.y() + frame.center().y() * target.height(),
    )
    w = max(frame.width() * target.width(), SMALLEST_FRAME_PX)
    h = max(frame.height() * target.height(), SMALLEST_FRAME_PX)
    return QRectF(middle.x() - w / 2, middle.y() - h / 2, w, h)


class MapView(QWidget):
    """Shows a slide from afar; a click or a drag says where to go.

    Signals
    -------
    chosen : (float, float)
        x and y of a place, in fractions of the slide's width and height.
    """

    chosen = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layers: dict[str, QPixmap] = {}
        self._aspect = 1.0
        self._frame: QRectF | None = None
        self.setMinimumHeight(120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def sizeHint(self) -> QSize:
        """Qt's hook."""
        return QSize(240, 200)

    def show_layer(self, name: str, pixels: Rgb | None) -> None:
        """Set one of `LAYERS`, None takes it away."""
        self._layers.pop(name, None)
        if pixels is not None:
            self._layers[name] = pixmap(pixels)
        self.update()

    def set_aspect(self, aspect: float) -> None:
        """Set the slide's width over its height, both in µm."""
        self._aspect = aspect
        self.update()

    def show_frame(self, frame: QRectF | None) -> None:
        """Draw the view, in fractions of the slide."""
        self._frame = frame
        self.update()

    def target(self) -> QRectF:
        """Return where the slide is on the widget, in its pixels."""
        return fitted(self._aspect, self.width(), self.height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Qt's hook."""
        painter, target = QPainter(self), self.target()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for name in LAYERS:
            if name in self._layers:
                picture = self._layers[name]
                painter.drawPixmap(target, picture, QRectF(picture.rect()))
        if self._frame is not None:
            frame = frame_on(target, self._frame)
            for colour, width in ((DARK, HALO_PX), (LIGHT, LINE_PX)):
                painter.setPen(QPen(QColor(colour), width))
                painter.drawRect(frame)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Qt's hook."""
        self._choose(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Qt's hook."""
        self._choose(event)

    def _choose(self, event: QMouseEvent | None) -> None:
        target = self.target()
        if event is None or not event.buttons() & Qt.MouseButton.LeftButton or target.isEmpty():
            return
        x = (event.position().x() - target.x()) / target.width()
        y = (event.position().y() - target.y()) / target.height()
        self.chosen.emit(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0))
