"""Confidence intervals by resampling patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Indices: TypeAlias = NDArray[np.intp]
Statistic: TypeAlias = Callable[[Indices], Mapping[str, float]]
LEAST_DEFINED = 0.5


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure and its interval; NaN where it is undefined or one patient gives no interval."""

    value: float
    low: float = np.nan
    high: float = np.nan


def bootstrap(
    statistic: Statistic,
    patients: Sequence[str],
    replicates: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return measures of all cases, each with its percentile interval over resampled patients.

    Patients, not cases, are drawn with replacement, each with all of its cases: cases of one
    patient are not independent (Efron & Tibshirani 1993, chapter 13; Field & Welsh 2007).

    Parameters
    ----------
    statistic : callable
        From the indices of cases (with repeats) to measures by name; NaN is undefined.
    patients : sequence of str, shape (n,)
        Of each case.
    replicates : int
        0: no intervals.
    confidence : float
    seed : int

    Returns
    -------
    dict of str to Estimate
        A measure undefined in over half of the replicates has no interval.
    """
    cases = _cases_by_patient(patients)
    whole = statistic(np.arange(len(patients)))
    if len(cases) < 2 or not replicates:
        return {name: Estimate(value) for name, value in whole.items()}
    rng = np.random.default_rng(seed)
    drawn = [statistic(_draw(cases, rng)) for _ in range(replicates)]
    return {
        name: Estimate(value, *_interval([one[name] for one in drawn], confidence))
        for name, value in whole.items()
    }


def _cases_by_patient(patients: Sequence[str]) -> list[Indices]:
    _, number = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    order = np.argsort(number, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(number[order])) + 1)


def _draw(cases: list[Indices], rng: np.random.Generator) -> Indices:
    return np.concatenate([cases[k] for k in rng.integers(len(cases), size=len(cases))])


def _interval(values: list[float], confidence: float) -> tuple[float, float]:
    finite = np.array(values)[np.isfinite(values)]
    if len(finite) < LEAST_DEFINED * len(values):
        return np.nan, np.nan
    tail = 50 * (1 - confidence)
    low, high = np.percentile(finite, (tail, 100 - tail))
    return float(low), float(high)
