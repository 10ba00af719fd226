"""`Outside`: what other programs do to the shown result on disk is followed on screen.

`breastpath import` or a second napari may write to a result that is open here. Its files are looked
at every two seconds, and read anew once they have come to rest.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import ref

from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer

from napari_breastpath.edits.journal import FOLDER, LOG
from napari_breastpath.results import load_result
from napari_breastpath.results.folder import RECORD
from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.in_order import InOrder
from napari_breastpath.viewer.live_numbers import LiveNumbers
from napari_breastpath.viewer.runner import Runner

if TYPE_CHECKING:
    from napari_breastpath.edits import Corrections, Entry
    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session

logger = logging.getLogger(__name__)
LOOK_MS = 2000
CHANGED = "{} was changed by another program: its mask and numbers are read again."
Stamp = tuple[tuple[int, int], ...]


class Outside(Companion):
    """Looks at the files of one session's result; `Outside.of(session)` gives it, always the same.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = ref(session)
        self._queue = InOrder()
        self._seen: Stamp = ()
        self._followed: Stamp = ()
        self._told: set[int] = set()
        session.result_changed.connect(self._on_result)
        session.edited.connect(self._on_edited)
        self._on_result(session.result)
        self._timer = QTimer()
        self._timer.timeout.connect(self.look)
        self._timer.start(LOOK_MS)

    def _on_result(self, result: Result | None) -> None:
        session = self._session()
        hands = session.corrections if session else None
        self._told = {entry.number for entry in hands.log} if hands else set()
        self._seen = self._followed = stamp(result.path) if result else ()

    def _on_edited(self, entry: Entry) -> None:
        self._told.add(entry.number)

    def look(self) -> None:
        """Read the result anew where its files changed and have come to rest."""
        session = self._session()
        if session is None or session._viewer() is None:
            self._timer.stop()
            return
        hands = session.corrections
        if hands is None or self._queue.waiting or not is_quiet(session):
            return
        before, self._seen = self._seen, stamp(hands.result.path)
        if self._seen == before != self._followed:
            self._followed = before
            self._queue.submit(
                lambda: read(hands), lambda found: self._follow(hands, found), logger.warning
            )

    def _follow(self, hands: Corrections, found: Result) -> None:
        session = self._session()
        if session is None or session.corrections is not hands or session.result is None:
            return
        news = [entry for entry in hands.log if entry.number not in self._told]
        if found.record != session.result.record:
            session.result = found
            show_info(CHANGED.format(found.path.name))
            if is_quiet(session):  # else it is measured soon, with all that is on disk
                session.measured.emit(found)
        for entry in news:
            session.edited.emit(entry)


def is_quiet(session: Session) -> bool:
    """Tell whether nothing of ours is being written, or waits to be."""
    live = session.companions.get(LiveNumbers)
    return Runner.of(session).idle and (live is None or live.is_saved)


def stamp(path: Path) -> Stamp:
    """Return time and size of the files that every change of a result goes through."""
    files = [file for file in (path / RECORD, path / FOLDER / LOG) if file.exists()]
    return tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files)


def read(hands: Corrections) -> Result:
    """Read what others did, and the result as it is now."""
    hands.refresh()
    return load_result(hands.result.path)
