"""What the dock Train says, as pure functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from napari_breastpath.core.progress import Progress
from napari_breastpath.training import TrainingProgress
from napari_breastpath.training.comparing import Agreement, ComparingProgress
from napari_breastpath.training.corrected import CorrectedSlide
from napari_breastpath.viewer.wording import duration, progress_text

STAGES = {"images": "Reading slides and corrections …", "stain": "Estimating the stain …"}
SETTLED_S = 5.0
FAVOURS = (
    "Measured against the corrected mask, on slides the new model never saw. Where nobody "
    "corrected anything, that mask is the model's that analysed the slide: this favours it."
)


class Pace:
    """How fast a training goes, from the first batch that was heard of on.

    Parameters
    ----------
    clock : callable, by default time.monotonic
        Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def seconds_left(self, share: float) -> float | None:
        """Return the seconds until all is done; None until they can be told.

        Parameters
        ----------
        share : float
            Of the whole that is done, 0–1.
        """
        now = self._clock()
        if self._first is None:
            self._first = now, share
        since, done = now - self._first[0], share - self._first[1]
        return since / done * (1 - share) if since >= SETTLED_S and done > 0 else None


def share_done(progress: TrainingProgress) -> float:
    """Return which part of all epochs is done, 0–1."""
    within = 1.0 if progress.row else progress.done / max(progress.total, 1)
    return (progress.epoch - 1 + within) / max(progress.epochs, 1)


def share_of(progress: Progress) -> float | None:
    """Return which part of training or comparing is done, None where it cannot be told."""
    if isinstance(progress, TrainingProgress) and progress.stage == "training":
        return share_done(progress)
    if isinstance(progress, ComparingProgress):
        within = progress.done / max(progress.total, 1) if progress.stage == "inference" else 0.0
        return (progress.k - 1 + within) / progress.of
    return None


def training_text(progress: TrainingProgress, seconds_left: float | None) -> str:
    """Return one line about a training."""
    if progress.stage != "training":
        return STAGES.get(progress.stage, f"{progress.stage.capitalize()} …")
    parts = [f"Training: epoch {progress.epoch} of at most {progress.epochs}"]
    if seconds_left is not None:
        parts.append(f"at most {duration(seconds_left)} left")
    return " · ".join(parts)


def comparing_text(progress: ComparingProgress) -> str:
    """Return one line about an analysis by one of the models."""
    head = f"Comparing, {progress.k} of {progress.of}: {progress.slide} by {progress.model}"
    return f"{head}. {progress_text(progress)}"


def text_of(progress: Progress, pace: Pace) -> str:
    """Return one line about any step."""
    if isinstance(progress, TrainingProgress):
        is_batch = progress.stage == "training"
        left = pace.seconds_left(share_done(progress)) if is_batch else None
        return training_text(progress, left)
    if isinstance(progress, ComparingProgress):
        return comparing_text(progress)
    return progress_text(progress)


def hands_text(slide: CorrectedSlide) -> str:
    """Return what hands did: 12 strokes, A. Reader, reviewed."""
    strokes = f"{slide.strokes} stroke{'' if slide.strokes == 1 else 's'}"
    who = "" if slide.reviewed is None else slide.reviewed.reader
    signed = [f"reviewed by {who or 'someone'}"] if slide.reviewed else []
    return ", ".join([strokes, *(name for name in slide.readers if name != who), *signed])


def choice_text(slides: Sequence[CorrectedSlide]) -> str:
    """Return who trains and who is held out."""
    held = {each.patient for each in slides if each.held_out}
    training = {each.patient for each in slides} - held
    return (
        f"{counted(len(training), 'patient')} to train on (one of them says when to stop), "
        f"{counted(len(held), 'patient')} held out to compare."
    )


def counted(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def figure_text(value: float) -> str:
    """Return a share of 1, a dash where there is none."""
    return f"{value:.3f}" if value == value else "–"


def verdict(agreements: Sequence[Agreement], old: str, new: str) -> str:
    """Return on how many slides held out the new model agrees better (Dice)."""
    dice = {(each.corrected, each.model): each.figures["dice"] for each in agreements}
    slides = {each.corrected for each in agreements}
    known = [p for p in slides if dice[p, old] == dice[p, old] and dice[p, new] == dice[p, new]]
    better = sum(dice[path, new] > dice[path, old] for path in known)
    return f"New is better on {better} of {counted(len(known), 'slide')} held out (Dice). {FAVOURS}"
