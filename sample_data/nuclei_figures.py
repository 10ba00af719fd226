"""How well a model of background, nucleus and boundary finds nuclei."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from held_out_images import Network, by_source, extent, read_whole, truth_over
from napari_breastpath.measure.instances import nuclei_of_boundaries
from napari_breastpath.models import ModelBundle
from napari_breastpath.training.evaluation.instance_measures import aggregated_jaccard, overlaps
from napari_breastpath.training.sources import Sample


def measure(
    samples: Sequence[Sample], network: Network, bundle: ModelBundle
) -> dict[str, dict[str, Any]]:
    """Return figures of each source's images.

    Dice is of all pixels in nuclei, aggregated Jaccard (Kumar et al. 2017) of nuclei one by one;
    the latter not where touching nuclei are drawn as one (`merged`).
    """
    return {
        title: extent(own) | _figures(own, network, bundle)
        for title, own in by_source(samples).items()
    }


def _figures(own: Sequence[Sample], network: Network, bundle: ModelBundle) -> dict[str, float]:
    scored = [image_scores(*_maps(sample, network, bundle.mpp), bundle.mpp) for sample in own]
    patients = [sample.patient for sample in own]
    dice, jaccard = np.array(scored).T
    found = {"Dice, mean of images": _rounded(dice.mean())}
    found["Dice, mean of patients"] = mean_of_patients(patients, dice)
    if not own[0].source.merged:
        found["aggregated Jaccard, mean of images"] = _rounded(jaccard.mean())
    return found


def _maps(sample: Sample, network: Network, mpp: float) -> tuple[NDArray[Any], NDArray[Any]]:
    rgb = read_whole(sample, mpp)
    return truth_over(sample, rgb.shape[:2], mpp), network(rgb)


def image_scores(truth: NDArray[Any], probability: NDArray[Any], mpp: float) -> tuple[float, float]:
    """Return Dice and aggregated Jaccard of true nuclei (y, x) and a map (3, y, x)."""
    true, found = truth > 0, probability[1] + probability[2] > 0.5
    dice = 2 * (true & found).sum() / max(1, true.sum() + found.sum())
    nuclei = nuclei_of_boundaries(probability, (mpp, mpp))
    return float(dice), aggregated_jaccard(overlaps(truth.astype(int), nuclei))


def mean_of_patients(patients: Sequence[str], values: NDArray[Any]) -> float:
    """Return the mean over patients of each one's mean: copies of one image count once."""
    each = defaultdict(list)
    for patient, value in zip(patients, values, strict=True):
        each[patient].append(value)
    return _rounded(np.mean([np.mean(own) for own in each.values()]))


def _rounded(value: Any) -> float:
    return round(float(value), 3)
