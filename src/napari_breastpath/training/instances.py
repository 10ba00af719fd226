"""What a network learns about nuclei: inside, boundary and distance, from one number a nucleus."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Labels: TypeAlias = NDArray[np.int32]
Floats: TypeAlias = NDArray[np.float32]
BACKGROUND, NUCLEUS, BOUNDARY = 0, 1, 2
# Nuclei are convex but for a dent; what is less solid is most likely several in one.
SOLID = 0.9


def nucleus_classes(labels: NDArray[Any], boundary_px: int) -> NDArray[np.int64]:
    """Return background, inside and boundary of nuclei.

    The boundary is what lies in a nucleus within `boundary_px` of background or of another nucleus
    (the third class of Caicedo et al. 2019, Nature Methods 16, 1247).

    Parameters
    ----------
    labels : ndarray of int (y, x)
        0 background, k nucleus k.
    boundary_px : int
        Width in pixels.

    Returns
    -------
    ndarray, int64 (y, x)
        0 background, 1 inside, 2 boundary.
    """
    from scipy.ndimage import maximum_filter, minimum_filter
    from skimage.morphology import disk

    around = disk(boundary_px)
    alike = maximum_filter(labels, footprint=around) == minimum_filter(labels, footprint=around)
    classes = np.where(alike, NUCLEUS, BOUNDARY)
    return np.where(labels > 0, classes, BACKGROUND).astype(np.int64)


def distance_map(labels: NDArray[Any]) -> Floats:
    """Return each nucleus's distance to its own edge, over its largest: float32 (y, x) in 0–1.

    As the regression target of Naylor et al. 2019 (IEEE Trans. Med. Imaging 38, 448), scaled so
    that a small nucleus counts as much as a large one.
    """
    from scipy.ndimage import distance_transform_edt, maximum

    edges = nucleus_classes(labels, 1) == BOUNDARY
    inside = distance_transform_edt((labels > 0) & ~edges) + (labels > 0)
    peaks = np.asarray(maximum(inside, labels, range(int(labels.max()) + 1)), np.float64)
    scaled: Floats = np.where(labels > 0, inside / np.maximum(peaks[labels], 1), 0).astype("f4")
    return scaled


def separate(mask: NDArray[np.bool_]) -> tuple[Labels, Floats]:
    """Return the pieces of a binary mask, and where they can be taken for single nuclei.

    Parameters
    ----------
    mask : ndarray, bool (y, x)
        Nuclei, touching ones merged.

    Returns
    -------
    labels : ndarray, int32 (y, x)
    weight : ndarray, float32 (y, x)
        0 inside pieces too little convex to be one nucleus: where the boundaries run in them is not
        known.
    """
    from skimage.measure import label, regionprops

    labels = label(mask, connectivity=1).astype(np.int32)
    single = np.ones(int(labels.max()) + 1, np.float32)
    for piece in regionprops(labels):
        single[piece.label] = piece.solidity >= SOLID
    return labels, single[labels]
