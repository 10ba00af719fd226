"""What menus, the command palette and keys do to the mask. napari passes the viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info

from napari_breastpath.viewer.editing import Editor
from napari_breastpath.viewer.flip import flip
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.tools import Toolbox

if TYPE_CHECKING:
    from napari.viewer import Viewer


def undo(viewer: Viewer) -> None:
    """Take back the last edit of the mask."""
    Editor.of(Session.of(viewer)).undo()


def redo(viewer: Viewer) -> None:
    """Do again what was undone last."""
    Editor.of(Session.of(viewer)).redo()


def edit_here(viewer: Viewer) -> None:
    """Take the brush, over the part of the mask that is in view; or put it away."""
    toolbox = Toolbox.of(Session.of(viewer))
    if toolbox.editor.active:
        toolbox.editor.close()
    else:
        toolbox.take("brush")


def flip_mask(viewer: Viewer) -> Callable[[], None] | None:
    """Show the model's own mask, or the corrected one again; a held key only looks."""
    restore = flip(Session.of(viewer))
    if restore is None:
        show_info("No mask yet.")
    return restore


def encircle(viewer: Viewer) -> None:
    """Fill what is dragged around."""
    _take(viewer, "encircle")


def probability_brush(viewer: Viewer) -> None:
    """Paint where the model finds it probable."""
    _take(viewer, "probability brush")


def split(viewer: Viewer) -> None:
    """Cut a region along a line."""
    _take(viewer, "split")


def join(viewer: Viewer) -> None:
    """Join two regions by a bridge."""
    _take(viewer, "join")


def _take(viewer: Viewer, name: str) -> None:
    Toolbox.of(Session.of(viewer)).take(name)


EDIT_KEYS: dict[str, Callable[..., Any]] = {
    "Shift+E": edit_here,
    "Shift+F": flip_mask,
    "Shift+C": encircle,
    "Shift+G": probability_brush,
    "Shift+X": split,
    "Shift+J": join,
}
UNDO_KEYS: dict[str, Callable[..., Any]] = {"Ctrl+Z": undo, "Ctrl+Shift+Z": redo}
"""A Labels layer that is none of ours has these two for itself."""
