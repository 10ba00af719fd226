"""Masks in micrometres: growing them, dropping specks, telling pieces of tissue apart."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from napari_breastpath.preprocess.optical_density import Mask

Mpp: TypeAlias = float | tuple[float, float]

EIGHT_CONNECTED = np.ones((3, 3), bool)
BRIDGED_GAP_UM = 100.0
# Rows grown at once, so that the distances (4 bytes per pixel) stay small next to the mask.
ROWS_PER_STEP = 1024


def both(mpp: Mpp) -> tuple[float, float]:
    """Return (x, y) µm/px of one or two numbers."""
    return (mpp, mpp) if isinstance(mpp, int | float) else mpp


def grow(mask: Mask, um: float, mpp: Mpp) -> Mask:
    """Return `mask` dilated by a distance: True where a True pixel's centre is at most `um` away.

    Parameters
    ----------
    mask : (y, x) bool
    um : float
        Distance in µm.
    mpp : float or (x, y)
        µm per mask pixel.

    Returns
    -------
    (y, x) bool
        Exact (Euclidean), computed in bands of rows: a pixel is reached from each of the rows near
        enough, where the way along that row is short enough. That takes as many passes as there
        are such rows: 12 for 50 µm at 8 µm/px, a tenth of a distance transform's time.
    """
    mpp_x, mpp_y = both(mpp)
    margin = math.ceil(um / mpp_y)
    grown = np.zeros(mask.shape, bool)
    for top in range(0, mask.shape[0], ROWS_PER_STEP):
        above, bottom = max(0, top - margin), min(top + ROWS_PER_STEP, mask.shape[0])
        band = mask[above : bottom + margin]
        grown[top:bottom] = _grow_band(band, um, (mpp_y, mpp_x))[top - above :][: bottom - top]
    return grown


def _grow_band(band: Mask, um: float, sampling: tuple[float, float]) -> Mask:
    from napari_breastpath.preprocess.kernels import distance_along_rows

    across, reach = np.empty(band.shape, np.int32), _reach_px(um, sampling)
    distance_along_rows(band, across)
    near: Mask = across <= reach[0]
    for rows, px in enumerate(reach[1:], 1):
        near[rows:] |= across[:-rows] <= px
        near[:-rows] |= across[rows:] <= px
    return near


def _reach_px(um: float, sampling: tuple[float, float]) -> list[int]:
    """Return how many pixels along a row lie within `um`, in that row and each further away."""
    mpp_y, mpp_x = sampling
    limit = um * (1 + 1e-9)  # for distances that are exactly `um` but for rounding
    rows = np.arange(int(limit / mpp_y) + 1)
    across = np.sqrt(np.maximum(limit**2 - (rows * mpp_y) ** 2, 0))
    return [int(px) for px in across / mpp_x]


def drop_specks(mask: Mask, min_area_um2: float, mpp: Mpp) -> Mask:
    """Return `mask` (y, x) without its 8-connected components smaller than `min_area_um2`."""
    from scipy.ndimage import label

    mpp_x, mpp_y = both(mpp)
    if not mask.any():
        return mask
    labels, _ = label(mask, EIGHT_CONNECTED)
    large = np.bincount(labels.ravel()) * (mpp_x * mpp_y) >= min_area_um2
    large[0] = False
    kept: Mask = large[labels]
    return kept


def tissue_pieces(mask: Mask, mpp: Mpp) -> npt.NDArray[np.int32]:
    """Number the pieces of tissue.

    Two parts belong to one piece when they touch (8-connected) or a gap of at most 100 µm is all
    that separates them, as tears and fat do; serial sections of a block lie millimetres apart.

    Parameters
    ----------
    mask : (y, x) bool
        Tissue.
    mpp : float or (x, y)
        µm per mask pixel.

    Returns
    -------
    (y, x) int32
        0 outside tissue, 1 for the largest piece, 2 for the next.
    """
    from scipy.ndimage import label

    bridged = grow(mask, BRIDGED_GAP_UM / 2, mpp)
    labels = np.where(mask, label(bridged, EIGHT_CONNECTED)[0], 0)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    rank = np.zeros(len(areas), np.int32)
    rank[np.argsort(-areas, kind="stable")[: np.count_nonzero(areas)]] = np.arange(
        1, np.count_nonzero(areas) + 1
    )
    pieces: npt.NDArray[np.int32] = rank[labels]
    return pieces
