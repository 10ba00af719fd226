"""What goes with every session that has a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari_breastpath.viewer.session import Session


def accompany(session: Session) -> None:
    """Follow a session's camera, rulers and hands; scripts without Qt have no timers for it."""
    from napari_breastpath.viewer.editing import Editor
    from napari_breastpath.viewer.rulers import Rulers
    from napari_breastpath.viewer.tracker import Tracker

    if QApplication.instance() is not None:
        Tracker.of(session)
        Rulers.of(session)
        Editor.of(session)
