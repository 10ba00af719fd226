"""What is measured of a result at a threshold, before it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from napari_breastpath.measure import Ellipse


@dataclass(frozen=True)
class Numbers:
    """What is measured at a threshold.

    Attributes
    ----------
    threshold : float
    regions : DataFrame
        As regions.csv, columns `REGION_COLUMNS`.
    summary : dict
        As `regions` of result.json.
    score : dict
        As `score` of result.json: rows `model` and `corrected`.
    ellipse : Ellipse or None
        With the `slide_major_axis_mm`: centre in level-0 px, axes in mm.
    """

    threshold: float
    regions: pd.DataFrame
    summary: dict[str, Any]
    score: dict[str, Any]
    ellipse: Ellipse | None = None
