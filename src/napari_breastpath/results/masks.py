"""The mask that is measured: the model's at a threshold, with hands laid over it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.measure.categories import TUMOUR_ROLES
from napari_breastpath.results.folder import Result
from napari_breastpath.results.maps import ERASED

UInt8Array: TypeAlias = NDArray[np.uint8]
# What to read and write together: by single rows of blocks a label takes twice the time.
PIXELS_AT_ONCE = 1 << 24


@dataclass(frozen=True, slots=True)
class Band:
    """Some rows of a result, uint8.

    Attributes
    ----------
    rows : slice
        Which rows of the map.
    heat : ndarray (c, y, x)
        Probabilities: 0 not inferred, else max(1, round(255·p)).
    edits : ndarray (y, x)
        What hands did: 0 untouched, k painted class k, 255 erased.
    """

    rows: slice
    heat: UInt8Array
    edits: UInt8Array


def row_slices(result: Result, pixels: int = 0) -> Iterator[slice]:
    """Yield the rows of the map: one row of blocks after the other, or as many as hold `pixels`.

    Their number is a power of two: written together, they write each chunk of a coarser level once.
    """
    chunk, height, width = result.map.chunk, result.lattice.height, result.lattice.width
    step = chunk << max(pixels // (chunk * width), 1).bit_length() - 1
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def band_at(result: Result, rows: slice) -> Band:
    """Return some rows of the map and the edits; where nobody edited, no chunk is looked for."""
    edits, everything = result.map.label("edits"), slice(None)
    heat = result.map.probability.read(rows, everything)
    if edits.levels[0].nchunks_initialized:
        return Band(rows, heat, edits.read(rows, everything))
    return Band(rows, heat, np.zeros(heat.shape[1:], np.uint8))


def bands(result: Result) -> Iterator[Band]:
    """Yield the map and the edits by rows of blocks, so that memory does not grow with them."""
    return (band_at(result, rows) for rows in row_slices(result))


def model_mask(probability: UInt8Array, threshold: float, background: list[int]) -> UInt8Array:
    """Return the model's own mask.

    Parameters
    ----------
    probability : ndarray, uint8 (c, y, x)
        0 not inferred, else max(1, round(255·p)).
    threshold : float
        One-class models: v/255 > threshold, strictly. Others take the likeliest class.
    background : list of int
        Channels whose pixels belong to no region.

    Returns
    -------
    ndarray, uint8 (y, x)
        0 nothing, k class k (1-based).
    """
    if len(probability) == 1:
        # A whole number is above a limit where it is above the limit's whole part.
        above: UInt8Array = (probability[0] > math.floor(threshold * 255)).view(np.uint8)
        return above
    best = probability.argmax(axis=0)
    nothing = (probability.max(axis=0) == 0) | np.isin(best, background)
    return np.where(nothing, 0, best + 1).astype(np.uint8)


def corrected_mask(mask: UInt8Array, edits: UInt8Array) -> UInt8Array:
    """Return `mask` with hands laid over it: painted k is k, erased is 0, untouched the model's."""
    if not edits.any():
        return mask
    painted = np.where(edits == ERASED, 0, edits)
    return np.where(edits == 0, mask, painted).astype(np.uint8)


def measured_mask(band: Band, classes: Sequence[Mapping[str, Any]], threshold: float) -> UInt8Array:
    """Return what is measured of a band, uint8 (y, x): 0 nothing, k class k (1-based)."""
    background = [k for k, kind in enumerate(classes) if kind["role"] == "background"]
    return corrected_mask(model_mask(band.heat, threshold, background), band.edits)


def scored_channels(classes: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    """Return the channels that count as tumour, else the first that is no background."""
    scored = tuple(k for k, kind in enumerate(classes) if kind["role"] in TUMOUR_ROLES)
    others = tuple(k for k, kind in enumerate(classes) if kind["role"] != "background")
    return scored or others[:1] or (0,)


def scored_heat(heat: UInt8Array, classes: Sequence[Mapping[str, Any]]) -> UInt8Array:
    """Return the summed probability of the classes that count as tumour, uint8 (y, x).

    Parameters
    ----------
    heat : ndarray, uint8 (c, y, x)
        0 not inferred, else max(1, round(255·p)).
    """
    channels = scored_channels(classes)
    if len(channels) == 1:
        only: UInt8Array = heat[channels[0]]
        return only
    total = heat[list(channels)].sum(axis=0, dtype=np.uint16)
    clipped: UInt8Array = np.minimum(total, 255).astype(np.uint8)
    return clipped


def corrected_heat(band: Band, classes: Sequence[Mapping[str, Any]]) -> UInt8Array:
    """Return `scored_heat` with hands laid over it: 1 where tumour is painted, 0 where not."""
    painted = np.isin(band.edits, [channel + 1 for channel in scored_channels(classes)])
    hands = np.where(painted, 255, 0)
    return np.where(band.edits == 0, scored_heat(band.heat, classes), hands).astype(np.uint8)
