"""The dock **Train**: correct → retrain → compare, and keep the new model or throw it away."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_breastpath.core.errors import BreastPathError, UsageError
from napari_breastpath.core.progress import Progress
from napari_breastpath.models import ModelBundle, list_models
from napari_breastpath.results import Result, load_result
from napari_breastpath.results.folder import SUFFIX
from napari_breastpath.training import TrainingProgress
from napari_breastpath.training.corrected import check_choice, check_trainable, read_corrected
from napari_breastpath.viewer import train_job, train_words, wording
from napari_breastpath.viewer.closing import ClosingGuard
from napari_breastpath.viewer.compared_layers import remove_maps, show_maps
from napari_breastpath.viewer.editing import Editor
from napari_breastpath.viewer.listening import listen
from napari_breastpath.viewer.model_card import ModelCard
from napari_breastpath.viewer.opening import open_path, start_folder
from napari_breastpath.viewer.planning import paints_tumour
from napari_breastpath.viewer.runner import RUNNING, Runner
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.train_panel import TrainPanel

if TYPE_CHECKING:
    from napari.viewer import Viewer

TRAINING, KEEPING = "The training", "Keeping the model"
NOTHING_YET = (
    "Correct the results of three patients or more, then add them here. Tick Hold out for those on "
    "whom old and new shall be compared."
)
THROW = "Delete the new model, its training and its maps? Your corrections stay."
EYES = (
    "The new model's map is shown with the outlines of your corrected mask. The old model's is the "
    "layer under it: change over by the eyes in the list of layers."
)


class TrainDock(TrainPanel):
    """Dock that trains a model on corrected results.

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
        self.outcome_at_hand: train_job.Outcome | None = None
        self._bundles: dict[str, ModelBundle] = {}
        self._pace = train_words.Pace()
        self._guard: ClosingGuard | None = None
        self._connect()
        self._fill_models()
        self._on_choice()
        self._on_runner()

    def _connect(self) -> None:
        self.add_menu.addAction("A result folder…", self.add_dialog)
        self.add_menu.addAction("All corrected results in a folder…", self.add_all_dialog)
        self.add_shown.clicked.connect(self.add_shown_result)
        self.remove.clicked.connect(self.table.remove_selected)
        self.table.chosen_changed.connect(self._on_choice)
        self.base.currentIndexChanged.connect(lambda _: self._on_base())
        self.card.clicked.connect(self.show_card)
        self.start_button.clicked.connect(self.start)
        self.show_maps.clicked.connect(self.show_both_maps)
        self.keep.clicked.connect(self.keep_model)
        self.throw_away.clicked.connect(self.throw_model_away)
        self.runner.changed.connect(self._on_runner)
        listen(self, self.session.result_changed, self._on_result)

    def _fill_models(self) -> None:
        masks_first = sorted(
            list_models(), key=lambda b: (b.task != "segmentation", not paints_tumour(b))
        )
        self._bundles = {b.folder.name: b for b in masks_first}
        self.set_models([(wording.model_line(b), name) for name, b in self._bundles.items()])

    # ------------------------------------------------------------------ what happens elsewhere
    def _on_result(self, _: Result | None) -> None:
        self._on_runner()

    def _on_runner(self) -> None:
        shown, undecided = self.session.result is not None, self.outcome_at_hand is not None
        training = self.runner.task == TRAINING
        self.show_state(self.runner.state, training, shown, undecided)

    def _on_choice(self) -> None:
        """Say who trains, and what is missing."""
        slides = self.table.slides
        text = train_words.choice_text(slides) if slides else NOTHING_YET
        try:
            check_choice(slides)
        except UsageError as error:
            text = f"{error.cause[0].upper()}{error.cause[1:]}: {error.advice}." if slides else text
        self.choice_note.setText(text)

    def _on_base(self) -> None:
        """Propose a name for what comes of the chosen model; say when nothing can."""
        name = self.base.currentData()
        if name is None:
            return
        self.name.setText(train_job.free_name(name))
        self.say("")
        self._tell(lambda: check_trainable(self._bundles[name]))

    def _tell(self, do: Callable[[], Any]) -> bool:
        """Do something; what is wrong becomes one line. True when nothing is."""
        try:
            do()
        except BreastPathError as error:
            self.complain(error)
            return False
        return True

    # ------------------------------------------------------------------ which slides
    def add(self, path: Path) -> bool:
        """Add a result folder; what is wrong with it becomes one line in the dock."""
        return self._tell(lambda: self._add(path))

    def _add(self, path: Path) -> None:
        train_job.find_slide(load_result(path))
        self.table.put(read_corrected(path))
        self.say("")

    def add_shown_result(self) -> None:
        """Add the result on screen."""
        Editor.of(self.session).drain()
        if self.session.result is not None:
            self.add(self.session.result.path)

    def add_all(self, folder: Path) -> None:
        """Add every corrected or reviewed result in a folder; say what was left out, and why."""
        refused = []
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                self._add(path)
            except BreastPathError as error:
                refused.append(error)
        if refused:
            left_out = train_words.counted(len(refused), "result")
            self.complain(f"{left_out} left out. The first: {refused[0]}")
        elif not self.table.slides:
            self.complain(UsageError(folder, "holds no result", f"choose one with …{SUFFIX}"))

    def add_dialog(self) -> None:
        """Ask for a result folder."""
        path = self._ask_folder(f"Add a corrected result (a folder that ends in {SUFFIX})")
        if path is not None:
            self.add(path)

    def add_all_dialog(self) -> None:
        """Ask for a folder of results."""
        path = self._ask_folder("Add all corrected results in a folder")
        if path is not None:
            self.add_all(path)

    def _ask_folder(self, title: str) -> Path | None:
        start = start_folder(self.session.viewer)
        name = QFileDialog.getExistingDirectory(self, title, start)
        return Path(name) if name else None

    def show_card(self) -> None:
        """Show the card of the model to start from."""
        self._tell(lambda: ModelCard(self._bundles[self.base.currentData()], self).show())

    # ------------------------------------------------------------------ training
    def start(self) -> None:
        """Train, or cancel the training that runs."""
        if self.runner.task == TRAINING:
            self.runner.cancel()
        else:
            self._tell(self._start)

    def _start(self) -> None:
        self.runner.check_idle(TRAINING)
        Editor.of(self.session).drain()
        for slide in self.table.slides:
            self._add(slide.path)
        old = self._bundles.get(self.base.currentData())
        if old is None:
            raise UsageError("Start from", "no model is installed", "see `breastpath models list`")
        plan = train_job.make_plan(self.table.slides, old, self.wishes)
        self._forget_outcome()
        self._pace = train_words.Pace()
        self.say("Reading slides and corrections …")
        self.show_share(None)
        self.runner.start(
            TRAINING,
            train_job.retrain(plan),
            done=self._on_done,
            failed=self.complain,
            progressed=self._on_progress,
            announced=lambda rows: self._on_begun(rows, plan.config.fit.epochs),
        )

    def _on_begun(self, rows: list[dict[str, float]], epochs: int) -> None:
        self.curves.start(rows, epochs)
        self.learning.show()
        self.bring_to_view(self.learning)

    def _on_progress(self, progress: Progress) -> None:
        if isinstance(progress, TrainingProgress) and progress.row:
            self.curves.add(progress.row)
        if self.runner.state != RUNNING:
            return
        self.say(train_words.text_of(progress, self._pace))
        self.show_share(train_words.share_of(progress))

    def _on_done(self, outcome: train_job.Outcome) -> None:
        """Show how new compares with old, or what a cancelled training left."""
        new = outcome.trained.bundle
        if new is None or not outcome.agreements:
            epochs = train_words.counted(len(self.curves.rows), "epoch")
            self.say(f"Cancelled; {epochs} done. Start training goes on with it.")
            return
        self.outcome_at_hand = outcome
        names = [f"{b.name} {b.version}" for b in (outcome.plan.old, new)]
        self.show_outcome(outcome.agreements, train_words.verdict(outcome.agreements, *names))
        self._on_runner()
        self.bring_to_view(self.outcome)
        self.say(f"{new.name} is trained. Look at both maps, then keep it or throw it away.")

    # ------------------------------------------------------------------ the outcome
    def show_both_maps(self) -> None:
        """Open the chosen slide with both models' maps over it."""
        chosen = self.compared.chosen
        if chosen is None:
            return
        corrected, old, new = chosen
        shown = self.session.result
        is_open = shown is not None and shown.path == corrected
        if not is_open and not open_path(self.session.viewer, corrected, self.complain):
            return
        if self._tell(lambda: show_maps(self.session, old, new)):
            self.say(EYES)

    def keep_model(self) -> None:
        """Install the new model."""
        outcome = self.outcome_at_hand
        if outcome is not None:
            work = train_job.keep(outcome)
            self._tell(lambda: self.runner.start(KEEPING, work, self._on_kept, self.complain))

    def _on_kept(self, bundle: ModelBundle) -> None:
        self.outcome_at_hand = None
        self._fill_models()
        self._on_runner()
        self.say(f"{bundle.name} is kept: choose it in Breast analysis.")

    def throw_model_away(self) -> None:
        """Delete the new model with its training, after a question."""
        if self.outcome_at_hand is None or not self._may_throw_away():
            return
        folder = self.outcome_at_hand.plan.folder
        self._forget_outcome()
        self._on_runner()
        try:
            shutil.rmtree(folder)
        except OSError as error:
            self.complain(f"{folder}: cannot all be deleted ({error.strerror}); delete it by hand")
        else:
            self.say("The new model is thrown away. Your corrections are as they were.")

    def _may_throw_away(self) -> bool:
        answer = QMessageBox.question(self, "Throw away", THROW)
        return answer == QMessageBox.StandardButton.Yes

    def _forget_outcome(self) -> None:
        self.outcome_at_hand = None
        self.show_outcome((), "")
        remove_maps(self.session)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Qt's hook: now there is a window to watch; models may have been installed meanwhile."""
        super().showEvent(event)
        if self._guard is None:
            self._guard = ClosingGuard(self.window(), self.runner)
