"""Measure the regions of a mask: one row each, lengths in mm, nothing removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypedDict, Unpack

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure import values
from napari_breastpath.measure.categories import CELL_AREA_UM2, check_specimen, nodal_category
from napari_breastpath.measure.hull import Ferets, convex_hulls, ferets
from napari_breastpath.measure.moments import crofton_perimeters, moment_axes, region_areas
from napari_breastpath.measure.runs import Runs, label_mask, label_runs, row_bands

REGION_COLUMNS: Final = (
    "region_id",
    "class",
    "piece",
    "area_mm2",
    "feret_max_mm",
    "feret_x1",
    "feret_y1",
    "feret_x2",
    "feret_y2",
    "feret_min_mm",
    "major_axis_mm",
    "minor_axis_mm",
    "perimeter_mm",
    "max_probability",
    "mean_probability",
    "category",
    "below_cell_size",
    "touches_edge",
    "touches_unread",
    "edited",
)


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of a mask and their measurements.

    Attributes
    ----------
    labels : ndarray of int32, shape (y, x)
        `region_id` of every mask pixel, 0 elsewhere.
    table : DataFrame
        One row per region, columns `REGION_COLUMNS`, longest first.
    """

    labels: NDArray[np.int32]
    table: pd.DataFrame


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


def _geometry(runs: Runs, count: int, mpp: tuple[float, float]) -> tuple[dict[str, Any], Ferets]:
    """Return the columns that follow from the shapes alone."""
    area = region_areas(runs, count)
    feret = ferets(convex_hulls(runs, count), mpp)
    major, minor = moment_axes(runs, area, mpp)
    columns = {
        "area_mm2": area * (mpp[0] * mpp[1] / 1e6),
        "feret_max_mm": feret.longest_um / 1e3,
        "feret_min_mm": feret.shortest_um / 1e3,
        "major_axis_mm": major / 1e3,
        "minor_axis_mm": minor / 1e3,
        "perimeter_mm": crofton_perimeters(runs, area, mpp) / 1e3,
        "below_cell_size": area * (mpp[0] * mpp[1]) < CELL_AREA_UM2,
    }
    return columns, feret


def _context(
    labels: NDArray[np.int32], count: int, pieces: Any, unread: Any, edited: Any
) -> dict[str, Any]:
    """Return the columns that follow from where a region lies."""
    nowhere = np.zeros(count, dtype=bool)
    return {
        "piece": nowhere.astype(np.int64)
        if pieces is None
        else values.main_piece(labels, np.asarray(pieces), count),
        "touches_edge": values.on_border(labels, count),
        "touches_unread": nowhere
        if unread is None
        else values.flagged(labels, values.grown(np.asarray(unread, dtype=bool)), count),
        "edited": nowhere
        if edited is None
        else values.flagged(labels, np.asarray(edited, dtype=bool), count),
    }


def _probabilities(probability: Any, runs: Runs, count: int) -> dict[str, Any]:
    if probability is None:
        unknown = np.full(count, np.nan)
        return {"max_probability": unknown, "mean_probability": unknown}
    highest, mean = values.probability_statistics(probability, runs, count)
    return {"max_probability": highest, "mean_probability": mean}


def _ends(feret: Ferets, step: tuple[float, float], origin: tuple[float, float]) -> dict[str, Any]:
    level_0 = feret.ends_px * np.array([*step, *step]) + np.array([*origin, *origin])
    return dict(zip(("feret_x1", "feret_y1", "feret_x2", "feret_y2"), level_0.T, strict=True))


def _categories(columns: dict[str, Any], specimen: str) -> pd.Series[str]:
    """Return the nodal category of every region; empty below cell size or unless a node."""
    node = check_specimen(specimen) == "node"
    regions = zip(columns["feret_max_mm"], columns["below_cell_size"], strict=True)
    words = ["" if small or not node else nodal_category(length) for length, small in regions]
    return pd.Series(words, dtype="str")


def _relabel(labels: NDArray[np.int32], new_id: NDArray[np.int32]) -> None:
    """Replace, in place, label k by new_id[k]."""
    for rows in row_bands(labels.shape):
        labels[rows] = new_id[labels[rows]]


def _ranked(table: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the table, longest Feret first, and the rows' former order."""
    order = np.argsort(-table["feret_max_mm"].to_numpy(), kind="stable")
    table = table.iloc[order].reset_index(drop=True)
    table["region_id"] = np.arange(1, len(order) + 1)
    return table[list(REGION_COLUMNS)], order


def _new_ids(order: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the new label of every old one, given the old rows in their new order."""
    new_id = np.zeros(len(order) + 1, dtype=np.int32)
    new_id[order + 1] = np.arange(1, len(order) + 1)
    return new_id


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
        Label image and table. Rows are sorted by longest Feret, descending; equal ones by where
        their first pixel comes in raster order. Feret ends are corners of pixels in level-0 px,
        the left one first. Where `touches_edge` or `touches_unread` (8-neighbourhood), a length is
        a lower bound.

    Raises
    ------
    UsageError
        Rasters of different shapes, a pixel size that is not positive, probabilities over 1.
    """
    array, pixel_um = _mask(mask), xy_pair(mpp, "mpp")
    _check_shapes(array.shape, probability=probability, pieces=pieces, unread=unread, edited=edited)
    _check_probability(probability)
    labels, count = label_mask(array)
    runs = label_runs(labels)
    columns, feret = _geometry(runs, count, pixel_um)
    columns["class"] = pd.Series([class_name] * count, dtype="str")
    columns["category"] = _categories(columns, specimen)
    columns |= _ends(feret, xy_pair(step, "step"), origin)
    columns |= _probabilities(probability, runs, count)
    columns |= _context(labels, count, pieces, unread, edited)
    table, order = _ranked(pd.DataFrame(columns))
    _relabel(labels, _new_ids(order))
    return Regions(labels, table)


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
        On one lattice; no pixel belongs to two of them. A generator keeps only one in memory.

    Raises
    ------
    UsageError
        There are none.
    """
    tables: list[pd.DataFrame] = []
    merged, offset = np.zeros((0, 0), dtype=np.int32), 0
    for part in parts:
        if tables:
            np.add(part.labels, np.int32(offset), out=merged, where=part.labels > 0)
        else:
            merged = part.labels.copy()
        tables.append(part.table)
        offset += len(part.table)
    if not tables:
        raise UsageError(
            "regions", "no class to measure", "use a model with one besides background"
        )
    table, order = _ranked(pd.concat(tables, ignore_index=True))
    _relabel(merged, _new_ids(order))
    return Regions(merged, table)
