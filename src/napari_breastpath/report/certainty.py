"""How firmly a nodal category stands: what a small change would make of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from napari_breastpath.measure import find_regions, summarise
from napari_breastpath.results import Result
from napari_breastpath.results.masks import bands, measured_mask

THRESHOLDS: Final = (0.3, 0.7)
"""Probabilities at which the mask is measured anew, beside the result's own threshold."""
KEPT: Final = "category_variants"


@dataclass(frozen=True, slots=True)
class Variant:
    """The category under one small change.

    Attributes
    ----------
    change : str
        What was changed.
    longest_mm : float
        Longest Feret of a region not below the size of a cell; 0 where there is none.
    category : str
    """

    change: str
    longest_mm: float
    category: str


def category_variants(result: Result) -> tuple[Variant, ...]:
    """Return the category of a node with its lengths a map pixel off, and at other thresholds.

    Thresholds are varied for models of one class only (others take the likeliest class). Hand edits
    stay as they are. Empty where the specimen is no node. What was found is kept in result.json
    (`regions.category_variants`) until the result is measured again.

    Parameters
    ----------
    result : Result
        Measured.
    """
    regions = result.record["regions"]
    if KEPT not in regions:
        node = result.record["specimen"] == "node"
        found = (*_lengths(result), *_thresholds(result)) if node else ()
        result.save(regions=regions | {KEPT: [asdict(variant) for variant in found]})
    return tuple(Variant(**kept) for kept in result.record["regions"][KEPT])


def decisive_length_mm(result: Result) -> float:
    """Return the longest Feret among the regions that have a say in the category, 0 for none."""
    return _variant("", result.regions, _roles(result)).longest_mm


def changed(variants: tuple[Variant, ...], category: str) -> tuple[Variant, ...]:
    """Return those that give another category."""
    return tuple(variant for variant in variants if variant.category != category)


def _roles(result: Result) -> dict[str, str]:
    return {kind["name"]: kind["role"] for kind in result.classes}


def _variant(change: str, table: pd.DataFrame, roles: dict[str, str]) -> Variant:
    cells = table[~table["below_cell_size"].astype(bool)]
    longest = summarise(cells, "node", roles)["longest_feret_mm"]
    return Variant(change, longest, summarise(table, "node", roles)["category"])


def _lengths(result: Result) -> tuple[Variant, ...]:
    """Return the variants with every length one map pixel shorter and longer."""
    pixel_mm, table = max(result.lattice.mpp) / 1000, result.regions
    if table.empty:
        return ()
    return tuple(
        _variant(
            f"length {sign} one map pixel ({pixel_mm * 1000:.3g} µm)",
            table.assign(feret_max_mm=(table["feret_max_mm"] + change).clip(lower=pixel_mm)),
            _roles(result),
        )
        for sign, change in (("−", -pixel_mm), ("+", pixel_mm))
    )


def _thresholds(result: Result) -> tuple[Variant, ...]:
    if len(result.classes) > 1:
        return ()
    used = result.record["settings"]["threshold"]
    return tuple(_at_threshold(result, value) for value in THRESHOLDS if value != used)


def _at_threshold(result: Result, threshold: float) -> Variant:
    mask = np.zeros(result.lattice.shape, bool)
    for band in bands(result):
        mask[band.rows] = measured_mask(band, result.classes, threshold) > 0
    name: Any = result.classes[0]["name"]
    table = find_regions(mask, result.lattice.mpp, class_name=name).table
    return _variant(f"threshold {threshold:g}", table, _roles(result))
