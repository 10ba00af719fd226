"""Signing the shown result, opening it again, taking the manual extent back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMessageBox

from napari_breastpath.viewer.dialogs import parent_window
from napari_breastpath.viewer.editing import Editor
from napari_breastpath.viewer.live_numbers import LiveNumbers
from napari_breastpath.viewer.noting import NO_JOURNAL, lock_reason, note, reviewed_text
from napari_breastpath.viewer.reader_name import with_reader

if TYPE_CHECKING:
    from napari_breastpath.viewer.session import Session

Failed = Callable[[str], object]
REOPEN_QUESTION = "{}. Open it again for changes? The journal keeps that you did."
NO_NAME = "A review needs a name: give yours, or set it in File ▸ Preferences ▸ Breast pathology."
NOT_REVIEWED = "This result is not reviewed: there is nothing to reopen."
NO_EXTENT = "There is no manual extent: the automatic one is shown."


def sign(session: Session, failed: Failed) -> None:
    """Sign the shown result in the reader's name; numbers on screen are written first.

    Parameters
    ----------
    session : Session
    failed : callable
        Gets one line where that cannot be.
    """
    reason = NO_JOURNAL if session.corrections is None else lock_reason(session)
    if reason:
        failed(str(session.locked or reason))
        return

    def review(name: str) -> None:
        if not name:
            failed(NO_NAME)
            return
        Editor.of(session).close()
        LiveNumbers.of(session).save_first(lambda: note(session, "review", failed=_told(failed)))

    with_reader(session, review, once=False)


def reopen(session: Session, failed: Failed) -> None:
    """Open a reviewed result for changes, if the user says so again."""
    signed = reviewed_text(session)
    if not signed:
        failed(NOT_REVIEWED)
        return
    question, title = REOPEN_QUESTION.format(signed), "Breast pathology"
    answer = QMessageBox.question(parent_window(), title, question)
    if answer == QMessageBox.StandardButton.Yes:
        note(session, "reopen", failed=_told(failed))


def reset_extent(session: Session, failed: Failed) -> None:
    """Go back to the automatic extent."""
    corrections = session.corrections
    if corrections is None or corrections.state.extent is None:
        failed(str(session.locked or NO_EXTENT))
        return
    note(session, "extent_reset", failed=_told(failed))


def _told(failed: Failed) -> Callable[[str], None]:
    return lambda line: (failed(line), None)[1]
