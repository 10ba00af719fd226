"""Which formats a result can be exported to, as a menu, and the name of the file to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtGui import QAction
from qtpy.QtWidgets import QFileDialog, QMenu, QWidget

from napari_breastpath.core.errors import UsageError
from napari_breastpath.exchange.formats import FORMATS
from napari_breastpath.results import Result
from napari_breastpath.results.folder import SUFFIX

NO_DICOM = "Only for slides that are DICOM: a DICOM result refers to them"
# Where two formats have the same suffix, their files still need different names.
SUGGESTED = {"wsinfer-csv": ".tiles.csv", "dicom-seg": ".seg.dcm", "dicom-sr": ".sr.dcm"}


def refusal(to: str, result: Result | None) -> str:
    """Return why a result cannot be exported to a format; "" where it can."""
    if not to.startswith("dicom") or result is None:
        return ""
    return "" if result.record["slide"].get("vendor") == "dicom" else NO_DICOM


class ExportMenu(QMenu):
    """Every format of `exchange.formats`, in a menu's words.

    Parameters
    ----------
    parent : QWidget
    result : callable
        Returns the result that is shown; asked each time the menu opens.
    chosen : callable
        Gets the key of the format.
    """

    def __init__(
        self,
        parent: QWidget,
        result: Callable[[], Result | None],
        chosen: Callable[[str], None],
    ) -> None:
        super().__init__(parent)
        self._result = result
        self.formats = {to: self._add(to, chosen) for to in FORMATS}
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.refresh)

    def _add(self, to: str, chosen: Callable[[str], None]) -> QAction:
        action = QAction(f"{FORMATS[to].title}…", self)
        action.triggered.connect(lambda: chosen(to))
        self.addAction(action)
        return action

    def refresh(self) -> None:
        """Grey out what the shown result cannot be exported to, and say why."""
        result = self._result()
        for to, action in self.formats.items():
            why = refusal(to, result)
            action.setEnabled(not why)
            action.setToolTip(why)


def suggested(result: Result, to: str) -> Path:
    """Return the name that is offered: the result's own, beside its folder."""
    name = result.path.name.removesuffix(SUFFIX)
    return result.path.with_name(name + SUGGESTED.get(to, FORMATS[to].suffix))


def with_suffix(path: Path, to: str) -> Path:
    """Return a name that somebody typed, with the format's suffix.

    Raises
    ------
    UsageError
        It had none, and with it there is such a file already: nobody was asked about that one.
    """
    suffix = FORMATS[to].suffix
    if path.name.lower().endswith(suffix):
        return path
    named = path.with_name(path.name + suffix)
    if named.exists():
        raise UsageError(named.name, "exists already", "choose it to replace it, or another name")
    return named


def ask_where(parent: QWidget, result: Result, to: str) -> Path | None:
    """Ask which file (folder for OME-Zarr) to write; None when the user has changed their mind."""
    kind = FORMATS[to]
    start, pattern = str(suggested(result, to)), f"{kind.title} (*{kind.suffix})"
    name, _ = QFileDialog.getSaveFileName(parent, f"Export: {kind.title}", start, pattern)
    return with_suffix(Path(name), to) if name else None
