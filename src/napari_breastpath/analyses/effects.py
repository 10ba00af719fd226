"""Where to look next on a slide, and how firm its category is, from live numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_breastpath.measure.effects import (
    category_doubts,
    category_if_longer,
    effects_of_deleting,
)

if TYPE_CHECKING:
    import pandas as pd

    from napari_breastpath.analyses.live import LiveMeasurement
    from napari_breastpath.analyses.numbers import Numbers

THRESHOLDS: Final = (0.3, 0.7)


def effects(live: LiveMeasurement, numbers: Numbers) -> pd.DataFrame:
    """Return where to look next: `effects_of_deleting` for numbers of a live measurement."""
    threshold = numbers.threshold if live.has_threshold else None
    return effects_of_deleting(numbers.regions, live.specimen, live.roles, threshold)


def category_warning(live: LiveMeasurement) -> str:
    """Return one line where small changes would change a node's category, else "".

    Small changes are one map pixel on the longest extent, and any threshold from 0.3 to 0.7: as a
    higher one never makes a region longer, the two ends of that range are what is measured. Takes
    as long as two thresholds do, unless they are known already.
    """
    numbers = live.peek(live.threshold)
    category = numbers.summary["category"]
    if category is None:
        return ""
    pixel_um = max(live.result.lattice.mpp)
    others: dict[str, str] = {}
    for sign, word in ((-1, "shorter"), (1, "longer")):
        change = f"with a longest extent one map pixel ({pixel_um:.3g} µm) {word}"
        others[change] = category_if_longer(numbers.regions, live.roles, sign * pixel_um / 1e3)
    for threshold in THRESHOLDS if live.has_threshold else ():
        others[f"at threshold {threshold:g}"] = live.peek(threshold).summary["category"]
    return category_doubts(category, others)
