"""Saving a picture of the view: asks where, says where it went."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog

from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.viewer.dialogs import brief, parent_window
from napari_breastpath.viewer.opening import start_folder
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.snapshot import save_view

if TYPE_CHECKING:
    from napari.viewer import Viewer


def choose_picture(viewer: Viewer, say: Callable[[str], object] = show_info) -> Path | None:
    """Let the user choose a file and write a picture of the view to it.

    Returns
    -------
    Path or None
        Where it is, None when it was not written; `say` got the line why.
    """
    slide = Session.of(viewer).slide
    name = "view.png" if slide is None else f"{slide.path.stem}-view.png"
    suggestion = str(Path(start_folder(viewer), name))
    chosen, _ = QFileDialog.getSaveFileName(
        parent_window(), "Save a picture of the view", suggestion, "Picture (*.png)"
    )
    return picture(viewer, Path(chosen), say) if chosen else None


def picture(viewer: Viewer, path: Path, say: Callable[[str], object]) -> Path | None:
    """Write a picture of the view and say in one line where it is, or why there is none."""
    try:
        written = save_view(viewer, Session.of(viewer), path)
    except BreastPathError as error:
        say(brief(error))
        return None
    say(f"Picture: {written}")
    return written
