"""Corrected slides: which there are, who trains, who is held out, and the config that follows."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.edits import Corrections
from napari_breastpath.edits.state import Review, hands_summary
from napari_breastpath.models import ModelBundle
from napari_breastpath.results import load_result
from napari_breastpath.training.config import Config
from napari_breastpath.training.retraining import GENTLE_RATE, retraining_config
from napari_breastpath.training.sources import read_samples
from napari_breastpath.training.split import Fold, check_leakage

RETRAINING = "Retraining"
TCGA = re.compile(r"TCGA-\w\w-\w{4}")
# Larger tiles would need more memory than a laptop has; what is learnt is the same.
LARGEST_CROP = 256


@dataclass(frozen=True, slots=True)
class CorrectedSlide:
    """A result that hands corrected, or found right, as retraining sees it.

    Attributes
    ----------
    path : Path
        The result folder.
    slide : Path
    fingerprint : str
        Of the slide.
    patient : str
        Slides of one patient are all trained on or all held out.
    strokes, steps : int
        Corrections in force; lines of the journal.
    readers : tuple of str
    reviewed : Review or None
    threshold : float
    held_out : bool
        Not trained on: old and new are compared on it.
    """

    path: Path
    slide: Path
    fingerprint: str
    patient: str
    strokes: int
    steps: int
    readers: tuple[str, ...]
    reviewed: Review | None
    threshold: float
    held_out: bool = False


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person may set of a retraining: the new name, and how long and how fast it learns."""

    name: str
    epochs: int = 30
    rate: float = GENTLE_RATE
    tiles: int = 400


def read_corrected(path: Path | str) -> CorrectedSlide:
    """Return what a result folder gives to retraining; nothing of it is changed.

    Raises
    ------
    ResultError
        No result, unfinished, or with a damaged journal.
    UsageError
        Nobody corrected or reviewed it.
    """
    result = load_result(path)
    if not result.is_measured:
        raise ResultError(result.path, "is not finished", "run the analysis to its end first")
    corrections = Corrections(result)
    corrections.refresh()
    hands = hands_summary(corrections.log, 0)
    if not hands["strokes"] and corrections.state.reviewed is None:
        advice = "correct it, or press Reviewed where the model is right"
        raise UsageError(result.path.name, "nobody corrected or reviewed it", advice)
    return CorrectedSlide(
        path=result.path,
        slide=result.slide_path,
        fingerprint=str(result.record["slide"]["fingerprint"]),
        patient=patient_from(result.slide_path),
        strokes=hands["strokes"],
        steps=len(corrections.log),
        readers=tuple(hands["readers"]),
        reviewed=corrections.state.reviewed,
        threshold=float(result.record["settings"]["threshold"]),
    )


def patient_from(slide: Path) -> str:
    """Return a slide's name without its ending; of a TCGA barcode the participant."""
    found = TCGA.match(slide.name)
    return found[0] if found else slide.stem.removesuffix(".ome")


def check_choice(slides: Sequence[CorrectedSlide]) -> None:
    """Refuse a choice of slides that cannot be trained on and compared honestly.

    Raises
    ------
    UsageError
        No slide; too few patients to train, to tell when to stop, and to hold out; a slide under
        two patients.
    """
    held = {each.patient for each in slides if each.held_out}
    training = {each.patient for each in slides} - held
    for is_wrong, cause, advice in (
        (not slides, "no corrected slide is chosen", "add the result of a slide you corrected"),
        (
            len(held | training) == 1,
            f"all slides are of one patient ({next(iter(held | training), '')})",
            "add slides of others: nothing can be held out to compare on",
        ),
        (not held, "nobody is held out", "tick a patient: old and new are compared there"),
        (not training, "everybody is held out", "untick a patient to train on"),
        (
            len(training) == 1,
            f"{len(held | training)} patients are too few to train on one",
            "one trains, one says when to stop, one is held out: add another patient",
        ),
    ):
        if is_wrong:
            raise UsageError(RETRAINING, cause, advice)
    _check_names(slides)


