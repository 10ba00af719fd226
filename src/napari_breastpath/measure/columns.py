"""The measurements of regions, column by column, and the table they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure import values
from napari_breastpath.measure.categories import CELL_AREA_UM2, check_specimen, nodal_category
from napari_breastpath.measure.hull import convex_hulls, ferets
from napari_breastpath.measure.moments import crofton_perimeters, moment_axes, region_areas
from napari_breastpath.measure.runs import Components, Runs
from napari_breastpath.measure.values import RunValues

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


Columns: TypeAlias = dict[str, NDArray[Any]]
"""Of equally long columns, one row per region; `first` is where a region begins, in pixels."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a mask lies: µm per pixel, level-0 px per pixel and level-0 place of its corner, xy."""

    mpp: tuple[float, float]
    step: tuple[float, float] = (1.0, 1.0)
    origin: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of the pixels beside the mask, as runs on its lattice.

    Attributes
    ----------
    pieces : Runs, optional
        Labelled by tissue piece.
    unread, edited : Runs, optional
        Pixels that should have been read and were not; pixels that a hand painted or erased.
    """

    pieces: Runs | None = None
    unread: Runs | None = None
    edited: Runs | None = None


def _geometry(found: Components, area: NDArray[np.int64], mpp: tuple[float, float]) -> Columns:
    """Return the columns that follow from the shapes alone, but for lengths."""
    major, minor = moment_axes(found.runs, area, mpp)
    return {
        "area_mm2": area * (mpp[0] * mpp[1] / 1e6),
        "major_axis_mm": major / 1e3,
        "minor_axis_mm": minor / 1e3,
        "perimeter_mm": crofton_perimeters(found, area, mpp) / 1e3,
        "below_cell_size": area * (mpp[0] * mpp[1]) < CELL_AREA_UM2,
    }


def _lengths(runs: Runs, count: int, frame: Frame) -> Columns:
    """Return the Feret diameters, and the ends of the longest in level-0 px."""
    feret = ferets(convex_hulls(runs, count), frame.mpp)
    level_0 = feret.ends_px * np.array([*frame.step, *frame.step])
    ends = (level_0 + np.array([*frame.origin, *frame.origin])).T
    return {
        "feret_max_mm": feret.longest_um / 1e3,
        "feret_min_mm": feret.shortest_um / 1e3,
        **dict(zip(("feret_x1", "feret_y1", "feret_x2", "feret_y2"), ends, strict=True)),
    }


def _context(runs: Runs, count: int, around: Around) -> Columns:
    """Return the columns that follow from where a region lies."""
    nowhere = np.zeros(count, dtype=bool)
    pieces, unread, edited = around.pieces, around.unread, around.edited
    return {
        "piece": nowhere.astype(np.int64)
        if pieces is None
        else values.main_piece(runs, pieces, count),
        "touches_edge": values.on_border(runs, count),
        "touches_unread": nowhere
        if unread is None
        else values.flagged(runs, unread, count, reach=1),
        "edited": nowhere if edited is None else values.flagged(runs, edited, count),
    }


def _probabilities(found: RunValues | None, runs: Runs, count: int) -> Columns:
    if found is None:
        unknown = np.full(count, np.nan)
        return {"max_probability": unknown, "mean_probability": unknown}
    highest, mean = values.probability_statistics(found, runs.label, count)
    return {"max_probability": highest, "mean_probability": mean}


def _first_pixels(runs: Runs, count: int) -> NDArray[np.int64]:
    """Return where each label begins, counted in raster order."""
    first, begin = np.zeros(count, dtype=np.int64), runs.keys()[0]
    first[runs.label[::-1] - 1] = begin[::-1]
    return first


def measured(
    found: Components, probability: RunValues | None, frame: Frame, around: Around
) -> Columns:
    """Return the measurements of components in their order, `class` and `category` aside.

    Parameters
    ----------
    found : Components
    probability : RunValues, optional
        Of the same runs.
    frame : Frame
    around : Around

    Returns
    -------
    dict of str to ndarray, shape (found.count,)
        `REGION_COLUMNS` but for `region_id`, `class` and `category`; `first`, for `region_table`.
    """
    runs, count = found.runs, found.count
    area = region_areas(runs, count)
    return {
        "first": _first_pixels(runs, count),
        **_geometry(found, area, frame.mpp),
        **_lengths(runs, count, frame),
        **_probabilities(probability, runs, count),
        **_context(runs, count, around),
    }


def categories(table: pd.DataFrame | Columns, specimen: str) -> pd.Series[str]:
    """Return the nodal category of every region; empty below cell size or unless a node."""
    if check_specimen(specimen) != "node":
        return pd.Series([""] * len(table["feret_max_mm"]), dtype="str")
    regions = zip(table["feret_max_mm"], table["below_cell_size"], strict=True)
    words = ["" if small else nodal_category(length) for length, small in regions]
    return pd.Series(words, dtype="str")


def check_some(classes: Sequence[object]) -> None:
    """Raise `UsageError` where there is no class."""
    if not classes:
        advice = "use a model with one besides background"
        raise UsageError("regions", "no class to measure", advice)


def renumbered(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns `REGION_COLUMNS` of a table, `region_id` counting its rows."""
    return table.assign(region_id=np.arange(1, len(table) + 1))[list(REGION_COLUMNS)]


def region_table(
    classes: Sequence[tuple[str, Columns]], specimen: str
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the table of the regions of one or more classes, and the order of its rows.

    Longest Feret first; equal ones by class as given, then by their first pixel in raster order.

    Parameters
    ----------
    classes : sequence of (name, columns)
        As `measured` returns them.
    specimen : {'node', 'primary', 'unspecified'}

    Returns
    -------
    table : DataFrame
        Columns `REGION_COLUMNS`.
    order : ndarray of int64
        For every row its place among the regions of all classes, one class after the other.
    """
    check_some(classes)
    names = [name for name, _ in classes]
    kind = np.repeat(np.arange(len(classes)), [len(columns["first"]) for _, columns in classes])
    rows = {
        name: np.concatenate([columns[name] for _, columns in classes]) for name in classes[0][1]
    }
    order = np.lexsort((rows.pop("first"), kind, -rows["feret_max_mm"]))
    table = pd.DataFrame({name: column[order] for name, column in rows.items()})
    table["class"] = pd.Series(np.array([*names, ""], dtype=object)[kind[order]], dtype="str")
    table["category"] = categories(table, specimen)
    return renumbered(table), order


def ranks(order: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the new label of every old one, given the old rows in their new order."""
    rank = np.zeros(len(order) + 1, dtype=np.int32)
    rank[order + 1] = np.arange(1, len(order) + 1)
    return rank
