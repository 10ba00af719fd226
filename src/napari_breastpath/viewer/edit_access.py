"""Whether hands may be at the shown result, and the keys by which they get there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.edits import Corrections
from napari_breastpath.viewer.layers import tag
from napari_breastpath.viewer.preferences import reader_name

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_breastpath.viewer.editing import Editor
    from napari_breastpath.viewer.session import Session

UNDO_KEY, REDO_KEY = "Ctrl+Z", "Ctrl+Shift+Z"
PAINT_KEYS = {"paint": ("2", "P"), "erase": ("1", "E"), "polygon": ("3",), "fill": ("4", "F")}
"""napari's own keys of its Labels tools; on our read-only layers they open the edit layer."""


def hands_on(session: Session) -> Corrections:
    """Return what hands write to, under the reader's name.

    Raises
    ------
    UsageError, ResultError
        There is nothing to correct, or it is reviewed: one line for the user.
    """
    if session.result is None:
        raise UsageError("Correct", "there is no result", "run an analysis or open one")
    if session.locked is not None:
        raise session.locked
    if session.corrections is None:
        raise UsageError("Correct", "the result has no mask yet", "let the analysis finish")
    review = session.corrections.state.reviewed
    if review is not None:
        cause = f"was reviewed by {review.reader or 'someone'} on {review.time[:10]}"
        raise ResultError(session.result.path.name, cause, "reopen it to change it")
    session.corrections.reader = reader_name()
    return session.corrections


def bind_edit_keys(editor: Editor, layer: Layer) -> None:
    """Bind undo and redo to a layer of the mask, and to a read-only one the keys of the tools."""
    role = tag(layer).get("role")
    if role not in ("mask", "regions", "edit"):
        return
    layer.bind_key(UNDO_KEY, lambda _: _quietly(editor.undo), overwrite=True)
    layer.bind_key(REDO_KEY, lambda _: _quietly(editor.redo), overwrite=True)
    for mode, keys in PAINT_KEYS.items() if role != "edit" else ():
        for key in keys:
            layer.bind_key(key, _starter(editor, mode), overwrite=True)


def _quietly(act: Callable[[], Any]) -> None:
    """Call without a value: napari takes one for what to do when the key is let go."""
    act()


def _starter(editor: Editor, mode: str) -> Callable[[Any], None]:
    return lambda _: _quietly(lambda: editor.start(mode))