def _check_names(slides: Iterable[CorrectedSlide]) -> None:
    seen: dict[str, CorrectedSlide] = {}
    for each in slides:
        other = seen.setdefault(each.fingerprint, each)
        if other.patient != each.patient:
            cause = f"is the slide of {other.path} too, under another patient"
            raise UsageError(each.path.name, cause, "give both the same patient")


def check_trainable(bundle: ModelBundle) -> None:
    """Refuse a model that cannot be trained on masks.

    Raises
    ------
    UsageError
        A program, a model of whole patches or of objects, or one whose answers are no logits.
    """
    if bundle.runs_code:
        cause = f"is a program ({bundle.format}) whose network is not described"
    elif bundle.task != "segmentation":
        cause = f"does {bundle.task}, not pixels"
    elif bundle.outputs != "logits" or bundle.margin:
        cause = "ends in probabilities, or sees a margin, which training does not know"
    else:
        return
    raise UsageError(bundle.name, f"{cause}, so it cannot be trained on", "start from another one")


def config_of(
    slides: Sequence[CorrectedSlide], bundle: ModelBundle, out: Path, wishes: Wishes
) -> Config:
    """Return the config that trains a model on the slides that are not held out.

    Parameters
    ----------
    slides : sequence of CorrectedSlide
    bundle : ModelBundle
        What training starts from.
    out : Path
        The run folder.
    wishes : Wishes

    Raises
    ------
    UsageError
        As `check_choice` and `check_trainable`.
    """
    check_choice(slides)
    check_trainable(bundle)
    used = [each for each in slides if not each.held_out]
    plain = retraining_config([each.path for each in used], bundle, out, name=wishes.name)
    fit = dataclasses.replace(
        plain.fit,
        epochs=wishes.epochs,
        rate=wishes.rate,
        tiles=wishes.tiles,
        crop=min(bundle.tile_size, LARGEST_CROP),
    )
    made_of = dataclasses.replace(
        plain.bundle, training_data=f"{bundle.training_data} Then {_told(used)}."
    )
    return dataclasses.replace(
        _named(plain, slides),
        fit=fit,
        bundle=made_of,
        held_out=tuple(sorted({each.patient for each in slides if each.held_out})),
    )


def _named(config: Config, slides: Iterable[CorrectedSlide]) -> Config:
    """Return a config whose sources say whose they are."""
    patients = {str(each.path): each.patient for each in slides}
    named = [dataclasses.replace(s, whose=patients[s.images]) for s in config.sources]
    return dataclasses.replace(config, sources=tuple(named))


def _told(slides: Sequence[CorrectedSlide]) -> str:
    """Return what was trained on; the state differs once anything more was corrected."""
    state = sorted((str(each.path), each.steps, each.threshold) for each in slides)
    digest = hashlib.sha256(repr(state).encode()).hexdigest()[:8]
    patients, strokes = len({e.patient for e in slides}), sum(e.strokes for e in slides)
    return (
        f"{len(slides)} slides of {patients} patients, corrected by {strokes} strokes "
        f"(state {digest})"
    )


def check_apart(slides: Sequence[CorrectedSlide], config: Config, bundle: ModelBundle) -> None:
    """Refuse slides held out that are trained on under another name.

    Raises
    ------
    UsageError
        The same patient, file or image is on both sides.
    SlideError
        A slide is not where it was.
    """
    held = held_config([each.path for each in slides if each.held_out], bundle)
    named = _named(held, slides)
    fold = Fold(0, tuple(read_samples(config)), tuple(read_samples(named)))
    check_leakage(fold, "is held out")


def held_config(results: Sequence[Path], bundle: ModelBundle) -> Config:
    """Return a config that reads results as the truth of a model's classes."""
    pair = [results[0], results[0]]  # it asks for two; the sources are replaced
    plain = retraining_config(pair, bundle, results[0])
    sources = [dataclasses.replace(plain.sources[0], images=str(path)) for path in results]
    return dataclasses.replace(plain, sources=tuple(sources))
