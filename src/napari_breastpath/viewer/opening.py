"""Opening a slide or a result by name: the dock's button, the menu and the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from napari.utils.notifications import show_error
from qtpy.QtWidgets import QFileDialog

from napari_breastpath.core.errors import BreastPathError, PixelSizeError
from napari_breastpath.results import load_result
from napari_breastpath.results.folder import SUFFIX
from napari_breastpath.slides import PATTERNS
from napari_breastpath.viewer.dialogs import brief, parent_window
from napari_breastpath.viewer.moved_slide import found_slide
from napari_breastpath.viewer.session import Session

Say: TypeAlias = Callable[[str], object]

if TYPE_CHECKING:
    from napari.components import ViewerModel


def open_path(viewer: ViewerModel, path: Path, say: Say = show_error) -> bool:
    """Open a slide, or a result with its slide, and say in one line when that fails.

    Asks for the pixel size where the file states none, and where the slide of a result moved to.

    Parameters
    ----------
    viewer : ViewerModel
    path : Path
    say : callable, by default napari's notification
        Gets the line.

    Returns
    -------
    bool
        It is open now.
    """
    session = Session.of(viewer)
    try:
        if path.name.endswith(SUFFIX):
            return _open_result(session, path)
        return _open_slide(session, path)
    except BreastPathError as error:
        say(brief(error))
        return False


def _open_result(session: Session, path: Path) -> bool:
    result, slide = load_result(path), None
    fingerprint = result.record["slide"]["fingerprint"]
    if session.slide is None or session.slide.fingerprint != fingerprint:
        slide = found_slide(result)
        if slide is None:
            return False
    session.open_result(path, slide)
    return True


def _open_slide(session: Session, path: Path) -> bool:
    from napari_breastpath.viewer.pixel_size_dialog import ask_pixel_size

    try:
        session.open_slide(path)
    except PixelSizeError as error:
        mpp = ask_pixel_size(error)
        if mpp is None:
            return False
        session.open_slide(path, mpp=mpp)
    return True


def choose_slide(viewer: ViewerModel, say: Say = show_error) -> bool:
    """Let the user choose a slide and open it with our reader."""
    patterns = " ".join((*PATTERNS, *(pattern.upper() for pattern in PATTERNS)))
    name, _ = QFileDialog.getOpenFileName(
        parent_window(), "Open slide", start_folder(viewer), f"Slides ({patterns});;All files (*)"
    )
    return bool(name) and open_path(viewer, Path(name), say)


def choose_result(viewer: ViewerModel, say: Say = show_error) -> bool:
    """Let the user choose a result folder and open it with its slide."""
    title = f"Open result (a folder that ends in {SUFFIX})"
    name = QFileDialog.getExistingDirectory(parent_window(), title, start_folder(viewer))
    return bool(name) and open_path(viewer, Path(name), say)


def choose_slide_folder(viewer: ViewerModel, say: Say = show_error) -> bool:
    """Let the user choose a slide that is a folder: OME-Zarr, DICOM."""
    title = "Open slide folder (OME-Zarr, DICOM)"
    name = QFileDialog.getExistingDirectory(parent_window(), title, start_folder(viewer))
    return bool(name) and open_path(viewer, Path(name), say)


def start_folder(viewer: ViewerModel) -> str:
    """Return the folder of the open slide, where the next one is likely to be."""
    slide = Session.of(viewer).slide
    return str(slide.path.parent if slide else Path.home())
