"""Do probabilities mean what they say?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import pandas as pd

BINS = 10


def brier_score(positive: ArrayLike, probability: ArrayLike) -> float:
    """Return the mean squared difference of probability and outcome (Brier 1950); 0 is best."""
    truth, p = np.asarray(positive, dtype=float), np.asarray(probability, dtype=float)
    return float(((p - truth) ** 2).mean()) if truth.size else float("nan")


def reliability(positive: ArrayLike, probability: ArrayLike, bins: int = BINS) -> pd.DataFrame:
    """Return the reliability table: one row per bin of equal width that holds a case.

    Columns `low`, `high` (low < p ≤ high, the first includes 0), `count`, `probability` (mean
    predicted) and `observed` (share that is positive).
    """
    import pandas as pd

    truth, p = np.asarray(positive, dtype=float), np.asarray(probability, dtype=float)
    which = np.clip(np.ceil(p * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    held = np.flatnonzero(count)
    return pd.DataFrame(
        {
            "low": held / bins,
            "high": (held + 1) / bins,
            "count": count[held],
            "probability": np.bincount(which, p, bins)[held] / count[held],
            "observed": np.bincount(which, truth, bins)[held] / count[held],
        }
    )


def expected_calibration_error(
    positive: ArrayLike, probability: ArrayLike, bins: int = BINS
) -> float:
    """Return Σ (n_b/n)·|observed_b − probability_b| over bins of equal width.

    Naeini et al. 2015; Guo et al. 2017, equation 3, for the probability of the positive class.
    """
    table = reliability(positive, probability, bins)
    gaps = (table["observed"] - table["probability"]).abs() * table["count"]
    return float(gaps.sum() / table["count"].sum()) if len(table) else float("nan")
