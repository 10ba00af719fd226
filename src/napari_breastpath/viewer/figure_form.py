"""The slide's figures as a form whose lines stay and change their words only."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtWidgets import QLabel, QWidget

from napari_breastpath.viewer.form import compact_form, note


class FigureForm(QWidget):
    """Figures by heading, the first in large letters.

    Numbers follow the threshold many times a second: building lines anew would lay out the whole
    dock each time.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._form, self._lines = compact_form(self), list[tuple[str, QLabel]]()

    @property
    def texts(self) -> dict[str, str]:
        """What is shown, by heading."""
        return {name: label.text() for name, label in self._lines}

    def show_figures(self, figures: Sequence[tuple[str, str]]) -> None:
        """Show figures, (heading, words with their unit)."""
        if [name for name, _ in self._lines] != [name for name, _ in figures]:
            self._build([name for name, _ in figures])
        for row, ((_, label), (_, words)) in enumerate(zip(self._lines, figures, strict=True)):
            set_text(label, words if row else _large(words))

    def _build(self, names: Sequence[str]) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        self._lines = [(name, note()) for name in names]
        for name, label in self._lines:
            self._form.addRow(name, label)


def _large(words: str) -> str:
    figure, dot, rest = words.partition(" · ")
    return f'<b style="font-size: 13pt">{figure}</b>{dot}{rest}'


def set_text(label: QLabel, text: str) -> None:
    """Show a text, unless it is there already: setting it lays out and paints anew."""
    if label.text() != text:
        label.setText(text)
