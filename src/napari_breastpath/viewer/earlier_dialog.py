"""The question that an earlier result of the slide raises: show it, analyse anew, or neither."""

from __future__ import annotations

from qtpy.QtWidgets import QMessageBox, QWidget

from napari_breastpath.viewer.planning import FINISHED, NEW, RESUMABLE, Earlier

SHOW, ANEW, LEAVE = "show", "anew", "leave"
KEPT = "Analysing anew keeps the old result folder beside the new one (….bak-1)."


def question(before: Earlier) -> str:
    """Return what there is to decide, "" where there is no result or one to go on with."""
    if before.kind in (NEW, RESUMABLE):
        return ""
    if before.kind == FINISHED:
        return f"This slide is analysed already with these settings. {KEPT}"
    return f"The earlier result of this slide {before.difference}. {KEPT}"


def ask_about(before: Earlier, parent: QWidget | None = None) -> str:
    """Ask what to do with an earlier result.

    Returns
    -------
    str
        `show` (or go on with it), `anew` or `leave`.
    """
    text = question(before)
    if not text:
        return SHOW
    box = QMessageBox(parent)
    box.setWindowTitle("Breast analysis")
    box.setText(text)
    answers = {box.addButton("Analyse anew", QMessageBox.ButtonRole.ActionRole): ANEW}
    if before.request is not None:
        text = "Show the result" if before.kind == FINISHED else "Keep the earlier settings"
        show = box.addButton(text, QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(show)
        answers[show] = SHOW
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    answer = answers.get(box.clickedButton(), LEAVE)
    box.deleteLater()
    return answer
