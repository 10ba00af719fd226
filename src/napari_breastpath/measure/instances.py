"""From maps of nuclei to nuclei: one number each, by watershed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Labels: TypeAlias = NDArray[np.int32]
MIN_NUCLEUS_UM2 = 8.0
SEED_UM2 = 1.5


def nuclei_of_boundaries(
    probability: NDArray[Any], mpp: tuple[float, float], threshold: float = 0.5
) -> Labels:
    """Return the nuclei of a map of background, inside and boundary.

    Seeds are pieces of likely inside; they grow over inside and boundary, from the likeliest
    inside outwards (marker-controlled watershed, Meyer 1994).

    Parameters
    ----------
    probability : ndarray, float (3, y, x)
        Background, inside, boundary; summing to 1.
    mpp : (x, y)
        µm per pixel.
    threshold : float
        A pixel is of a nucleus where inside + boundary is above it, of a seed where inside is.

    Returns
    -------
    ndarray, int32 (y, x)
        0 background, else 1 … n in the order of the first pixel.
    """
    inside, boundary = probability[1], probability[2]
    return _grown(inside > threshold, inside, inside + boundary > threshold, mpp)


def nuclei_of_distances(
    distance: NDArray[Any], mpp: tuple[float, float], seed: float = 0.6, edge: float = 0.1
) -> Labels:
    """Return the nuclei of a map of distances to the own edge, 0–1 of each one's largest.

    Parameters
    ----------
    distance : ndarray, float (y, x)
    mpp : (x, y)
        µm per pixel.
    seed, edge : float
        Distance above which a pixel is of a seed, and of a nucleus at all.

    Returns
    -------
    ndarray, int32 (y, x)
    """
    return _grown(distance > seed, distance, distance > edge, mpp)


def _grown(
    seeds: NDArray[np.bool_],
    height: NDArray[Any],
    mask: NDArray[np.bool_],
    mpp: tuple[float, float],
) -> Labels:
    from skimage.measure import label
    from skimage.segmentation import relabel_sequential, watershed

    pixel_um2 = mpp[0] * mpp[1]
    markers = _without_specks(label(seeds, connectivity=1), SEED_UM2 / pixel_um2)
    grown = watershed(-height, markers, mask=mask)
    kept, _, _ = relabel_sequential(_without_specks(grown, MIN_NUCLEUS_UM2 / pixel_um2))
    return np.asarray(kept, np.int32)


def _without_specks(labels: NDArray[Any], least_px: float) -> NDArray[Any]:
    areas = np.bincount(labels.ravel())
    return np.where(areas[labels] >= least_px, labels, 0)
