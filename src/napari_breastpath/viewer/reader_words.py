"""The words and figures of two readers' comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from napari_breastpath.edits.compare import ONLY_A, Agreement, Comparison
from napari_breastpath.exchange.comparison import with_tumour
from napari_breastpath.report.wording import (
    CATEGORIES,
    NOTHING,
    area_mm2,
    counted,
    fraction,
    length_mm,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of figures.

    Attributes
    ----------
    label, tip : str
    values : tuple of str
        None for a heading, one for both readers together, or one for each.
    """

    label: str
    values: tuple[str, ...] = ()
    tip: str = ""


def figure_rows(found: Comparison) -> Iterator[Row]:
    """Yield the figures of each class, then of tumour as a whole, with units."""
    for each in with_tumour(found):
        yield Row(each.class_name)
        yield from _rows(each)


def _rows(each: Agreement) -> Iterator[Row]:
    outlines = "from one outline to the other"
    yield Row("Dice", (fraction(each.dice),), "Overlap: 1 the same, 0 nothing in common")
    yield Row("Hausdorff", (_um(each.hausdorff_um),), f"Largest distance {outlines}")
    yield Row(
        "95 % Hausdorff", (_um(each.hausdorff95_um),), f"95 % of the distances {outlines} are less"
    )
    yield Row("Area", _both(area_mm2, each.area_mm2), "All regions together")
    yield Row(
        "Longest extent", _both(length_mm, each.longest_feret_mm), "Feret of the longest region"
    )
    if any(each.category):
        titles = tuple(CATEGORIES[c][0] if c else NOTHING for c in each.category)
        yield Row("Category", titles, "Nodal category by the longest extent (AJCC 8)")


def _both(shown: Callable[[float], str], pair: tuple[float, float]) -> tuple[str, str]:
    return shown(pair[0]), shown(pair[1])


def _um(value: float) -> str:
    return f"{value:.0f} µm" if math.isfinite(value) else NOTHING


def difference_text(found: Comparison, names: tuple[str, str], place: int) -> str:
    """Return which difference it is, and whose: `2 of 9 · only A. Reader: 0.42 mm²`."""
    row = found.differences.iloc[place]
    name = names[0] if row["kind"] == ONLY_A else names[1]
    whose = f"only {name}: {area_mm2(float(row['area_mm2']))}"
    of_class = f" ({row['class']})" if len(found.classes) > 1 else ""
    return f"{place + 1} of {len(found.differences)} · {whose}{of_class}"


def differences_text(count: int) -> str:
    """Return how many differences there are."""
    return f"{counted(count, 'difference')}, the largest first" if count else "No difference"
