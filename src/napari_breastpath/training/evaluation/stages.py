"""Agreement of pN stages: CAMELYON17's kappa."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_breastpath.core.errors import UsageError

STAGES = ("pN0", "pN0(i+)", "pN1mi", "pN1", "pN2")


def stage_index(stage: str) -> int:
    """Return a stage's place among `STAGES`; `UsageError` for one that CAMELYON17 has not."""
    if stage not in STAGES:
        raise UsageError(f"stage {stage!r}", "unknown", f"say {', '.join(STAGES)}")
    return STAGES.index(stage)


def quadratic_kappa(
    truth: Sequence[int], predicted: Sequence[int], classes: int = len(STAGES)
) -> float:
    """Return Cohen's kappa with quadratic weights (Cohen 1968), CAMELYON17's measure.

    1 − Σ w·O / Σ w·E, w = (i − j)² over class indices, O the counts and E those expected by chance.
    NaN where nothing varies.
    """
    observed = np.zeros((classes, classes))
    np.add.at(observed, (np.asarray(truth, int), np.asarray(predicted, int)), 1)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / max(observed.sum(), 1)
    steps = np.arange(classes)
    weights = (steps[:, None] - steps) ** 2
    chance = (weights * expected).sum()
    return float(1 - (weights * observed).sum() / chance) if chance else float("nan")
