"""Reviewed: who signs the shown result, what that locks, and opening it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_breastpath.viewer import reviewing
from napari_breastpath.viewer.form import note as label
from napari_breastpath.viewer.listening import listen
from napari_breastpath.viewer.noting import reviewed_text

if TYPE_CHECKING:
    from napari_breastpath.viewer.exchange_bar import Say
    from napari_breastpath.viewer.session import Session

REVIEWED, REOPEN = "Reviewed", "Reopen…"
SIGN_TIP = "Sign these numbers with your name and lock them: nothing can be changed by mistake"
REOPEN_TIP = "Let threshold, mask and measurements be changed again; the journal keeps who did"


class ReviewBar(QWidget):
    """The line that says who reviewed, with the button that signs or reopens.

    Parameters
    ----------
    session : Session
    say : callable
        Shows one line.
    parent : QWidget, optional
    """

    def __init__(self, session: Session, say: Say, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self._say = session, say
        self.text, self.button = label(), QPushButton(REVIEWED)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.text, stretch=1)
        row.addWidget(self.button)
        self.button.clicked.connect(self.press)
        listen(self, session.edited, self.show_state)
        listen(self, session.result_changed, self.show_state)
        self.show_state()

    def show_state(self, _: object = None) -> None:
        """Say who reviewed the shown result."""
        text = reviewed_text(self.session)
        self.text.setText(text or "Not reviewed yet")
        lines = 2 if text else 1  # with a name and a date it does not fit into one
        self.text.ensurePolished()  # napari's font is larger than Qt's own
        self.text.setMinimumHeight(lines * (self.text.fontMetrics().lineSpacing() + 2))
        self.button.setText(REOPEN if text else REVIEWED)
        self.button.setToolTip(REOPEN_TIP if text else SIGN_TIP)
        self.setVisible(self.session.corrections is not None)

    def press(self) -> None:
        """Sign the result, or open it again."""
        act = reviewing.reopen if reviewed_text(self.session) else reviewing.sign
        act(self.session, lambda line: self._say(line, error=True))
