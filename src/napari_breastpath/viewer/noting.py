"""Notes in the journal of the shown result: a manual extent, its reset, a review, a reopening."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari_breastpath.viewer.in_order import InOrder

if TYPE_CHECKING:
    from napari_breastpath.edits import Corrections, Entry
    from napari_breastpath.viewer.session import Session

logger = logging.getLogger(__name__)
NO_JOURNAL = "There is no measured result to write to."
_queues: WeakKeyDictionary[Any, InOrder] = WeakKeyDictionary()


def note(
    session: Session,
    action: str,
    detail: Mapping[str, Any] | None = None,
    failed: Callable[[str], None] = logger.warning,
) -> None:
    """Write a note in the background, in order; then `session.edited` tells of it.

    Parameters
    ----------
    session : Session
    action : str
        One of `edits.entry.NOTES`.
    detail : mapping, optional
    failed : callable
        Gets one line when it could not be written.
    """
    corrections = session.corrections
    if corrections is None:
        failed(str(session.locked or NO_JOURNAL))
        return
    queue = _queues.setdefault(session, InOrder())
    queue.submit(
        lambda: corrections.note(action, detail),
        lambda entry: _tell(session, corrections, entry),
        failed,
    )


def _tell(session: Session, corrections: Corrections, entry: Entry) -> None:
    if session.corrections is corrections:
        session.edited.emit(entry)


def lock_reason(session: Session) -> str:
    """Return why nothing may be changed: it is reviewed, or cannot be written to; "" if it may."""
    return review_lock(session) or ("" if session.corrections else str(session.locked or ""))


def review_lock(session: Session) -> str:
    """Return that a review locks the shown result, "" where none does."""
    signed = reviewed_text(session)
    return f"{signed}: reopen it to change it" if signed else ""


def reviewed_text(session: Session) -> str:
    """Return `Reviewed by NAME on DATE`, "" where nobody signed."""
    from napari_breastpath.report.wording import reviewed

    corrections = session.corrections
    signed = corrections.state.reviewed if corrections else None
    return reviewed({"reader": signed.reader, "time": signed.time}) if signed else ""
