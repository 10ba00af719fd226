"""Cross validation by patient: every slide is predicted by a fit that never saw its patient."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.training.second_stage.estimators import Make, scaled
from napari_breastpath.training.second_stage.table import Samples

Floats: TypeAlias = NDArray[np.float64]
Split: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]
CALIBRATION_FOLDS = 3
LEAST_PATIENTS = 4  # of each kind: two folds leave two to calibrate on


def patient_splits(samples: Samples, folds: int, seed: int = 0) -> list[Split]:
    """Return (train, test) rows; no patient is on both sides, both kinds are spread evenly.

    Raises
    ------
    UsageError
        One patient has so many of the slides that without it only one kind is left.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits = splitter.split(samples.features, samples.metastasis, samples.patients)
    found = [(np.asarray(train), np.asarray(test)) for train, test in splits]
    if any(len(np.unique(samples.metastasis[train])) < 2 for train, _ in found):
        cause = "without some patients, slides of one kind only are left to fit on"
        raise UsageError("fit-score", cause, "label slides of more patients, or raise --folds")
    return found


def check_enough(samples: Samples, folds: int) -> None:
    """Refuse too few patients of each kind for `folds` folds, each calibrated by patient too."""
    if folds < 2:
        raise UsageError("--folds", f"cannot be {folds}", "give 2 or more")
    least = max(folds, LEAST_PATIENTS) if folds == 2 else folds
    counts = patients_by_kind(samples)
    if min(counts) < least:
        cause = f"{counts[0]} patients with and {counts[1]} without metastasis"
        advice = f"{folds} folds need at least {max(least, 3)} of each: label more slides"
        raise UsageError("fit-score", cause, advice + " or lower --folds")


def patients_by_kind(samples: Samples) -> tuple[int, int]:
    """Return how many patients have a slide with, and how many have one without metastasis."""
    patients = np.array(samples.patients)
    return tuple(len(set(patients[samples.metastasis == k])) for k in (True, False))  # type: ignore[return-value]


def fit_classifier(make: Make, samples: Samples, seed: int = 0) -> Any:
    """Return a classifier whose probabilities are calibrated on patients it did not see.

    Sigmoid calibration (Platt 1999) of cross-validated decisions, by patient; scaler, classifier
    and calibration see nothing but `samples`.
    """
    from sklearn.calibration import CalibratedClassifierCV

    fewest = min(patients_by_kind(samples))
    splits = patient_splits(samples, max(2, min(CALIBRATION_FOLDS, fewest)), seed)
    base = scaled(make(seed))
    model = CalibratedClassifierCV(base, method="sigmoid", cv=splits, ensemble=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_components > n_samples")  # then the map is exact
        return model.fit(samples.features, samples.metastasis.astype(int))


def fit_regressor(make: Make, samples: Samples, seed: int = 0) -> Any:
    """Return a regressor of log(1 + mm), fitted on the slides whose length is known."""
    known = samples.subset(np.isfinite(samples.axis_mm))
    return scaled(make(seed)).fit(known.features, np.log1p(known.axis_mm))


def out_of_fold_probabilities(
    make: Make, samples: Samples, splits: Sequence[Split], seed: int = 0
) -> Floats:
    """Return each slide's calibrated probability from the fit without its patient."""
    found = np.full(len(samples.slides), np.nan)
    for train, test in splits:
        model = fit_classifier(make, samples.subset(train), seed)
        found[test] = model.predict_proba(samples.features[test])[:, 1]
    return found


def out_of_fold_axes(
    make: Make, samples: Samples, splits: Sequence[Split], seed: int = 0
) -> Floats:
    """Return each slide's log(1 + mm) from the fit without its patient."""
    found = np.full(len(samples.slides), np.nan)
    for train, test in splits:
        model = fit_regressor(make, samples.subset(train), seed)
        found[test] = model.predict(samples.features[test])
    return found
