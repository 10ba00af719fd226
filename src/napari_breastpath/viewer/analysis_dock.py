"""The dock **Breast analysis**: open a slide, say what is wanted, run it, watch it, stop it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_breastpath.analyses import Request
from napari_breastpath.core.errors import BreastPathError, PixelSizeError, UsageError
from napari_breastpath.core.geometry import Box
from napari_breastpath.core.progress import Progress
from napari_breastpath.models import ModelBundle, list_models
from napari_breastpath.results import Result, load_result
from napari_breastpath.slides import PATTERNS, Slide
from napari_breastpath.viewer import jobs, planning, where, wording
from napari_breastpath.viewer.form import AnalysisForm, beside, compact_form, note
from napari_breastpath.viewer.identity import show_identity
from napari_breastpath.viewer.model_card import ModelCard
from napari_breastpath.viewer.preferences import settings
from napari_breastpath.viewer.runner import CANCELLING, IDLE, RUNNING, Runner
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.tissue import TissueOutline

if TYPE_CHECKING:
    from napari.viewer import Viewer

ANALYSIS = "The analysis"
BUTTON = {IDLE: "Run", RUNNING: "Cancel", CANCELLING: "Cancelling…"}
NO_SLIDE = "Open a slide first: drop it on the window or press Open slide…"
SHOW, ANEW, LEAVE = "show", "anew", "leave"


class AnalysisDock(QWidget):
    """Dock that runs analyses on the slide of a viewer's session.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer, or napari's proxy for it.
    parent : QWidget, optional
    """

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = Session.of(napari_viewer)
        self.runner = Runner.of(self.session)
        self.outline = TissueOutline(self.session)
        self._bundles: tuple[ModelBundle, ...] = ()
        self._running_slide: Slide | None = None
        self._folder = ""
        self._watched: QWidget | None = None
        self._build()
        self._fill_models()
        self._connect()
        self._show_slide(self.session.slide)
        self._show_state()

    # ------------------------------------------------------------------ what it looks like
    def _build(self) -> None:
        self.form = AnalysisForm()
        self.facts = compact_form()
        self.open_button = self._open_button()
        self.label_button = QPushButton("Label…")
        self.label_button.setToolTip("Show the slide's label and macro image, to check identity")
        self.show_tissue_button = QPushButton("Show tissue")
        self.add_tissue_button = QPushButton("Analyse added tissue")
        self.folder_note, self.folder_button = note(), QPushButton("Change…")
        self.run_button, self.bar = QPushButton(BUTTON[IDLE]), QProgressBar()
        self.status = note()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self._scrolled(), stretch=1)
        for widget in (self.run_button, self.bar, self.status, note(wording.RESEARCH_ONLY)):
            layout.addWidget(widget)
        self.setMinimumWidth(300)

    def _scrolled(self) -> QScrollArea:
        content, area = QWidget(), QScrollArea()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 6, 0)
        tissue = QHBoxLayout()
        tissue.addWidget(self.show_tissue_button)
        tissue.addWidget(self.add_tissue_button)
        results = compact_form()
        results.addRow("Results in", beside(self.folder_note, self.folder_button))
        column.addLayout(beside(self.open_button, self.label_button))
        column.addLayout(self.facts)
        column.addWidget(self.form)
        column.addLayout(tissue)
        column.addLayout(results)
        column.addStretch(1)
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return area

    def _open_button(self) -> QToolButton:
        button, menu = QToolButton(), QMenu(self)
        button.setText("Open slide…")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        button.setSizePolicy(self.form.sizePolicy())
        menu.addAction("Open slide folder (OME-Zarr, DICOM)…", self.open_folder_dialog)
        menu.addAction("Open result…", self.open_result_dialog)
        button.setMenu(menu)
        return button

    def _connect(self) -> None:
        self.open_button.clicked.connect(self.open_slide_dialog)
        self.label_button.clicked.connect(self.show_label)
        self.run_button.clicked.connect(self.run)
        self.show_tissue_button.clicked.connect(self.show_tissue)
        self.add_tissue_button.clicked.connect(self.analyse_added_tissue)
        self.folder_button.clicked.connect(self.choose_folder_dialog)
        self.form.card_wanted.connect(self.show_card)
        self.form.model_changed.connect(self._on_model)
        self.form.device_changed.connect(self._ask_device)
        self.runner.changed.connect(self._show_state)
        self.session.slide_changed.connect(self._show_slide)
        self.session.result_changed.connect(self._show_result)

    def _fill_models(self) -> None:
        self._bundles = list_models()
        self.form.set_models([(wording.model_line(b), b.name) for b in self._bundles])
        self._on_model()

    # ------------------------------------------------------------------ what is shown
    def say(self, text: str, error: bool = False) -> None:
        """Show one line under the progress bar."""
        self.status.setStyleSheet("color: #e0604c;" if error else "")
        self.status.setText(text)

    def complain(self, error: BreastPathError | str) -> None:
        """Show an error as one line."""
        self.say(str(error), error=True)

    def _show_slide(self, slide: Slide | None) -> None:
        while self.facts.rowCount():
            self.facts.removeRow(0)
        for name, value in wording.slide_facts(slide) if slide else []:
            self.facts.addRow(name, note(value))
        self._show_folder()
        if slide is None:
            self.say(NO_SLIDE)
        else:
            self.say("")

    def _show_folder(self) -> None:
        slide = self.session.slide
        folder = self.output_folder(slide) if slide else None
        self.folder_note.setText(str(folder) if folder else f"{planning.FOLDER}, beside the slide")
        self.folder_note.setToolTip(str(folder or ""))

    def _show_result(self, result: Result | None) -> None:
        if result is not None and result.status != "partial":
            self.outline.show(jobs.result_tissue(result), result)
        self._show_state()

    def _show_state(self) -> None:
        state = self.runner.state
        own = self.runner.task == ANALYSIS
        self.run_button.setText(BUTTON[state] if own else BUTTON[IDLE])
        self.run_button.setEnabled(state == IDLE or (own and state == RUNNING))
        for widget in (self.form, self.show_tissue_button, self.folder_button):
            widget.setEnabled(state == IDLE)
        result = self.session.result
        measured = result is not None and result.status in ("complete", "incomplete")
        self.add_tissue_button.setEnabled(state == IDLE and measured)
        if state == IDLE:
            self.bar.setRange(0, 1)
            self.bar.reset()

    def _show_progress(self, progress: Progress) -> None:
        counted = progress.stage == "inference" and progress.total > 0
        self.bar.setRange(0, progress.total if counted else 0)
        self.bar.setValue(progress.done if counted else 0)
        if self.runner.state == RUNNING:
            self.say(wording.progress_text(progress))
        if counted and self._running_slide is self.session.slide:
            self.session.show_progress()

    # ------------------------------------------------------------------ opening
    def open_slide_dialog(self) -> None:
        """Ask for a slide's file and open it, with our own reader whatever the preferences."""
        patterns = " ".join(PATTERNS)
        filters = f"Slides ({patterns});;All files (*)"
        path, _ = QFileDialog.getOpenFileName(self, "Open slide", self._last_folder(), filters)
        self.open(path)

    def open_folder_dialog(self) -> None:
        """Ask for a slide that is a folder."""
        self.open(QFileDialog.getExistingDirectory(self, "Open slide folder", self._last_folder()))

    def open_result_dialog(self) -> None:
        """Ask for a result folder."""
        self.open(QFileDialog.getExistingDirectory(self, "Open result", self._last_folder()))

    def _last_folder(self) -> str:
        return str(self.session.slide.path.parent) if self.session.slide else ""

    def open(self, path: str | Path) -> None:
        """Open a slide or a result; what is wrong with it becomes one line in the dock."""
        if not str(path):
            return
        try:
            if str(path).rstrip("/\\").endswith(".breastpath"):
                self.session.open_result(path)
            else:
                self._open_slide(Path(path))
        except BreastPathError as error:
            self.complain(error)

    def _open_slide(self, path: Path) -> None:
        from napari_breastpath.viewer.pixel_size_dialog import ask_pixel_size

        try:
            self.session.open_slide(path)
        except PixelSizeError as error:
            mpp = ask_pixel_size(error)
            if mpp is None:
                raise
            self.session.open_slide(path, mpp=mpp)

    def show_label(self) -> None:
        """Show the slide's label and macro image, which may name the patient."""
        try:
            show_identity(self._slide())
        except BreastPathError as error:
            self.complain(error)

    # ------------------------------------------------------------------ choices
    @property
    def bundle(self) -> ModelBundle:
        """The chosen model.

        Raises
        ------
        UsageError
            There is none.
        """
        chosen = next((b for b in self._bundles if b.name == self.form.model.currentData()), None)
        if chosen is None:
            raise UsageError("Run", "no model is installed", "see `breastpath models list`")
        return chosen

    def output_folder(self, slide: Slide) -> Path:
        """Return the folder that a slide's results go to."""
        return planning.output_folder(slide.path, self._folder or settings().results.folder)

    def choose_folder_dialog(self) -> None:
        """Ask for the folder that results go to."""
        folder = QFileDialog.getExistingDirectory(self, "Folder for results", self._last_folder())
        if folder:
            self._folder = folder
            self._show_folder()

    def show_card(self) -> None:
        """Show the chosen model's card."""
        try:
            ModelCard(self.bundle, self).show()
        except BreastPathError as error:
            self.complain(error)

    def _on_model(self) -> None:
        bundle = next((b for b in self._bundles if b.name == self.form.model.currentData()), None)
        if bundle is not None:
            self.form.threshold.setEnabled(len(bundle.classes) == 1)
            self.form.threshold.setValue(bundle.threshold)

    def _ask_device(self) -> None:
        if not self.runner.idle:
            return
        wanted = self.form.device.currentData()
        show = self.form.device_note.setText
        self.runner.start("Looking for a device", jobs.device_note(wanted), show, show)

    def _slide(self) -> Slide:
        if self.session.slide is None:
            raise UsageError("Run", "no slide is open", NO_SLIDE[0].lower() + NO_SLIDE[1:])
        return self.session.slide

    def _region(self, slide: Slide) -> Box | list[list[tuple[float, float]]] | None:
        """Return the part of the slide that *Where* names, level-0 pixels."""
        viewer, place = self.session.viewer, self.form.place
        if place == where.VIEW:
            camera = viewer.scene.camera
            corners = where.view_corners(camera.center, camera.zoom, viewer.canvas.size)
            return where.view_box(corners, slide.mpp, slide.width, slide.height)
        if place == where.SHAPES:
            shapes = [x for x in viewer.layers if x.__class__.__name__ == "Shapes"]
            outlines = [o for layer in shapes for o in where.selected_outlines(layer)]
            return where.polygons(outlines, slide.mpp)
        return None

    def request(self) -> Request:
        """Return what the form asks for, on the open slide."""
        slide = self._slide()
        changes: dict[str, Any] = {"region": self._region(slide), **advanced()}
        edited = self.outline.edited
        if edited is not None and self.session.result is None:
            out = self.output_folder(slide)
            changes["tissue"] = str(planning.write_outline(edited, out, slide.path))
        return self.form.request(**changes)

    # ------------------------------------------------------------------ running
    def run(self) -> None:
        """Run the analysis, or cancel the one that runs."""
        if self.runner.task == ANALYSIS:
            self.runner.cancel()
            return
        try:
            self._start()
        except BreastPathError as error:
            self.complain(error)

    def _start(self) -> None:
        slide, request, bundle = self._slide(), self.request(), self.bundle
        out = self.output_folder(slide)
        before = planning.earlier(slide, bundle, request, out)
        answer = self._ask_about(before)
        if answer == LEAVE:
            return
        run = before.request if answer == SHOW else request
        self._running_slide = slide
        self.say("Starting …")
        self.bar.setRange(0, 0)
        self.runner.start(
            ANALYSIS,
            jobs.analyse(slide, out, bundle, run, request, resume=answer == SHOW),
            done=self._on_done,
            failed=self.complain,
            progressed=self._show_progress,
            announced=self._on_started,
        )

    def _ask_about(self, before: planning.Earlier) -> str:
        """Return what to do with an earlier result: go on with or show it, start anew, nothing."""
        if before.kind in (planning.NEW, planning.RESUMABLE):
            return SHOW
        box = QMessageBox(self)
        box.setWindowTitle("Breast analysis")
        anew = box.addButton("Analyse anew", QMessageBox.ButtonRole.ActionRole)
        kept = "Analysing anew keeps the old result folder beside the new one (….bak-1)."
        if before.kind == planning.FINISHED:
            box.setText(f"This slide is analysed already with these settings. {kept}")
            show = box.addButton("Show the result", QMessageBox.ButtonRole.AcceptRole)
            box.setDefaultButton(show)
        else:
            show = None
            box.setText(f"The earlier result of this slide differs: it {before.difference}. {kept}")
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        chosen = box.clickedButton()
        return {anew: ANEW, show: SHOW}.get(chosen, LEAVE)

    def _on_started(self, result: Result) -> None:
        if self._running_slide is self.session.slide:
            self.session.show_result(load_result(result.path))

    def _on_done(self, result: Result) -> None:
        """Show what came out of a run, unless another slide is open by now."""
        if self._running_slide is self.session.slide:
            self.session.show_result(result)
            if result.status != "partial":
                self.session.measured.emit(result)
        self.say(outcome_text(result))

    def show_tissue(self) -> None:
        """Draw the outline of the tissue that would be, or was, analysed; it can be painted on."""
        try:
            slide, result = self._slide(), self.session.result
            if result is not None and result.status != "partial":
                self.outline.show(jobs.result_tissue(result), result)
                return
            work = jobs.preview_tissue(
                slide, self.bundle, self.form.request(region=self._region(slide), **advanced())
            )
            self.say("Finding tissue …")
            self.runner.start("Finding tissue", work, self._on_tissue, self.complain)
        except BreastPathError as error:
            self.complain(error)

    def _on_tissue(self, tissue: jobs.Tissue) -> None:
        self.outline.show(tissue)
        area = tissue.mask.sum() * tissue.lattice.pixel_area_mm2
        self.say(f"Tissue: {wording.area_mm2(float(area))}. Paint to add, erase to remove.")

    def analyse_added_tissue(self) -> None:
        """Infer what hands added to the tissue outline, and that only."""
        try:
            slide, result, tissue = self._slide(), self.session.result, self.outline.edited
            if result is None or tissue is None:
                advice = "paint on the layer Tissue outline first"
                raise UsageError("Added tissue", "the outline is unchanged", advice)
            model = self._model_of(result)
            self._running_slide = slide
            self.runner.start(
                ANALYSIS,
                jobs.add_tissue(result.path, slide, model, tissue),
                done=self._on_done,
                failed=self.complain,
                progressed=self._show_progress,
            )
        except BreastPathError as error:
            self.complain(error)

    def _model_of(self, result: Result) -> ModelBundle:
        wanted = result.record["model"]
        for bundle in self._bundles:
            if bundle.sha256 == wanted["sha256"]:
                return bundle
        cause = f"its model {wanted['name']} {wanted.get('version', '')} is not installed"
        raise UsageError(result.path.name, cause, "install it, or analyse anew")

    # ------------------------------------------------------------------ the end of the window
    def showEvent(self, event: QShowEvent | None) -> None:
        """Watch the window that the dock is in, to stop work when it is closed."""
        super().showEvent(event)
        if self._watched is not self.window():
            self._watched = self.window()
            self._watched.installEventFilter(self)
            if not self.form.device_note.text():
                self._ask_device()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Before the window closes: ask (when a person closes it), stop the work, wait for it."""
        if event is None or event.type() != QEvent.Type.Close or self.runner.idle:
            return super().eventFilter(watched, event)
        if event.spontaneous() and not self._may_close():
            event.ignore()
            return True
        self.runner.stop_and_let_go()
        return False

    def _may_close(self) -> bool:
        text = (
            "An analysis is running. Stop it and close? What is done is kept; Run goes on with it."
        )
        answer = QMessageBox.question(self, "Breast analysis", text)
        return answer == QMessageBox.StandardButton.Yes


def advanced() -> dict[str, Any]:
    """Return what napari's Preferences hold for a request."""
    chosen = settings().inference
    batch = chosen.batch_size or None
    return {"engine": chosen.engine, "batch_size": batch, "overlap": chosen.overlap}


def outcome_text(result: Result) -> str:
    """Return one line about a run that has ended."""
    tiles = result.record.get("tiles") or {}
    done = tiles.get("done", 0)
    if result.status == "partial":
        return f"Cancelled with {done} tiles done. Run goes on with them."
    regions = result.record.get("regions") or {}
    longest = wording.length_mm(regions.get("longest_feret_mm"))
    figures = f"{regions.get('count', 0)} regions, longest extent {longest}"
    if result.status == "incomplete":
        return f"Done, incomplete: {tiles.get('failed', 0)} tiles could not be read. {figures}."
    return f"Done: {figures}."
