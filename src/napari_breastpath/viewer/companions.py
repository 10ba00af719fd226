"""What goes with a session for as long as it lives, and what goes with one that has a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    from napari_breastpath.viewer.session import Session


class Companion:
    """Base of what a session has one of; `Kind.of(session)` gives it, always the same."""

    def __init__(self, session: Session) -> None:
        raise NotImplementedError

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return the one of a session, made on first use."""
        if cls not in session.companions:
            session.companions[cls] = cls(session)
        return cast(Self, session.companions[cls])


def accompany(session: Session) -> None:
    """Follow a session's camera, rulers and hands; scripts without Qt have no timers for it."""
    from qtpy.QtWidgets import QApplication

    from napari_breastpath.viewer.editing import Editor
    from napari_breastpath.viewer.outside import Outside
    from napari_breastpath.viewer.rulers import Rulers
    from napari_breastpath.viewer.tracker import Tracker

    if QApplication.instance() is not None:
        Tracker.of(session)
        Rulers.of(session)
        Editor.of(session)
        if hasattr(session.viewer, "window"):
            Outside.of(session)
