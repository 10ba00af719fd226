"""What a file from elsewhere can be brought into a result as, as a menu, and which file it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from qtpy.QtGui import QAction
from qtpy.QtWidgets import QFileDialog, QMenu, QWidget

from napari_breastpath.analyses import Imported

WAYS = {
    "regions": (
        "Regions: the mask becomes exactly these",
        "What the file outlines is painted, what the model found elsewhere is erased.",
    ),
    "edits": (
        "Corrections: painted over the mask",
        "What the file outlines is painted, what it cuts out is erased; all else stays.",
    ),
    "tissue": (
        "Tissue: where there is any",
        "The areas of whatever class become the tissue; new tissue is unread until analysed.",
    ),
}
PATTERNS = (
    "*.geojson *.geojson.gz *.json *.json.gz *.zip *.xml *.annotations *.png *.tif *.tiff *.btf"
)
FILTER = f"Annotations, label images ({PATTERNS});;All files (*)"


class ImportMenu(QMenu):
    """What to import a file, or a folder of labels, as.

    Parameters
    ----------
    parent : QWidget
    chosen : callable
        Gets `regions`, `edits` or `tissue`, and whether it comes from a folder.
    """

    def __init__(self, parent: QWidget, chosen: Callable[[str, bool], None]) -> None:
        super().__init__(parent)
        self.folders = QMenu("Labels in an OME-Zarr folder, as", self)
        for what in WAYS:
            self._add(self, what, partial(chosen, what, False))
            self._add(self.folders, what, partial(chosen, what, True))
        self.addSeparator()
        self.addMenu(self.folders)

    def _add(self, menu: QMenu, what: str, chosen: Callable[[], None]) -> None:
        title, tip = WAYS[what]
        action = QAction(f"{title}…", menu)
        action.setToolTip(tip)
        action.triggered.connect(lambda: chosen())
        menu.addAction(action)
        menu.setToolTipsVisible(True)


def ask_what(parent: QWidget, folder: str, what: str, is_folder: bool) -> Path | None:
    """Ask which file or folder to import; None when the user has changed their mind."""
    title = f"Import as {what}"
    if is_folder:
        name = QFileDialog.getExistingDirectory(parent, f"{title}: OME-Zarr labels", folder)
    else:
        name, _ = QFileDialog.getOpenFileName(parent, title, folder, FILTER)
    return Path(name) if name else None


def imported_text(done: Imported, name: str) -> str:
    """Return one line about an import that has ended."""
    text = f"Imported {done.count} {done.things} of {name} as {done.what}"
    return "; ".join((text, *done.notes))
