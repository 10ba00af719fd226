"""The HeLP winner's 28 heatmap features, and the slide score.

Source: cyc1am3n, HeLP 2019 breast cancer, 1st solution: block means of the heatmap, the longest
moment axis over all 8-connected components, tumour ratio over heat > 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure.moments import moment_axes, region_areas
from napari_breastpath.measure.runs import connected, label_runs, row_bands

SCALES: Final = (4, 16, 64, 256)
THRESHOLDS: Final = (0.5, 0.9)
BAND_ROWS: Final = max(SCALES)
CHALLENGE_MINIMUM_AXIS_PX: Final = 500
FEATURE_NAMES: Final = tuple(
    f"{scale}_{name}"
    for scale in SCALES
    for name in (
        *(f"major_axis_t{t}" for t in THRESHOLDS),
        *(f"tumor_ratio_t{t}" for t in THRESHOLDS),
        "max",
        "mean",
        "std",
    )
)


@dataclass(frozen=True, slots=True)
class Score:
    """A slide's score and what it is."""

    name: str
    value: float


def _block_sums(array: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return the sums of factor × factor blocks, the edge padded with zeros."""
    height, width = array.shape
    padding = ((0, -height % factor), (0, -width % factor))
    padded = np.pad(array, padding) if any(after for _, after in padding) else array
    blocks = padded.reshape(padded.shape[0] // factor, factor, -1, factor)
    sums: NDArray[Any] = blocks.sum(axis=3).sum(axis=1)
    return sums


def _band(probability: Any, rows: slice) -> NDArray[Any]:
    """Return rows of the map as integers 0..255 or floats 0..1, 0 where never inferred."""
    band = np.asarray(probability[rows])
    if band.dtype == np.uint8:
        return band.astype(np.int64)
    values = np.nan_to_num(band.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    if values.min(initial=0.0) < 0 or values.max(initial=0.0) > 1:
        raise UsageError("probability", "outside 0..1", "give floats 0..1 or uint8 stored values")
    return values


def _finest(probability: Any) -> NDArray[Any]:
    """Return the block sums at the finest scale, read by bands of whole blocks."""
    width = probability.shape[1]
    rows_at_once = max(BAND_ROWS, (1 << 22) // max(width, 1) // BAND_ROWS * BAND_ROWS)
    bands = row_bands(tuple(probability.shape), rows_at_once * max(width, 1))
    return np.concatenate([_block_sums(_band(probability, rows), SCALES[0]) for rows in bands])


def stored_sums(heat: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the sums of 4 × 4 blocks of stored values (y, x), the edge padded with zeros."""
    rows = _sums_of_four(heat)
    return np.ascontiguousarray(_sums_of_four(rows.T).T).astype(np.int64)


def _sums_of_four(values: NDArray[np.unsignedinteger]) -> NDArray[np.uint16]:
    """Return the sums of every four rows, the last ones padded with zeros."""
    sums = values[::4].astype(np.uint16)
    for row in range(1, min(4, len(values))):
        part = values[row::4]
        sums[: len(part)] += part
    return sums


def stored_features(sums: NDArray[np.int64]) -> dict[str, float]:
    """Return `heatmap_features` of a uint8 map, given its `stored_sums`."""
    return _features(sums, 255, 0.0)


def coarse_sums(sums: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the sums of 16 × 16 blocks, given those of 4 × 4."""
    return _block_sums(sums.astype(np.int64), 16 // SCALES[0])


def slide_features(coarse: NDArray[np.int64]) -> dict[str, float]:
    """Return the one of the features that `slide_score` needs, given `coarse_sums`."""
    return {"16_max": float((coarse / (255 * 16**2)).max())}


def _longest_axis_px(mask: NDArray[np.bool_]) -> float:
    found = connected(label_runs(mask))
    area = region_areas(found.runs, found.count)
    major, _ = moment_axes(found.runs, area, (1.0, 1.0))
    return float(major.max(initial=0.0))


def _at_scale(heat: NDArray[np.float64], scale: int, minimum_axis_px: float) -> dict[str, float]:
    tissue = int(np.count_nonzero(heat > 0))
    masks = {t: heat > t for t in THRESHOLDS}
    axes = {t: scale * _longest_axis_px(mask) for t, mask in masks.items()}
    features = {f"major_axis_t{t}": a if a >= minimum_axis_px else 0.0 for t, a in axes.items()}
    for t, mask in masks.items():
        features[f"tumor_ratio_t{t}"] = int(np.count_nonzero(mask)) / tissue if tissue else 0.0
    features |= {"max": float(heat.max()), "mean": float(heat.mean()), "std": float(heat.std())}
    return {f"{scale}_{name}": value for name, value in features.items()}


def heatmap_features(probability: Any, *, minimum_axis_px: float = 0) -> dict[str, float]:
    """Return the 28 heatmap features, in the order of `FEATURE_NAMES`.

    Parameters
    ----------
    probability : array_like, shape (y, x)
        Floats 0..1 (NaN, never inferred, counts as the 0 that is stored for it) or uint8 0..255 as
        v/255. Anything with `shape`, `dtype` and row slicing does; it is read by bands of rows.
    minimum_axis_px : float
        Major axes below it become 0. The challenge used 500 (`CHALLENGE_MINIMUM_AXIS_PX`), tuned
        to its metric; it drops every micrometastasis, hence off.

    Returns
    -------
    dict of str to float
        Per scale 4, 16, 64, 256: `major_axis_t*` in map pixels (axis in the block-mean map times
        the scale), `tumor_ratio_t*` = pixels > t / pixels > 0 (0 where there are none), `max`,
        `mean`, `std` of the block-mean map, padding included. Comparisons are strict.

    Raises
    ------
    UsageError
        Not one plane, empty, or values outside 0..1.
    """
    if len(probability.shape) != 2 or 0 in probability.shape:
        raise UsageError(f"probability of shape {probability.shape}", "no plane", "give (y, x)")
    whole = 255 if probability.dtype == np.uint8 else 1
    return _features(_finest(probability), whole, minimum_axis_px)


def _features(sums: NDArray[Any], whole: int, minimum_axis_px: float) -> dict[str, float]:
    features: dict[str, float] = {}
    for scale, coarser in zip(SCALES, (*SCALES[1:], None), strict=True):
        features |= _at_scale(sums / (whole * scale**2), scale, minimum_axis_px)
        sums = _block_sums(sums, coarser // scale) if coarser else sums
    return features


def slide_score(features: Mapping[str, float]) -> Score:
    """Return the slide score without a fitted second stage: the maximum of the 1/16 map.

    The winner's best single feature; not a probability of metastasis.
    """
    return Score("max_of_1/16_map", float(features["16_max"]))
