"""Who trains and who validates: by patient, never by tile."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_breastpath.core.errors import UsageError
from napari_breastpath.training.config import Config
from napari_breastpath.training.sources import Sample


@dataclass(frozen=True, slots=True)
class Fold:
    """One way to part the samples.

    Attributes
    ----------
    number : int
        From 1.
    training, validation : tuple of Sample
    """

    number: int
    training: tuple[Sample, ...]
    validation: tuple[Sample, ...]


def make_folds(samples: Sequence[Sample], kinds: Sequence[int], config: Config) -> list[Fold]:
    """Part samples by patient, each side with as much of every kind as can be.

    Cross validation by scikit-learn's StratifiedGroupKFold; one fold is the first of as many as
    give the wanted share.

    Parameters
    ----------
    samples : sequence of Sample
    kinds : sequence of int
        What each holds: 0 nothing, k mostly class k.
    config : Config

    Raises
    ------
    UsageError
        Too few patients, or the same image on both sides.
    """
    if config.validation_patients and config.folds == 1:
        folds = [_named(samples, config.validation_patients)]
    else:
        folds = _stratified(samples, kinds, config)
    for fold in folds:
        check_leakage(fold)
    return folds


def _named(samples: Sequence[Sample], patients: Sequence[str]) -> Fold:
    missing = set(patients) - {sample.patient for sample in samples}
    if missing:
        cause = f"no image of {', '.join(sorted(missing))}"
        raise UsageError("validation_patients", cause, "correct the names")
    sides = [[s for s in samples if (s.patient in patients) is is_val] for is_val in (False, True)]
    if not sides[0]:
        raise UsageError("validation_patients", "leave nobody to train on", "name fewer")
    return Fold(1, tuple(sides[0]), tuple(sides[1]))


def _stratified(samples: Sequence[Sample], kinds: Sequence[int], config: Config) -> list[Fold]:
    from sklearn.model_selection import StratifiedGroupKFold

    wanted = config.folds if config.folds > 1 else max(2, round(1 / max(config.validation, 0.01)))
    patients = [sample.patient for sample in samples]
    count = min(wanted, len(set(patients))) if config.folds == 1 else wanted
    if len(set(patients)) < max(count, 2):
        cause = f"{len(set(patients))} patients cannot be parted into {max(count, 2)} folds"
        raise UsageError("folds", cause, "use fewer folds or more patients")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=config.seed)
    strata = _strata(samples, kinds, count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of kinds too rare for every fold
        parted = list(splitter.split(np.zeros(len(samples)), strata, patients))
    return [
        Fold(k + 1, tuple(samples[i] for i in train), tuple(samples[i] for i in validation))
        for k, (train, validation) in enumerate(parted[: config.folds])
    ]


def _strata(samples: Sequence[Sample], kinds: Sequence[int], folds: int) -> list[int]:
    """Return a number for each pair of source and kind; one for all where every pair is rare."""
    pairs = [(sample.source.title, kind) for sample, kind in zip(samples, kinds, strict=True)]
    names = sorted(set(pairs))
    numbers = [names.index(pair) for pair in pairs]
    return numbers if max(np.bincount(numbers)) >= folds else [0] * len(numbers)


def check_leakage(fold: Fold, role: str = "validates") -> None:
    """Refuse a fold that validates on what it trains on.

    Parameters
    ----------
    fold : Fold
    role : str
        What its second side does, for the message.

    Raises
    ------
    UsageError
        A patient, a file (by fingerprint) or an image (by its pixels) is on both sides.
    """
    for what, name in _IDENTITIES.items():
        sides: list[dict[str, list[Sample]]] = [defaultdict(list) for _ in range(2)]
        for side, samples in zip(sides, (fold.training, fold.validation), strict=True):
            for sample in samples:
                side[name(sample)].append(sample)
        both = sorted(set(sides[0]) & set(sides[1]))
        if both:
            first, second = (side[both[0]][0] for side in sides)
            cause = f"the same {what} as {second.path} ({second.patient}), which {role}"
            advice = f"give both one patient (this one is {first.patient}), or drop one"
            raise UsageError(first.path, cause, advice)


def _patient(sample: Sample) -> str:
    return sample.patient


def _fingerprint(sample: Sample) -> str:
    return sample.slide.fingerprint


def _pixels(sample: Sample) -> str:
    return sample.image_hash


_IDENTITIES = {"patient": _patient, "file": _fingerprint, "image": _pixels}
