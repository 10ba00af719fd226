"""BreakHis: from patches to images to patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

THRESHOLD = 0.5
FEW = 3


def _share(p: NDArray[np.float64], threshold: float) -> float:
    return float((p > threshold).mean())


AGGREGATIONS: Final[Mapping[str, Callable[[NDArray[np.float64], float], bool]]] = {
    "sum": lambda p, t: bool(p.sum() > (1 - p).sum()),
    "vote": lambda p, t: _share(p, t) >= 0.5,
    "average": lambda p, t: bool(p.mean() > t),
    "exist": lambda p, t: bool((p > t).any()),
    "exist3": lambda p, t: int((p > t).sum()) >= min(FEW, p.size),
}
"""How an image's call follows from the probabilities of its patches.

sum: summed probability of malignant over that of benign (the sum rule, Kittler et al. 1998; the
threshold is no matter); vote: at least half of the patches malignant; average: mean probability
over the threshold (the same as sum at 0.5); exist: any patch; exist3: three patches, or all of
fewer.
"""


def aggregate(patches: ArrayLike, how: str, threshold: float = THRESHOLD) -> bool:
    """Tell whether an image is malignant, from P(malignant) of its patches (`AGGREGATIONS`)."""
    return AGGREGATIONS[how](np.asarray(patches, dtype=float), threshold)


def recognition_rates(right: ArrayLike, patients: Sequence[str]) -> dict[str, float]:
    """Return the image-level and patient-level recognition rates.

    Image level: right images / all images. Patient level: the mean over patients of each one's
    share of right images (Spanhol et al. 2016, IEEE Trans. Biomed. Eng. 63, equations 1 and 2).

    Parameters
    ----------
    right : array_like of bool, shape (images,)
    patients : sequence of str, shape (images,)
    """
    correct = np.asarray(right, dtype=float)
    _, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    shares = np.bincount(patient, correct) / np.bincount(patient)
    return {"image_rate": float(correct.mean()), "patient_rate": float(shares.mean())}
