"""The slide of a result: where it was, near the result, or where the user says it is now."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_breastpath.core.errors import BreastPathError, ResultError, SlideError
from napari_breastpath.results import load_result
from napari_breastpath.results.files import written
from napari_breastpath.slides import PATTERNS, Slide, open_slide

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_breastpath.results import Result

logger = logging.getLogger(__name__)
FOLDER_READERS = ("zarr", "dicom")
ADVICE = "put it back, or beside the result folder"


def slide_of(result: Result) -> Slide:
    """Open the slide of a result, where it was or near the result folder, at the pixel size used.

    Raises
    ------
    SlideError
        It is in none of these places: what is there is missing, or another slide.
    """
    refused = None
    for path in filter(Path.exists, places(result)):
        try:
            return open_as(result, path)
        except SlideError as error:
            refused = refused or error
    cause = f"the slide of {result.path.name} is not there"
    raise refused or SlideError(result.slide_path, cause, ADVICE)


def places(result: Result) -> Iterator[Path]:
    """Yield where the slide of a result may be."""
    recorded = result.slide_path
    yield recorded
    for folder in (result.path.parent, result.path.parent.parent):
        yield folder / recorded.name


def open_as(result: Result, path: Path) -> Slide:
    """Open a file as the slide of a result, at the pixel size used.

    Raises
    ------
    SlideError
        It cannot be opened, or is another slide: its fingerprint differs.
    """
    mpp = result.slide_mpp
    slide = open_slide(path, mpp=None if mpp.source == "header" else (mpp.x, mpp.y))
    if slide.fingerprint == result.record["slide"]["fingerprint"]:
        return slide
    slide.close()
    cause = f"it is not the slide of {result.path.name}: the fingerprint differs"
    raise SlideError(path, cause, "choose the file that was analysed")


def found_slide(result: Result) -> Slide | None:
    """Open the slide of a result; ask where it is when it moved, and remember the answer.

    Returns
    -------
    Slide or None
        None when the user cancels.

    Raises
    ------
    SlideError
        It moved and there is no window to ask in.
    """
    from napari_breastpath.viewer.dialogs import brief, parent_window

    try:
        return slide_of(result)
    except SlideError as error:
        parent, line = parent_window(), brief(error)
        if parent is None:
            raise
    while (path := ask_where(result, line, parent)) is not None:
        try:
            slide = open_as(result, path)
        except BreastPathError as error:
            line = brief(error)
        else:
            remember(result, slide.path)
            return slide
    return None


def ask_where(result: Result, line: str, parent: QWidget) -> Path | None:
    """Say in one line why the slide is not open and let the user find it; None to give up."""
    from qtpy.QtWidgets import QFileDialog, QMessageBox

    box = QMessageBox(parent)
    box.setWindowTitle("Where is the slide?")
    box.setText(line)
    find = box.addButton("Find the slide…", QMessageBox.ButtonRole.AcceptRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.exec()
    if box.clickedButton() is not find:
        return None
    title = f"Find {result.slide_path.name}"
    start = str(result.path.parent)
    if is_folder(result):
        name = QFileDialog.getExistingDirectory(parent, title, start)
    else:
        patterns = " ".join((*PATTERNS, *(pattern.upper() for pattern in PATTERNS)))
        kinds = f"Slides ({patterns});;All files (*)"
        name, _ = QFileDialog.getOpenFileName(parent, title, start, kinds)
    return Path(name) if name else None


def is_folder(result: Result) -> bool:
    """Tell whether the slide of a result was a folder: OME-Zarr, a DICOM series."""
    slide = result.record["slide"]
    by_reader = {slide.get("reader"), slide.get("vendor")} & set(FOLDER_READERS)
    return bool(by_reader) and result.slide_path.suffix.lower() not in (".dcm", ".zip")


def remember(result: Result, path: Path) -> None:
    """Write where the slide is now into the result; where that fails it is asked for again."""
    moved = result.record["slide"] | {"path": str(path.resolve())}
    result.record["slide"] = moved
    try:
        with written(result.path):
            load_result(result.path).save(slide=moved)
    except ResultError as error:
        logger.warning("%s", error)
