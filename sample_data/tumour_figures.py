"""How well a tumour model's mask covers the tumour of what its training left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from held_out_images import Network, Rgb, by_source, extent, read_whole, truth_over
from napari_breastpath.models import ModelBundle
from napari_breastpath.preprocess import StainNormalizer
from napari_breastpath.preprocess.tissue import tissue_from_thumbnail
from napari_breastpath.training.sources import Sample

Mask: TypeAlias = NDArray[np.bool_]
Restain: TypeAlias = Callable[[Rgb], Rgb]
TISSUE_STEP = 8


def measure(
    samples: Sequence[Sample], network: Network, bundle: ModelBundle
) -> dict[str, dict[str, Any]]:
    """Return Dice over all pixels of each source's images, stain-normalised and as scanned.

    Beside them stands Dice of calling everything tumour that is no glass.
    """
    return {
        title: extent(own) | _figures(own, network, bundle)
        for title, own in by_source(samples).items()
    }


def _figures(own: Sequence[Sample], network: Network, bundle: ModelBundle) -> dict[str, float]:
    images = [read_whole(sample, bundle.mpp) for sample in own]
    truths = [truth_over(s, i.shape[:2], bundle.mpp) > 0 for s, i in zip(own, images, strict=True)]
    tissues = [tissue_of(image, bundle.mpp) for image in images]
    patients = [sample.patient for sample in own]
    restained = _restained(images, tissues, patients, bundle)
    return {
        "Dice, Vahadane": dice(truths, [tumour(i, network, bundle) for i in restained]),
        "Dice, as scanned": dice(truths, [tumour(i, network, bundle) for i in images]),
        "Dice if all tissue were called tumour": dice(truths, tissues),
    }


def tumour(image: Rgb, network: Network, bundle: ModelBundle) -> Mask:
    """Return where a model sees tumour, (y, x)."""
    found: Mask = network(image)[0] > bundle.threshold
    return found


def tissue_of(image: Rgb, mpp: float) -> Mask:
    """Return what is no glass; of pictures too small to show any, everything."""
    if min(image.shape[:2]) < 64 * TISSUE_STEP:
        return np.ones(image.shape[:2], bool)
    coarse = tissue_from_thumbnail(image[::TISSUE_STEP, ::TISSUE_STEP], mpp=mpp * TISSUE_STEP)
    fine: Mask = np.kron(coarse, np.ones((TISSUE_STEP, TISSUE_STEP), bool))
    return fine[: image.shape[0], : image.shape[1]]


def _restained(
    images: Sequence[Rgb], tissues: Sequence[Mask], patients: Sequence[str], bundle: ModelBundle
) -> list[Rgb]:
    """Return images in the model's stain, one source matrix per patient, as inference does."""
    assert bundle.stain is not None
    own: dict[str, StainNormalizer] = {}
    for patient in set(patients):
        pixels = [i[t] for i, t, p in zip(images, tissues, patients, strict=True) if p == patient]
        normalizer = StainNormalizer.from_target(**bundle.stain)
        own[patient] = normalizer.fit_source(np.concatenate(pixels))
    return [own[p].transform(i) for i, p in zip(images, patients, strict=True)]


def dice(truths: Sequence[Mask], found: Sequence[Mask]) -> float:
    """Return Dice over all pixels of some images together."""
    both = sum(int((t & f).sum()) for t, f in zip(truths, found, strict=True))
    return round(2 * both / max(1, sum(int(m.sum()) for m in (*truths, *found))), 3)
