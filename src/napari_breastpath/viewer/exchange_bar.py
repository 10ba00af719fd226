"""The buttons Import…, Export… and Report of the Measurements dock, and what they do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_breastpath.analyses import Imported
from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.results import Result
from napari_breastpath.viewer import jobs
from napari_breastpath.viewer.exporting import ExportMenu, ask_where
from napari_breastpath.viewer.importing import ImportMenu, ask_what, imported_text
from napari_breastpath.viewer.live_numbers import LiveNumbers
from napari_breastpath.viewer.runner import Handler, Runner
from napari_breastpath.viewer.saving import choose_picture
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.worker import WorkFunction

if TYPE_CHECKING:
    from napari.viewer import Viewer

IMPORT_TIP = "Bring outlines or labels of another program into this result"
EXPORT, IMPORT, REPORT = "The export", "The import", "The report"


class Say(Protocol):
    """Shows one line to the user."""

    def __call__(self, text: str, error: bool = False) -> None: ...


class ExchangeBar(QWidget):
    """Files in and out of the result that a session shows; all of it in the background.

    Parameters
    ----------
    session : Session
    runner : Runner
        One task at a time, so that nothing is exported while it is being measured.
    say : callable
        Shows one line.
    parent : QWidget, optional
    """

    def __init__(
        self, session: Session, runner: Runner, say: Say, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.session, self.runner, self._say = session, runner, say
        self.import_button, self.export_button = QPushButton("Import…"), QPushButton("Export…")
        self.report_button, self.picture_button = QPushButton("Report"), QPushButton("Picture…")
        self.export_menu = ExportMenu(self, lambda: session.result, self.export_dialog)
        self.import_menu = ImportMenu(self, self.import_dialog)
        self._dress()

    def _dress(self) -> None:
        self.import_button.setMenu(self.import_menu)
        self.export_button.setMenu(self.export_menu)
        self.report_button.clicked.connect(lambda: self.report())
        self.picture_button.clicked.connect(lambda: self.picture())
        tips = {
            self.import_button: IMPORT_TIP,
            self.export_button: "Write this result for another program",
            self.report_button: "Write report.html into the result folder and open it",
            self.picture_button: "Save what is on screen with scale bar, caliper and figures (PNG)",
        }
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for button, tip in tips.items():
            button.setToolTip(tip)
            row.addWidget(button)

    # ------------------------------------------------------------------ what the buttons ask
    def export_dialog(self, to: str) -> None:
        """Ask where to export to, and do it."""

        def ask() -> None:
            path = ask_where(self, self._ready(EXPORT), to)
            if path is not None:
                self.export(to, path)

        self._in_one_line(ask)

    def import_dialog(self, what: str, is_folder: bool = False) -> None:
        """Ask what to import, and do it."""

        def ask() -> None:
            folder = str(self._ready(IMPORT).path.parent)
            path = ask_what(self, folder, what, is_folder)
            if path is not None:
                self.import_file(path, what)

        self._in_one_line(ask)

    def lock(self, reason: str) -> None:
        """Say why nothing may be imported; "" where it may."""
        self.import_button.setEnabled(not reason)
        self.import_button.setToolTip(reason or IMPORT_TIP)

    # ------------------------------------------------------------------ what they do
    def picture(self) -> None:
        """Ask where to save a picture of the view, and do it."""
        choose_picture(cast("Viewer", self.session.viewer), self._say)

    def export(self, to: str, path: Path) -> None:
        """Export the shown result to one of `exchange.formats.FORMATS`."""
        self._start(
            EXPORT,
            f"Exporting to {path.name} …",
            lambda result: jobs.export(result.path, to, path),
            lambda _: self._say(f"Exported to {path}"),
        )

    def import_file(self, path: Path, what: str) -> None:
        """Bring a file into the shown result as `regions`, `edits` or `tissue`."""
        self._start(
            IMPORT,
            f"Importing {path.name} …",
            lambda result: jobs.import_annotations(result.path, path, what),
            lambda outcome: self._on_imported(path, *outcome),
        )

    def report(self) -> None:
        """Write the shown result's report and open it in the browser."""
        slide = self.session.slide
        self._start(
            REPORT,
            "Writing the report …",
            lambda result: jobs.report(result.path, slide),
            self._on_report,
        )

    def _ready(self, task: str) -> Result:
        """Return the shown result, while nothing else is under way."""
        self.runner.check_idle(task)
        return self.session.require_result()

    def _start(
        self, task: str, text: str, job: Callable[[Result], WorkFunction], done: Handler
    ) -> None:
        def start() -> None:
            self.runner.check_idle(task)
            self.session.require_result()
            LiveNumbers.of(self.session).save_first(lambda: self._in_one_line(begin))

        def begin() -> None:
            work = job(self._ready(task))
            self._say(text)
            self.runner.start(task, work, done, lambda line: self._say(line, error=True))

        self._in_one_line(start)

    def _in_one_line(self, act: Callable[[], None]) -> None:
        try:
            act()
        except BreastPathError as error:
            self._say(str(error), error=True)

    def _on_imported(self, path: Path, result: Result, done: Imported) -> None:
        """Show what an import made of the result, unless another one is shown by now."""
        shown = self.session.result
        if shown is not None and shown.path == result.path:
            self._show(result, done)
        self._say(imported_text(done, path.name))

    def _show(self, result: Result, done: Imported) -> None:
        # Showing all of it again would lose what hands painted on the tissue outline meanwhile.
        if done.what == "tissue":
            self.session.show_result(result)
        else:
            self.session.result = result
        self.session.measured.emit(result)

    def _on_report(self, path: Path) -> None:
        opened = QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
        self._say(f"The report is {path}" + ("" if opened else "; open it in a browser"))
