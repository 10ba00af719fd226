"""What correcting a region would change: where to look next, and how firm a category is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from napari_breastpath.measure.categories import ITC_MM, MICRO_MM, TUMOUR_ROLES, summarise

NEAR_LIMIT: Final = 0.1
"""A length within a tenth of a limit of 0.2 or 2 mm is near it."""
LOST_WITHIN: Final = 0.1
"""A region is weak if it is lost when the threshold rises by this much."""
EFFECT_COLUMNS: Final = (
    "region_id",
    "category_after",
    "longest_after_mm",
    "area_change_mm2",
    "changes_category",
    "changes_longest",
    "near_limit",
    "touches_unread",
    "weak",
    "why",
)


@dataclass(frozen=True, slots=True)
class Whole:
    """A slide's regions and how they are counted."""

    table: pd.DataFrame
    specimen: str
    roles: Mapping[str, str]
    summary: Mapping[str, Any]

    def without(self, row: int) -> dict[str, Any]:
        """Return the summary without one region."""
        return summarise(self.table.drop(index=self.table.index[row]), self.specimen, self.roles)

    @property
    def longest_cells(self) -> int | None:
        """Row of the longest region not below the size of a cell, on which a category rests."""
        counted = self.counted & ~self.table["below_cell_size"].to_numpy(dtype=bool)
        rows = np.flatnonzero(counted)
        return int(rows[0]) if len(rows) else None

    @property
    def longest(self) -> int | None:
        """Row of the region whose length is the slide's."""
        number = self.summary["longest_feret_region"]
        return None if number is None else int((self.table["region_id"] == number).argmax())

    @property
    def counted(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Rows of the classes that count as tumour."""
        names = [name for name, role in self.roles.items() if role in TUMOUR_ROLES]
        return self.table["class"].isin(names).to_numpy()


def effects_of_deleting(
    table: pd.DataFrame,
    specimen: str,
    roles: Mapping[str, str],
    threshold: float | None = None,
) -> pd.DataFrame:
    """Return what deleting each region would change of the slide's figures, most important first.

    First the regions that decide on the category, then on the longest extent, then those near a
    limit of 0.2 or 2 mm (nodes), touching unread tissue, or weak; then by area.

    Parameters
    ----------
    table : DataFrame
        Columns `REGION_COLUMNS`, longest first, of all classes.
    specimen : {'node', 'primary', 'unspecified'}
    roles : mapping of str to str
        Role of each class by name.
    threshold : float, optional
        At which was measured; None for models of several classes, whose regions are never weak.

    Returns
    -------
    DataFrame
        Columns `EFFECT_COLUMNS`, a row per region: category and longest extent (mm) without it,
        its share of the total area (mm², negative), flags, and the reasons in words (`why`).
    """
    whole = Whole(table, specimen, roles, summarise(table, specimen, roles))
    found = _consequences(whole)
    node = specimen == "node"
    found["near_limit"] = [node and bool(limit_near(v)) for v in table["feret_max_mm"]]
    found["near_limit"] &= whole.counted & ~table["below_cell_size"].to_numpy(dtype=bool)
    found["touches_unread"] = table["touches_unread"].to_numpy(dtype=bool)
    found["weak"] = _weak(table, threshold)
    rows = zip(_records(found), _records(table), strict=True)
    found["why"] = ["; ".join(_reasons(*row, whole.summary)) for row in rows]
    keys = [~found[name] for name in EFFECT_COLUMNS[4:9]]
    order = np.lexsort((found["area_change_mm2"], *reversed(keys)))
    return found.iloc[order][list(EFFECT_COLUMNS)].reset_index(drop=True)


def _consequences(whole: Whole) -> pd.DataFrame:
    """Return category, longest extent and area without each region.

    Only the regions on which length and category rest change them: the others' are the slide's.
    """
    table, summary = whole.table, whole.summary
    found = pd.DataFrame(
        {
            "region_id": table["region_id"].to_numpy(),
            "category_after": summary["category"] or "",
            "longest_after_mm": summary["longest_feret_mm"],
            "area_change_mm2": np.where(whole.counted, -table["area_mm2"].to_numpy(), 0.0),
        }
    )
    for row in {whole.longest, whole.longest_cells} - {None}:
        after = whole.without(int(row or 0))
        found.loc[row, "category_after"] = after["category"] or ""
        found.loc[row, "longest_after_mm"] = after["longest_feret_mm"]
    found["changes_category"] = found["category_after"] != (summary["category"] or "")
    found["changes_longest"] = found["longest_after_mm"] != summary["longest_feret_mm"]
    return found


def limit_near(length_mm: float) -> float | None:
    """Return the limit between categories that a length is near, 0.2 or 2 mm, None for neither."""
    near = (limit for limit in (ITC_MM, MICRO_MM) if abs(length_mm - limit) <= NEAR_LIMIT * limit)
    return next(near, None)


def _weak(table: pd.DataFrame, threshold: float | None) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell which regions no hand touched would be lost at a slightly higher threshold."""
    if threshold is None:
        return np.zeros(len(table), dtype=bool)
    faint = table["max_probability"].to_numpy() <= threshold + LOST_WITHIN
    lost: np.ndarray[Any, np.dtype[np.bool_]] = faint & ~table["edited"].to_numpy(dtype=bool)
    return lost


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _reasons(
    fate: Mapping[str, Any], region: Mapping[str, Any], summary: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what speaks for looking at a region, in words."""
    if fate["changes_category"]:
        yield f"without it {fate['category_after']} instead of {summary['category']}"
    if fate["changes_longest"]:
        before, after = summary["longest_feret_mm"], fate["longest_after_mm"]
        yield f"{before:.2g} mm longest extent would become {after:.2g} mm"
    if fate["near_limit"]:
        length = region["feret_max_mm"]
        yield f"{length:.3g} mm: near the {limit_near(length):g} mm limit"
    if fate["touches_unread"]:
        yield "touches tissue that was not read: may be longer"
    if fate["weak"]:
        yield f"faint: highest probability {region['max_probability']:.2f}"
    if fate["area_change_mm2"]:
        share = region["area_mm2"] / summary["total_area_mm2"]
        yield f"{_area(region['area_mm2'])}, {_share(share)} of the tumour area"


def _area(mm2: float) -> str:
    return f"{mm2:.2g} mm²" if mm2 >= 1e-3 else f"{mm2 * 1e6:.0f} µm²"


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "less than 1%"


def category_if_longer(table: pd.DataFrame, roles: Mapping[str, str], change_mm: float) -> str:
    """Return a node's category with every length longer by so much, but no less than 0.001 mm."""
    lengths = (table["feret_max_mm"] + change_mm).clip(lower=1e-3)
    return str(summarise(table.assign(feret_max_mm=lengths), "node", roles)["category"])


def category_doubts(category: str, others: Mapping[str, str]) -> str:
    """Return one line that names the other categories that small changes would give, "" if none.

    Parameters
    ----------
    category : str
        As measured.
    others : mapping of str to str
        Change, in words, to the category it gives.
    """
    doubts = [f"{other} {change}" for change, other in others.items() if other != category]
    return f"Category {category} is not firm: {', '.join(doubts)}" if doubts else ""
