"""Measure the regions of a mask: one row each, lengths in mm, nothing removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure import values
from napari_breastpath.measure.columns import (
    Around,
    Frame,
    check_some,
    measured,
    ranks,
    region_table,
    renumbered,
)
from napari_breastpath.measure.runs import PaintedRuns, Runs, connected, label_runs, together


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of a mask and their measurements.

    Attributes
    ----------
    runs : Runs
        Of the mask, in raster order, labelled by `region_id`.
    table : DataFrame
        One row per region, columns `REGION_COLUMNS`, longest first.
    """

    runs: Runs
    table: pd.DataFrame

    @property
    def image(self) -> PaintedRuns:
        """`region_id` of every mask pixel, 0 elsewhere; only the rows asked for are made."""
        return PaintedRuns(self.runs)

    @property
    def labels(self) -> NDArray[np.int32]:
        """`region_id` of every mask pixel, 0 elsewhere, int32 (y, x), painted anew every time."""
        return self.image[:]


class RegionOptions(TypedDict, total=False):
    """What `find_regions` takes by keyword."""

    step: float | Iterable[float]
    origin: tuple[float, float]
    pieces: NDArray[np.integer] | None
    unread: NDArray[np.bool_] | None
    edited: NDArray[np.bool_] | None
    specimen: str


def xy_pair(value: float | Iterable[float], name: str) -> tuple[float, float]:
    """Return `value` as (x, y); one number stands for both. Raise `UsageError` unless positive."""
    pair = tuple(float(v) for v in value) if isinstance(value, Iterable) else (float(value),) * 2
    if len(pair) != 2 or not all(np.isfinite(v) and v > 0 for v in pair):
        raise UsageError(f"{name} {value!r}", "not positive", "give one number or (x, y)")
    return pair[0], pair[1]


def _mask(mask: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(mask)
    if array.ndim != 2:
        raise UsageError(f"mask of shape {array.shape}", "not (y, x)", "give one plane")
    return array.astype(bool, copy=False)


def _check_shapes(shape: tuple[int, int], **rasters: Any) -> None:
    for name, raster in rasters.items():
        if raster is not None and tuple(raster.shape) != shape:
            cause = f"is {tuple(raster.shape)}, the mask {shape}"
            raise UsageError(name, cause, "give both on the same lattice")


def _check_probability(probability: Any) -> None:
    dtype = None if probability is None else np.dtype(probability.dtype)
    if dtype is not None and dtype != np.uint8 and dtype.kind != "f":
        raise UsageError("probability", f"is {dtype}", "give floats 0..1 or uint8 stored values")


def _runs_of(raster: Any) -> Runs | None:
    return None if raster is None else label_runs(np.asarray(raster))


def find_regions(
    mask: ArrayLike,
    mpp: float | Iterable[float],
    probability: Any = None,
    class_name: str = "tumour",
    *,
    step: float | Iterable[float] = 1.0,
    origin: tuple[float, float] = (0.0, 0.0),
    pieces: NDArray[np.integer] | None = None,
    unread: NDArray[np.bool_] | None = None,
    edited: NDArray[np.bool_] | None = None,
    specimen: str = "unspecified",
) -> Regions:
    """Find the 8-connected regions of a mask, number them by length and measure them.

    Parameters
    ----------
    mask : array_like of bool, shape (y, x)
    mpp : float or (x, y)
        µm per mask pixel.
    probability : array_like, shape (y, x), optional
        uint8 with 1..255 as v/255 and 0 never inferred, or floats 0..1 with NaN never inferred;
        read by rows, so a zarr array does.
    class_name : str
        Goes into the column `class`.
    step : float or (x, y)
        Level-0 px per mask pixel.
    origin : (x, y)
        Level-0 coordinates of the mask's outer top-left corner.
    pieces : ndarray of int, shape (y, x), optional
        Tissue piece of every pixel, 0 none.
    unread : ndarray of bool, shape (y, x), optional
        Pixels that should have been read and were not.
    edited : ndarray of bool, shape (y, x), optional
        Pixels that a hand painted or erased.
    specimen : {'node', 'primary', 'unspecified'}
        Only the regions of a node get a category.

    Returns
    -------
    Regions
        Labelled runs and table. Rows are sorted by longest Feret, descending; equal ones by where
        their first pixel comes in raster order. Feret ends are corners of pixels in level-0 px,
        the left one first. Where `touches_edge` or `touches_unread` (8-neighbourhood), a length is
        a lower bound.

    Raises
    ------
    UsageError
        Rasters of different shapes, a pixel size that is not positive, probabilities over 1.
    """
    array, frame = _mask(mask), Frame(xy_pair(mpp, "mpp"), xy_pair(step, "step"), origin)
    _check_shapes(array.shape, probability=probability, pieces=pieces, unread=unread, edited=edited)
    _check_probability(probability)
    found = connected(label_runs(array))
    along = None if probability is None else values.run_values(probability, found.runs)
    around = Around(*map(_runs_of, (pieces, unread, edited)))
    columns = measured(found, along, frame, around)
    table, order = region_table([(class_name, columns)], specimen)
    return Regions(found.runs.relabelled(ranks(order)[found.runs.label]), table)


def measure_regions(
    mask: ArrayLike,
    mpp: float | Iterable[float],
    probability: Any = None,
    class_name: str = "tumour",
    **options: Unpack[RegionOptions],
) -> pd.DataFrame:
    """Return the table of `find_regions`, which documents the parameters and `options`."""
    return find_regions(mask, mpp, probability, class_name, **options).table


def merge_regions(parts: Iterable[Regions]) -> Regions:
    """Number the regions of several classes together, longest first.

    Parameters
    ----------
    parts : iterable of Regions
        On one lattice; no pixel belongs to two of them.

    Raises
    ------
    UsageError
        There are none.
    """
    given = list(parts)
    check_some(given)
    both = pd.concat([part.table for part in given], ignore_index=True)
    order = np.argsort(-both["feret_max_mm"].to_numpy(), kind="stable")
    table = renumbered(both.iloc[order].reset_index(drop=True))
    before = np.cumsum([0, *(len(part.table) for part in given)])
    runs = together(
        part.runs.relabelled(part.runs.label + offset)
        for part, offset in zip(given, before, strict=False)
    )
    return Regions(runs.relabelled(ranks(order)[runs.label]), table)
