"""Temperature scaling: chances that mean what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RANGE = (0.2, 8.0)


def fit_temperature(logits: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the temperature that makes logits / temperature likeliest.

    Guo et al. 2017, "On calibration of modern neural networks": one number, fitted on data that
    did not train; which class wins never changes.

    Parameters
    ----------
    logits : ndarray (n, C)
    truth : ndarray (n,)
        One class: its chance, 0–1; several: the class's index.

    Returns
    -------
    float
        Within 0.2–8; 1 without data.
    """
    from scipy.optimize import minimize_scalar

    if not len(logits):
        return 1.0
    loss = _binary if logits.shape[1] == 1 else _several
    bounds = np.log(RANGE)
    found = minimize_scalar(lambda t: loss(logits / np.exp(t), truth), bounds=bounds)
    return float(np.exp(found.x))


def _binary(logits: NDArray[Any], truth: NDArray[Any]) -> float:
    one = logits[:, 0].astype(np.float64)
    return float((np.logaddexp(0, one) - truth * one).mean())


def _several(logits: NDArray[Any], truth: NDArray[Any]) -> float:
    from scipy.special import logsumexp

    own = np.take_along_axis(logits, truth[:, None].astype(np.int64), axis=1)[:, 0]
    return float((logsumexp(logits.astype(np.float64), axis=1) - own).mean())


def likelihood_gain(logits: NDArray[Any], truth: NDArray[Any], temperature: float) -> float:
    """Return by how much the temperature lowers the mean negative log-likelihood."""
    loss = _binary if logits.shape[1] == 1 else _several
    return loss(logits, truth) - loss(logits / temperature, truth) if len(logits) else 0.0
