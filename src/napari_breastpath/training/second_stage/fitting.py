"""Compare estimators, choose, fit on all slides and put the result into a bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.progress import Progress, ProgressCallback, ignore_progress
from napari_breastpath.models import ModelBundle
from napari_breastpath.training.second_stage.comparison import (
    axis_scores,
    best_classifier,
    best_regressor,
    classifier_scores,
)
from napari_breastpath.training.second_stage.estimators import (
    CANDIDATES,
    INSTALL,
    Candidate,
    candidate,
)
from napari_breastpath.training.second_stage.saving import Facts, find_bundle, save_second_stage
from napari_breastpath.training.second_stage.table import Samples, read_samples
from napari_breastpath.training.second_stage.validation import (
    Split,
    check_enough,
    fit_classifier,
    fit_regressor,
    out_of_fold_axes,
    out_of_fold_probabilities,
    patient_splits,
)

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 5
LEAST_AXES = 4


@dataclass(frozen=True)
class Fitted:
    """What `fit_score` did.

    Attributes
    ----------
    table : DataFrame
        One row per estimator: out-of-fold scores of all slides, and their standard deviation over
        the folds (`_sd`). Lengths in mm.
    classifier, regressor : str
        Names of the chosen ones; regressor "" where too few lengths are known.
    slides, patients : int
    notes : tuple of str
    bundle : ModelBundle or None
        What was written.
    """

    table: pd.DataFrame
    classifier: str
    regressor: str
    slides: int
    patients: int
    notes: tuple[str, ...]
    bundle: ModelBundle | None = None


def fit_score(
    features: Sequence[Path],
    labels: Path,
    out: Path | None = None,
    model: str | Path | None = None,
    estimator: str | None = None,
    folds: int = FOLDS,
    seed: int = 0,
    row: str = "model",
    progress: ProgressCallback = ignore_progress,
) -> Fitted:
    """Fit the second stage: 28 heatmap features → probability of metastasis and major axis.

    Parameters
    ----------
    features : sequence of Path
        Result folders, or CSVs with `slide` and the 28 features.
    labels : Path
        CSV: slide, patient, metastasis (0 or 1), major_axis_mm where known.
    out : Path, optional
        Folder of the bundle to write: a copy of `model` with a second stage.
    model : str or Path, optional
        The bundle whose maps the features describe; by default the one that the results name.
    estimator : str, optional
        One of `estimators.NAMES`; by default the best classifier and the best regressor.
    folds : int
    seed : int
        The same seed gives the same fit.
    row : {'model', 'corrected'}
        Which row of a result's features.
    progress : callable

    Raises
    ------
    UsageError
        Too few patients, or files that do not say what they must.
    ModelError
        The bundle is not there, or not the one that made the features.
    """
    check_installed()
    samples = read_samples(features, labels, row)
    check_enough(samples, folds)
    bundle = find_bundle(out, model, samples.model) if out else None
    chosen = [candidate(estimator)] if estimator else [c for c in CANDIDATES if c.is_installed]
    table = compare(samples, chosen, folds, seed, progress)
    best = best_classifier(table)
    axis = best_regressor(table)
    absent = [] if estimator else [c.package for c in CANDIDATES if not c.is_installed]
    notes = (*samples.notes, *(f"{name} is not installed: not compared" for name in absent))
    notes = notes if axis else (*notes, NO_AXIS)
    fitted = Fitted(table, best, axis, len(samples.slides), len(set(samples.patients)), notes)
    if out is None or bundle is None:
        return fitted
    facts = Facts(best, axis, table, samples, folds, seed, row)
    written = save_second_stage(bundle, out, *fit_chosen(samples, best, axis, seed), facts)
    return dataclasses.replace(fitted, bundle=written)


def check_installed() -> None:
    """Say in one line what is missing for the second stage."""
    if lacking := [name for name in ("sklearn", "skops") if find_spec(name) is None]:
        raise UsageError("fit-score", f"needs {' and '.join(lacking)}", INSTALL)


NO_AXIS = "too few known lengths of metastases: no major axis is predicted"


def compare(
    samples: Samples,
    chosen: Sequence[Candidate],
    folds: int = FOLDS,
    seed: int = 0,
    progress: ProgressCallback = ignore_progress,
) -> pd.DataFrame:
    """Return the scores of every estimator, all on the same folds."""
    import pandas as pd

    splits = patient_splits(samples, folds, seed)
    rows = {}
    for done, each in enumerate(chosen):
        progress(Progress("compare", done, len(chosen)))
        rows[each.name] = _scores(each, samples, splits, seed)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("estimator")


def _scores(
    each: Candidate, samples: Samples, splits: Sequence[Split], seed: int
) -> dict[str, float]:
    folds = [test for _, test in splits]
    probability = out_of_fold_probabilities(each.classifier, samples, splits, seed)
    scores = classifier_scores(samples.metastasis, probability, folds)
    if has_axes(samples):
        axes = out_of_fold_axes(each.regressor, samples, splits, seed)
        scores |= axis_scores(samples.axis_mm, axes, folds)
    return scores


def has_axes(samples: Samples) -> bool:
    """Tell whether enough patients have a metastasis of known length to fit a regressor."""
    known = samples.axis_mm > 0
    return len({p for p, k in zip(samples.patients, known, strict=True) if k}) >= LEAST_AXES


def fit_chosen(samples: Samples, classifier: str, regressor: str, seed: int) -> tuple[Any, Any]:
    """Return classifier and regressor (or None), fitted on all slides."""
    first = fit_classifier(candidate(classifier).classifier, samples, seed)
    if not regressor:
        return first, None
    return first, fit_regressor(candidate(regressor).regressor, samples, seed)
