"""Clinical words for lengths and areas, and the summary of a slide.

Boundaries belong to the lower category: exactly 0.2 mm is ITC, exactly 2.0 mm is micro (AJCC 8,
CAMELYON17). Foci are never added up: the longest decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, cast, get_args

import pandas as pd

from napari_breastpath.core.errors import UsageError

Specimen: TypeAlias = Literal["node", "primary", "unspecified"]

CELL_AREA_UM2: Final = 300.0
ITC_MM: Final = 0.2
MICRO_MM: Final = 2.0
CELL_RULE_NOTE: Final = "200-cell rule not evaluated"
PRIMARY_NOTE: Final = "the model does not tell invasive from in situ: longest extent of all tumour"
TUMOUR_ROLES: Final = frozenset({"tumour", "invasive"})


def check_specimen(specimen: str) -> Specimen:
    """Return `specimen` if it is one of the three that are known, else raise `UsageError`."""
    if specimen in get_args(Specimen):
        return cast(Specimen, specimen)
    raise UsageError(f"specimen {specimen!r}", "unknown", "say node, primary or unspecified")


def nodal_category(longest_feret_mm: float) -> str:
    """Return the nodal category of a longest extent: negative, ITC, micro or macro.

    Parameters
    ----------
    longest_feret_mm : float
        Longest Feret diameter of the largest focus in mm; 0 when there is none. The 200-cell rule
        is not evaluated.
    """
    if not longest_feret_mm > 0:
        return "negative"
    if longest_feret_mm <= ITC_MM:
        return "ITC"
    return "micro" if longest_feret_mm <= MICRO_MM else "macro"


def _longest(table: pd.DataFrame, column: str) -> float:
    return float(table[column].max()) if len(table) else 0.0


def _longest_region(table: pd.DataFrame) -> int | None:
    if table.empty:
        return None
    return int(table["region_id"].to_numpy()[table["feret_max_mm"].to_numpy().argmax()])


def _of_roles(
    table: pd.DataFrame, classes: Mapping[str, str] | None, roles: frozenset[str]
) -> pd.DataFrame:
    """Return the rows whose class has one of `roles`; all rows where no roles are known."""
    if classes is None:
        return table
    return table[table["class"].isin([name for name, role in classes.items() if role in roles])]


def _notes(specimen: Specimen, has_invasive: bool) -> str:
    if specimen == "node":
        return CELL_RULE_NOTE
    return PRIMARY_NOTE if specimen == "primary" and not has_invasive else ""


def _areas(table: pd.DataFrame, classes: Mapping[str, str] | None) -> dict[str, float]:
    names = [name for name, role in (classes or {}).items() if role != "background"]
    sums = {
        str(name): float(area) for name, area in table.groupby("class")["area_mm2"].sum().items()
    }
    return dict.fromkeys(names, 0.0) | sums


def summarise(
    table: pd.DataFrame,
    specimen: str = "unspecified",
    classes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the slide-level figures of a table of regions (`regions` of result.json).

    Parameters
    ----------
    table : DataFrame
        As `measure_regions` gives it; several classes may be concatenated.
    specimen : {'node', 'primary', 'unspecified'}
        Only a node gets a category. A primary's longest extent is that of the invasive component.
    classes : mapping of str to str, optional
        Role of each class by name. Only `tumour` and `invasive` count towards lengths, count and
        total area; without roles, every class does.

    Returns
    -------
    dict
        `count`, `longest_feret_mm`, `longest_feret_region` (region_id or None),
        `slide_major_axis_mm` (longest moment axis), `total_area_mm2`, `areas_mm2` of every class,
        `category` (negative, ITC, micro, macro; None where none is due) and `note`. Regions
        smaller than one tumour cell count in all but the category.
    """
    kind = check_specimen(specimen)
    tumour = _of_roles(table, classes, TUMOUR_ROLES)
    has_invasive = "invasive" in (classes or {}).values()
    only_invasive = kind == "primary" and has_invasive
    measured = _of_roles(tumour, classes, frozenset({"invasive"})) if only_invasive else tumour
    cells = measured[~measured["below_cell_size"].astype(bool)]
    return {
        "count": len(tumour),
        "longest_feret_mm": _longest(measured, "feret_max_mm"),
        "longest_feret_region": _longest_region(measured),
        "slide_major_axis_mm": _longest(measured, "major_axis_mm"),
        "total_area_mm2": float(tumour["area_mm2"].sum()),
        "areas_mm2": _areas(table, classes),
        "category": nodal_category(_longest(cells, "feret_max_mm")) if kind == "node" else None,
        "note": _notes(kind, has_invasive),
    }
