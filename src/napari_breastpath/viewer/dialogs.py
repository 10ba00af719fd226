"""What our dialogs share: whose window they belong to, and napari's look where there is none."""

from __future__ import annotations

from pathlib import PurePath

from qtpy.QtWidgets import QApplication, QDialog, QMainWindow, QWidget

from napari_breastpath.core.errors import BreastPathError


def brief(error: BreastPathError) -> str:
    """Return an error's line with the file's name only: a notification shows a few words."""
    subject = error.subject.name if isinstance(error.subject, PurePath) else error.subject
    return str(type(error)(subject, error.cause, error.advice))


def parent_window() -> QWidget | None:
    """Return the window that the user is in, else the main window; None where there is none."""
    windows = (w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow))
    return QApplication.activeWindow() or next((w for w in windows if w.isVisible()), None)


def styled(dialog: QDialog) -> QDialog:
    """Give a dialog without a parent napari's colours; one with a parent inherits them."""
    if dialog.parent() is None:
        from napari.qt import get_current_stylesheet

        dialog.setStyleSheet(get_current_stylesheet())
    return dialog
