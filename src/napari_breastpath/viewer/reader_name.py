"""Who measures and signs: asked for once, kept in Preferences and in the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakSet

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QInputDialog

from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.dialogs import parent_window

if TYPE_CHECKING:
    from napari_breastpath.viewer.session import Session

QUESTION = "Your name, for the journal and the review (File ▸ Preferences keeps it):"
_asked: WeakSet[Session] = WeakSet()


def known_reader(session: Session) -> str:
    """Return the name that goes with what hands do now, "" where none is given."""
    corrections = session.corrections
    return (corrections.reader if corrections else "") or preferences.reader_name()


def with_reader(session: Session, act: Callable[[str], None], once: bool = True) -> None:
    """Do something in a reader's name, which is asked for where it is not known yet.

    Returns at once; the question stays open beside the slide until it is answered.

    Parameters
    ----------
    session : Session
    act : callable
        Gets the name, "" where none was given.
    once : bool, by default True
        Ask only the first time.
    """
    name = known_reader(session)
    parent = parent_window()
    if name or parent is None or (once and session in _asked):
        _take(session, name, act)
        return
    _asked.add(session)
    dialog = QInputDialog(parent)
    dialog.setWindowTitle("Breast pathology")
    dialog.setLabelText(QUESTION)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.accepted.connect(lambda: _take(session, dialog.textValue(), act))
    dialog.rejected.connect(lambda: _take(session, "", act))
    dialog.open()


def _take(session: Session, name: str, act: Callable[[str], None]) -> None:
    """Keep a name, and act in it."""
    name = " ".join(name.split())
    if name and name != preferences.reader_name():
        preferences.set_reader_name(name)
    if name and session.corrections is not None:
        session.corrections.reader = name
    act(name)
