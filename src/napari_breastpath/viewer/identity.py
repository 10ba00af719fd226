"""Label and macro image, to check that the glass is the right one; hidden until asked for.

A label often names the patient. It is read from the file when the dialog opens, shown there and
nowhere else, and never written to a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_breastpath.viewer.dialogs import parent_window, styled

if TYPE_CHECKING:
    from napari_breastpath.slides import Slide

SHOWN = ("label", "macro")
LARGEST_PX = 420


def identity_images(slide: Slide) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return (name, RGB) of the label and the macro image, those that the file has."""
    return [(name, slide.associated_images[name]) for name in SHOWN if has(slide, name)]


def has(slide: Slide, name: str) -> bool:
    """Tell whether the file has that image, without reading it."""
    return name in tuple(slide.associated_images)


def pixmap(rgb: NDArray[np.uint8]) -> QPixmap:
    """Return (h, w, 3) uint8 as a picture for Qt, scaled down to `LARGEST_PX`."""
    pixels = np.ascontiguousarray(rgb)
    height, width = pixels.shape[:2]
    image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    picture = QPixmap.fromImage(image)
    if max(width, height) <= LARGEST_PX:
        return picture
    smooth = Qt.TransformationMode.SmoothTransformation
    return picture.scaled(LARGEST_PX, LARGEST_PX, Qt.AspectRatioMode.KeepAspectRatio, smooth)


class IdentityDialog(QDialog):
    """The label and the macro image of one slide, side by side."""

    def __init__(self, slide: Slide) -> None:
        super().__init__(parent_window())
        self.setWindowTitle(f"Label and macro image of {slide.path.name}")
        images = identity_images(slide)
        layout = QVBoxLayout(self)
        layout.addLayout(self._pictures(images))
        note = (
            "Shown here only; never stored in a result."
            if images
            else ("This file has no label and no macro image.")
        )
        layout.addWidget(QLabel(note))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
        styled(self)

    def _pictures(self, images: Sequence[tuple[str, NDArray[np.uint8]]]) -> QHBoxLayout:
        row = QHBoxLayout()
        for name, rgb in images:
            row.addWidget(titled(name.capitalize(), pixmap(rgb)))
        return row


def titled(title: str, picture: QPixmap) -> QWidget:
    """Return a picture under its title."""
    widget, image = QWidget(), QLabel()
    image.setPixmap(picture)
    column = QVBoxLayout(widget)
    column.addWidget(QLabel(title))
    column.addWidget(image)
    column.addStretch()
    return widget


def show_identity(slide: Slide) -> IdentityDialog:
    """Open the dialog; the window under it stays usable."""
    dialog = IdentityDialog(slide)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
    return dialog
