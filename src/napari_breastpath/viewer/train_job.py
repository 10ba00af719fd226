"""Retraining in the background: train on corrected slides, then compare on those held out."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_breastpath.core.errors import SlideError, UsageError
from napari_breastpath.models import ModelBundle, models_folder
from napari_breastpath.models.installing import check_free, install_local
from napari_breastpath.results import Result
from napari_breastpath.training import Config, Trained, train
from napari_breastpath.training.comparing import Agreement, Comparing, compare_maps
from napari_breastpath.training.corrected import CorrectedSlide, Wishes, check_apart, config_of
from napari_breastpath.training.runfolder import CURVES, open_run
from napari_breastpath.viewer.moved_slide import ADVICE, found_slide, remember
from napari_breastpath.viewer.worker import Work, WorkFunction

NEEDED = ("lightning", "sklearn", "matplotlib")
COMPARED = "compared"


@dataclass(frozen=True)
class Plan:
    """A retraining: on which slides, from which model, as what."""

    slides: tuple[CorrectedSlide, ...]
    old: ModelBundle
    config: Config

    @property
    def folder(self) -> Path:
        """The run folder."""
        return Path(self.config.out)

    @property
    def held_out(self) -> list[Path]:
        """Results to compare on."""
        return [each.path for each in self.slides if each.held_out]


@dataclass(frozen=True)
class Outcome:
    """What a retraining came to; no agreements where it was stopped."""

    plan: Plan
    trained: Trained
    agreements: tuple[Agreement, ...] = ()


def make_plan(slides: Sequence[CorrectedSlide], old: ModelBundle, wishes: Wishes) -> Plan:
    """Return a checked plan.

    Raises
    ------
    UsageError
        A library is missing, the choice compares nothing, the model cannot be trained on, or its
        new name is taken.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        cause, advice = f"{missing[0]} is not installed", 'pip install "napari-breastpath[train]"'
        raise UsageError("Training", cause, advice)
    check_free(wishes.name)
    config = config_of(slides, old, run_folder(wishes.name), wishes)
    return Plan(tuple(slides), old, config)


def run_folder(name: str) -> Path:
    """Return where the training of a model of that name is kept, beside the installed models."""
    return models_folder().parent / "training" / name


def free_name(base: str) -> str:
    """Return a name for what comes of a model: the first of NAME-retrained, -2, … not taken."""
    wanted, n = f"{base}-retrained", 1
    while (models_folder() / wanted).exists():
        n += 1
        wanted = f"{base}-retrained-{n}"
    return wanted


def retrain(plan: Plan) -> WorkFunction:
    """Train, then compare: an `Outcome`; announces the epochs that an earlier start finished.

    The same plan goes on where it was stopped. Another one of the same name moves that run aside.
    """

    def function(work: Work) -> Outcome:
        check_apart(plan.slides, plan.config, plan.old)
        resume = _can_go_on(plan.config)
        work.announce(finished_epochs(plan.folder) if resume else [])
        trained = train(plan.config, resume=resume, progress=work.report, stop=work.stop)
        if trained.bundle is None:
            return Outcome(plan, trained)
        how = Comparing(plan.folder / COMPARED, "auto", work.report, work.stop)
        found = compare_maps((plan.old, trained.bundle), plan.held_out, how)
        return Outcome(plan, trained, () if work.stop.is_set() else tuple(found))

    return function


def _can_go_on(config: Config) -> bool:
    try:
        open_run(config, resume=True)
    except UsageError:
        return False
    return True


def finished_epochs(folder: Path) -> list[dict[str, float]]:
    """Return the rows of curves.csv of a run, none where there is no curve yet."""
    try:
        with (folder / "fold-1" / CURVES).open(encoding="utf-8", newline="") as file:
            return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []


def keep(outcome: Outcome) -> WorkFunction:
    """Install the new model: a `ModelBundle`."""

    def function(work: Work) -> ModelBundle:
        bundle = outcome.trained.bundle
        assert bundle is not None
        return install_local(bundle.folder, bundle.name)

    return function


def find_slide(result: Result) -> None:
    """See to it that the slide of a result is where the result says; asks where it moved to.

    Raises
    ------
    SlideError
        It is nowhere.
    """
    if result.slide_path.exists():
        return
    slide = found_slide(result)
    if slide is None:
        cause = f"the slide of {result.path.name} is not there"
        raise SlideError(result.slide_path, cause, ADVICE)
    remember(result, slide.path)
    slide.close()
