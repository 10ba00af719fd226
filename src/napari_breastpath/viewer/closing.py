"""The end of the window: nothing may be written to a result by a thread that nobody sees."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_breastpath.viewer.editing import Editor
from napari_breastpath.viewer.runner import Runner

UNSAVED = "Some strokes could not be written and will be lost. Close all the same?"
QUESTION = "{task} is under way. Close all the same? An analysis keeps what is done."


class ClosingGuard(QObject):
    """Stops a window's background work before the window closes, and waits for it.

    A person who closes the window is asked first; a program is not.

    Parameters
    ----------
    window : QWidget
        The window to watch.
    runner : Runner
        Its work.
    last : callable, optional
        What is to be started before the window goes; it is waited for, too.
    """

    def __init__(
        self, window: QWidget, runner: Runner, last: Callable[[], None] | None = None
    ) -> None:
        super().__init__(window)
        self._runner, self._last = runner, last
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Qt's hook: True keeps the event from the window."""
        if event is None or event.type() != QEvent.Type.Close:
            return False
        if not self._runner.idle and event.spontaneous() and not self._may_close():
            event.ignore()
            return True
        if self._last is not None:
            self._last()
        self._runner.stop_and_let_go()
        return False

    def _may_close(self) -> bool:
        question = QUESTION.format(task=self._runner.task)
        answer = QMessageBox.question(self.parent(), "Breast analysis", question)
        return answer == QMessageBox.StandardButton.Yes


class EditGuard(QObject):
    """Lets strokes get to disk before the window closes.

    Parameters
    ----------
    window : QWidget
        The window to watch.
    editor : Editor
        Whose strokes.
    """

    def __init__(self, window: QWidget, editor: Editor) -> None:
        super().__init__(window)
        self._editor = editor
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Qt's hook: True keeps the event from the window."""
        if event is None or event.type() != QEvent.Type.Close or self._editor.drain():
            return False
        if event.spontaneous() and not self._may_close():
            event.ignore()
            return True
        return False

    def _may_close(self) -> bool:
        answer = QMessageBox.question(self.parent(), "Correct", UNSAVED)
        return answer == QMessageBox.StandardButton.Yes
