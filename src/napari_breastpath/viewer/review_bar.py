"""Reviewed: who signs the shown result, what that locks, and opening it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QInputDialog, QMessageBox, QPushButton, QWidget

from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.form import note as label
from napari_breastpath.viewer.listening import listen
from napari_breastpath.viewer.noting import note, reviewed_text

if TYPE_CHECKING:
    from napari_breastpath.viewer.exchange_bar import Say
    from napari_breastpath.viewer.session import Session

REVIEWED, REOPEN = "Reviewed", "Reopen…"
SIGN_TIP = "Sign these numbers with your name and lock them: nothing can be changed by mistake"
REOPEN_TIP = "Let threshold, mask and measurements be changed again; the journal keeps who did"
NAME_QUESTION = "Your name, for the journal and the review (File ▸ Preferences keeps it):"
REOPEN_QUESTION = "{}. Open it again for changes? The journal keeps that you did."
NO_NAME = "A review needs a name: give yours, or set it in File ▸ Preferences ▸ Breast pathology."


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
        self.button.setText(REOPEN if text else REVIEWED)
        self.button.setToolTip(REOPEN_TIP if text else SIGN_TIP)
        self.setVisible(self.session.corrections is not None)

    def press(self) -> None:
        """Sign the result, or open it again."""
        if not reviewed_text(self.session):
            self._sign()
        elif self._may_reopen():
            self._note("reopen")

    def _sign(self) -> None:
        name = preferences.reader_name() or self.ask_name()
        corrections = self.session.corrections
        if not name or corrections is None:
            self._say(NO_NAME, error=True)
            return
        corrections.reader = name
        self._note("review")

    def _note(self, action: str) -> None:
        note(self.session, action, failed=lambda line: self._say(line, error=True))

    def ask_name(self) -> str:
        """Ask for the reader's name and keep it in Preferences; "" when none is given."""
        name, _ = QInputDialog.getText(self, "Breast pathology", NAME_QUESTION)
        name = " ".join(name.split())
        if name:
            preferences.set_reader_name(name)
        return name

    def _may_reopen(self) -> bool:
        question = REOPEN_QUESTION.format(reviewed_text(self.session))
        answer = QMessageBox.question(self, "Breast pathology", question)
        return answer == QMessageBox.StandardButton.Yes
