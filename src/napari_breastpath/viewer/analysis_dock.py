"""The dock **Breast analysis**: open a slide, say what is wanted, run it, watch it, stop it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QEnterEvent, QShowEvent
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_breastpath.analyses import DEFAULT_MODELS, Request
from napari_breastpath.core.errors import BreastPathError, UsageError
from napari_breastpath.core.geometry import Box
from napari_breastpath.core.progress import Progress
from napari_breastpath.models import ModelBundle, list_models
from napari_breastpath.report.wording import area_mm2, length_mm
from napari_breastpath.results import Result, load_result
from napari_breastpath.slides import Slide
from napari_breastpath.viewer import jobs, planning, where, wording
from napari_breastpath.viewer.analysis_panel import AnalysisPanel
from napari_breastpath.viewer.closing import ClosingGuard
from napari_breastpath.viewer.earlier_dialog import ANEW, LEAVE, SHOW, ask_about
from napari_breastpath.viewer.identity import show_identity
from napari_breastpath.viewer.listening import listen
from napari_breastpath.viewer.model_card import ModelCard
from napari_breastpath.viewer.opening import (
    choose_result,
    choose_slide,
    choose_slide_folder,
    open_path,
    start_folder,
)
from napari_breastpath.viewer.preferences import settings
from napari_breastpath.viewer.runner import RUNNING, Runner
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.tissue import TissueOutline
from napari_breastpath.viewer.trust_dialog import may_run
from napari_breastpath.viewer.worker import Work

if TYPE_CHECKING:
    from napari.viewer import Viewer

ANALYSIS = "The analysis"
NO_SLIDE = "Drop a slide on the window, or press Open slide…"


class AnalysisDock(AnalysisPanel):
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
        self._guard: ClosingGuard | None = None
        self._asking: Work | None = None
        self._fill_models()
        self._connect()
        self._on_slide(self.session.slide)
        self._on_result(self.session.result)

    def _connect(self) -> None:
        self.open_menu.addAction("Open slide folder (OME-Zarr, DICOM)…", self.open_folder_dialog)
        self.open_menu.addAction("Open result…", self.open_result_dialog)
        self.open_button.clicked.connect(self.open_slide_dialog)
        self.label_button.clicked.connect(self.show_label)
        self.run_button.clicked.connect(self.run)
        self.show_tissue_button.clicked.connect(self.show_tissue)
        self.add_tissue_button.clicked.connect(self.analyse_added_tissue)
        self.folder_button.clicked.connect(self.choose_folder_dialog)
        self.form.card_wanted.connect(self.show_card)
        self.form.model_changed.connect(self._on_model)
        self.form.device_changed.connect(self._ask_device)
        self.runner.changed.connect(self._on_runner)
        listen(self, self.session.slide_changed, self._on_slide)
        listen(self, self.session.result_changed, self._on_result)

    def _fill_models(self) -> None:
        self._bundles = tuple(b for b in list_models() if planning.paints_tumour(b))
        models = [(wording.model_line(b), b.folder.name) for b in self._bundles]
        self.form.set_models(models, DEFAULT_MODELS[self.form.analysis.currentData()])
        self._on_model()

    def _add_new_models(self) -> None:
        """Offer models that were installed or trained meanwhile; what is chosen stays."""
        known = {bundle.folder for bundle in self._bundles}
        new = [b for b in list_models() if planning.paints_tumour(b) and b.folder not in known]
        for bundle in new:
            self.form.model.addItem(wording.model_line(bundle), bundle.folder.name)
        self._bundles += tuple(new)

    # ------------------------------------------------------------------ what happens elsewhere
    def _on_slide(self, slide: Slide | None) -> None:
        self.show_facts(slide)
        self._show_folder()
        self.say("" if slide else NO_SLIDE)

    def _show_folder(self) -> None:
        slide = self.session.slide
        beside = f"{settings().results.folder or planning.FOLDER}, beside the slide"
        folder = wording.short_path(self.output_folder(slide)) if slide else self._folder or beside
        self.folder_note.setText(folder)
        self.folder_note.setToolTip(folder)

    def _on_result(self, result: Result | None) -> None:
        if result is not None and result.is_measured:
            self.outline.show(jobs.result_tissue(result), result)
        self._on_runner()

    def _on_runner(self) -> None:
        measured = self.session.measured_result is not None
        self.show_state(self.runner.state, self.runner.task == ANALYSIS, measured)
        if self.runner.idle:
            self._add_new_models()

    def _on_progress(self, progress: Progress) -> None:
        if self.runner.state == RUNNING:
            self.show_progress(progress)
        if progress.stage == "inference" and self._running_slide is self.session.slide:
            self.session.show_progress()

    # ------------------------------------------------------------------ opening
    def open_slide_dialog(self) -> None:
        """Ask for a slide's file and open it, with our own reader whatever the preferences."""
        choose_slide(self.session.viewer, self.complain)

    def open_folder_dialog(self) -> None:
        """Ask for a slide that is a folder."""
        choose_slide_folder(self.session.viewer, self.complain)

    def open_result_dialog(self) -> None:
        """Ask for a result folder."""
        choose_result(self.session.viewer, self.complain)

    def open(self, path: Path) -> bool:
        """Open a slide or a result; what is wrong with it becomes one line in the dock."""
        return open_path(self.session.viewer, path, self.complain)

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
        if self._chosen is None:
            raise UsageError("Run", "no model is installed", "see `breastpath models list`")
        return self._chosen

    @property
    def _chosen(self) -> ModelBundle | None:
        name = self.form.model.currentData()
        return next((b for b in self._bundles if b.folder.name == name), None)

    def output_folder(self, slide: Slide) -> Path:
        """Return the folder that a slide's results go to."""
        return planning.output_folder(slide.path, self._folder or settings().results.folder)

    def choose_folder_dialog(self) -> None:
        """Ask for the folder that results go to."""
        start = start_folder(self.session.viewer)
        folder = QFileDialog.getExistingDirectory(self, "Folder for results", start)
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
        bundle = self._chosen
        if bundle is not None:
            self.form.threshold.setEnabled(len(bundle.classes) == 1)
            self.form.threshold.setValue(bundle.threshold)

    def _ask_device(self) -> None:
        """Say which device would be used; beside other work, as it touches no result."""
        self._asking = Work(jobs.device_note(self.form.device.currentData()))
        self._asking.done.connect(self.form.device_note.setText)
        self._asking.failed.connect(self.form.device_note.setText)
        self._asking.start()

    def _slide(self) -> Slide:
        if self.session.slide is None:
            raise UsageError("Nothing to do", "no slide is open", NO_SLIDE.lower())
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
        if edited is not None:
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
        if not may_run(bundle, self):
            return
        before = planning.earlier(slide, bundle, request, out)
        answer = ask_about(before, self)
        if answer == LEAVE:
            return
        if answer == ANEW:
            self.session.close_result()
        run = before.request if answer == SHOW and before.request else request
        self._running_slide = slide
        self.say("Starting …")
        self.bar.setRange(0, 0)
        self.runner.start(
            ANALYSIS,
            jobs.analyse(slide, out, bundle, run, request, resume=answer == SHOW),
            done=self._on_done,
            failed=self.complain,
            progressed=self._on_progress,
            announced=self._on_started,
        )

    def _on_started(self, result: Result) -> None:
        if self._running_slide is self.session.slide:
            self.session.show_result(load_result(result.path))

    def _on_done(self, result: Result) -> None:
        """Show what came out of a run, unless another slide is open by now."""
        if self._running_slide is self.session.slide:
            self.session.show_result(result)
            self.say(outcome_text(result))
        else:
            name = result.slide_path.name
            self.say(f"{name}: {outcome_text(result)} The result is in {result.path}")

    def show_tissue(self) -> None:
        """Draw the outline of the tissue that would be, or was, analysed; it can be painted on."""
        try:
            slide, result = self._slide(), self.session.result
            if self.outline.edited is not None:
                self.outline.bring_to_front()
                self.say("Edited by hand. To find the tissue anew, delete the layer first.")
                return
            if result is not None and result.is_measured:
                self.outline.show(jobs.result_tissue(result), result, to_edit=True)
                return
            work = jobs.preview_tissue(
                slide, self.bundle, self.form.request(region=self._region(slide), **advanced())
            )
            self.say("Finding tissue …")
            self.runner.start("Finding tissue", work, self._on_tissue, self.complain)
        except BreastPathError as error:
            self.complain(error)

    def _on_tissue(self, tissue: jobs.Tissue) -> None:
        self.outline.show(tissue, to_edit=True)
        area = tissue.mask.sum() * tissue.lattice.pixel_area_mm2
        self.say(f"Tissue: {area_mm2(float(area))}. Paint to add, erase to remove.")

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
                progressed=self._on_progress,
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

    def showEvent(self, event: QShowEvent | None) -> None:
        """Qt's hook: now there is a window to watch, and time to ask for the device."""
        super().showEvent(event)
        if self._guard is None:
            self._guard = ClosingGuard(self.window(), self.runner)
            self._ask_device()

    def enterEvent(self, event: QEnterEvent | None) -> None:
        """Qt's hook: whoever comes from the Preferences finds the folder that was set there."""
        super().enterEvent(event)
        self._show_folder()


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
    longest = length_mm(regions.get("longest_feret_mm"))
    figures = f"{regions.get('count', 0)} regions, longest extent {longest}"
    if result.status == "incomplete":
        return f"Done, incomplete: {tiles.get('failed', 0)} tiles could not be read. {figures}."
    return f"Done: {figures}."
