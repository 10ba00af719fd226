"""The question that a slide without a pixel size asks: how many µm is a pixel?"""

from __future__ import annotations

import re
from pathlib import Path

from qtpy.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit

from napari_breastpath.core.errors import PixelSizeError
from napari_breastpath.slides import open_slide
from napari_breastpath.slides.pixel_size import PLAUSIBLE_UM, UM_TIMES_MAGNIFICATION
from napari_breastpath.viewer.dialogs import parent_window, styled

OBJECTIVES = (2, 4, 5, 10, 20, 40, 63, 100)
WIDTH_PX = 460


def parse_pixel_size(text: str) -> tuple[float, float] | None:
    """Return µm/px (x, y) from "0.25", "0.25 0.26" or "0,25; 0,26"; None when it is none.

    A comma between digits is a decimal comma, so two values are parted by a space or semicolon.
    """
    words = re.split(r"[;\s×]+", re.sub(r"(?<=\d),(?=\d)", ".", text).strip(" ;,"))
    try:
        values = [float(word.rstrip(",")) for word in words]
    except ValueError:
        return None
    if len(values) > 2 or not all(PLAUSIBLE_UM[0] <= v <= PLAUSIBLE_UM[1] for v in values):
        return None
    return values[0], values[-1]


def of_objective(power: float) -> float:
    """Return the µm/px that scanners give that objective (40× is 0.25 µm/px)."""
    return UM_TIMES_MAGNIFICATION / power


def extent_text(width_px: int, height_px: int, mpp: tuple[float, float] | None) -> str:
    """Return how large the slide is at that pixel size, to check it against the glass."""
    pixels = f"{width_px:,} × {height_px:,} px".replace(",", " ")
    if mpp is None:
        return pixels
    width_mm, height_mm = width_px * mpp[0] / 1000, height_px * mpp[1] / 1000
    return f"{pixels} = {width_mm:.1f} × {height_mm:.1f} mm"


class PixelSizeDialog(QDialog):
    """Asks for µm/px, or takes it from an objective; shows the slide's size that follows.

    Parameters
    ----------
    path : Path
        The slide.
    why : str
        Why it has to be asked.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(parent_window())
        self.setWindowTitle(f"Pixel size of {path.name}")
        with open_slide(path, mpp=1.0) as slide:
            self._size_px = (slide.width, slide.height)
        self.value = QLineEdit(placeholderText="for example 0.25")
        self.value.setToolTip("One value, or two (x and y) parted by a space")
        self.objective = QComboBox()
        self.objective.addItem("–", None)
        for power in OBJECTIVES:
            self.objective.addItem(f"{power}×  ({of_objective(power):g} µm/px)", power)
        self.extent = QLabel()
        buttons = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(buttons.Ok | buttons.Cancel)
        self._lay_out(f"{path.name}: {why}.")
        self.value.textChanged.connect(self._on_value_changed)
        self.objective.currentIndexChanged.connect(self._on_objective_changed)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._on_value_changed()
        styled(self)

    @property
    def mpp(self) -> tuple[float, float] | None:
        """µm/px (x, y) as typed, None while it is none."""
        return parse_pixel_size(self.value.text())

    def _lay_out(self, question: str) -> None:
        text = QLabel(f"{question}\nEvery length and area depends on it, so it is not guessed.")
        text.setWordWrap(True)
        form = QFormLayout(self)
        form.addRow(text)
        form.addRow("Pixel size (µm/px)", self.value)
        form.addRow("or scanned at", self.objective)
        form.addRow("Whole image", self.extent)
        form.addRow(self.buttons)
        self.setMinimumWidth(WIDTH_PX)

    def _on_value_changed(self, _text: str = "") -> None:
        self.extent.setText(extent_text(*self._size_px, self.mpp))
        ok = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        ok.setEnabled(self.mpp is not None)

    def _on_objective_changed(self, _index: int) -> None:
        power = self.objective.currentData()
        if power is not None:
            self.value.setText(f"{of_objective(power):g}")


def ask_pixel_size(error: PixelSizeError) -> tuple[float, float] | None:
    """Ask for the pixel size of the slide that `error` is about.

    Returns
    -------
    (float, float) or None
        µm/px in x and y; None when the user cancels.
    """
    dialog = PixelSizeDialog(Path(str(error.subject)), error.cause)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    mpp = dialog.mpp
    dialog.deleteLater()
    return mpp if accepted else None
