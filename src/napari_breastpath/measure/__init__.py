"""Regions, lengths, features and scores: arrays in, numbers out."""

from __future__ import annotations

from napari_breastpath.measure.categories import (
    CELL_AREA_UM2,
    CELL_RULE_NOTE,
    nodal_category,
    summarise,
)
from napari_breastpath.measure.columns import (
    REGION_COLUMNS,
    Around,
    Columns,
    Frame,
    measured,
    region_table,
)
from napari_breastpath.measure.features import (
    CHALLENGE_MINIMUM_AXIS_PX,
    FEATURE_NAMES,
    Score,
    coarse_sums,
    heatmap_features,
    slide_features,
    slide_score,
    stored_features,
    stored_sums,
)
from napari_breastpath.measure.moments import Ellipse, moment_ellipse
from napari_breastpath.measure.outline import Polygon, region_polygons
from napari_breastpath.measure.regions import (
    Regions,
    find_regions,
    measure_regions,
    merge_regions,
)
from napari_breastpath.measure.runs import LabelImage, Runs

__all__ = [
    "CELL_AREA_UM2",
    "CELL_RULE_NOTE",
    "CHALLENGE_MINIMUM_AXIS_PX",
    "FEATURE_NAMES",
    "REGION_COLUMNS",
    "Around",
    "Columns",
    "Ellipse",
    "Frame",
    "LabelImage",
    "Polygon",
    "Regions",
    "Runs",
    "Score",
    "coarse_sums",
    "find_regions",
    "heatmap_features",
    "measure_regions",
    "measured",
    "merge_regions",
    "moment_ellipse",
    "nodal_category",
    "region_polygons",
    "region_table",
    "slide_features",
    "slide_score",
    "stored_features",
    "stored_sums",
    "summarise",
]
