"""What menus, the command palette and keys do to the mask. napari passes the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_breastpath.viewer.editing import Editor
from napari_breastpath.viewer.session import Session

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
    editor = Editor.of(Session.of(viewer))
    if editor.active:
        editor.close()
    else:
        editor.start()
