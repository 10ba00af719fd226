"""From a result's map and hand edits to its numbers: mask, regions, features, score, GeoJSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.analyses.by_hand import hands_record
from napari_breastpath.analyses.preparing import stored_tissue, tissue_factor
from napari_breastpath.analyses.scoring import scored
from napari_breastpath.core.errors import UsageError
from napari_breastpath.edits import read_log, rewrite_mask
from napari_breastpath.exchange.geojson import write_result_geojson
from napari_breastpath.measure import (
    Regions,
    find_regions,
    heatmap_features,
    merge_regions,
    summarise,
)
from napari_breastpath.models import ModelBundle
from napari_breastpath.preprocess import tissue_pieces
from napari_breastpath.results import Result
from napari_breastpath.results.files import written
from napari_breastpath.results.folder import FEATURES, GEOJSON, REGIONS, REPORT, REPORT_PDF
from napari_breastpath.results.masks import (
    Band,
    bands,
    corrected_heat,
    measured_mask,
    scored_heat,
)

if TYPE_CHECKING:
    import pandas as pd

UInt8Array = NDArray[np.uint8]
MAX_PIECES = 255


@dataclass
class Rasters:
    """What is measured, all on the map's lattice (y, x).

    Attributes
    ----------
    mask : ndarray, uint8
        0 nothing, k class k (1-based).
    unread, edited : ndarray, bool
        Tissue that no tile gave a value for; pixels that a hand painted or erased.
    tissue_px : int
        Number of tissue pixels.
    """

    mask: UInt8Array
    unread: NDArray[np.bool_]
    edited: NDArray[np.bool_]
    tissue_px: int = 0


def measure_result(
    result: Result,
    threshold: float | None = None,
    specimen: str | None = None,
    model: ModelBundle | None = None,
) -> Result:
    """Measure a result from its map and edits, and write mask, tables, GeoJSON and record.

    A report from before is removed: its numbers would no longer be the result's.

    Parameters
    ----------
    result : Result
    threshold : float, optional
        By default the one recorded; one-class models only.
    specimen : str, optional
        By default the one recorded.
    model : ModelBundle, optional
        The same network with another second stage to score with; by default the recorded bundle.

    Returns
    -------
    Result
        The same, with its record brought up to date.

    Raises
    ------
    UsageError
        A threshold was given and the model has several classes; `model` is another network.
    ModelError
        The second stage was changed, or cannot be used here.
    """
    if threshold is not None and len(result.classes) > 1:
        raise UsageError(result.path, "its model has several classes", "leave out --threshold")
    threshold = result.record["settings"]["threshold"] if threshold is None else threshold
    specimen = result.record["specimen"] if specimen is None else specimen
    log = read_log(result)  # before the pixels: what comes after it asks for measuring again
    rasters = _rasters(result, threshold)
    regions = _regions(result, rasters, specimen)
    features = _features(result, bool(rasters.edited.any()))
    changes = {
        "specimen": specimen,
        "settings": result.record["settings"] | {"threshold": threshold, "specimen": specimen},
        **_areas(result, rasters),
        **scored(result, features, model),
        **hands_record(
            log,
            summarise(regions.table, specimen, _roles(result)),
            specimen,
            int(np.count_nonzero(rasters.edited)),
        ),
    }
    if changes["unread_tissue_fraction"] and result.status == "complete":
        changes["status"] = "incomplete"  # chunks of the map were lost since
    with written(result.path):
        _write(result, regions, features, changes)
    return result


def _write(
    result: Result,
    regions: Regions,
    features: pd.DataFrame,
    changes: dict[str, Any],
) -> None:
    for outdated in (REPORT, REPORT_PDF):
        (result.path / outdated).unlink(missing_ok=True)
    result.write_table(REGIONS, regions.table)
    result.write_table(FEATURES, features.reset_index())
    rewrite_mask(result, changes["settings"]["threshold"])
    result.save(**changes)
    write_result_geojson(result.path / GEOJSON, regions, result)


def _roles(result: Result) -> dict[str, str]:
    return {kind["name"]: kind["role"] for kind in result.classes}


def _rasters(result: Result, threshold: float) -> Rasters:
    """Read the map by bands of rows and lay the edits over it."""
    shape = result.lattice.shape
    rasters = Rasters(np.zeros(shape, np.uint8), np.zeros(shape, bool), np.zeros(shape, bool))
    label = result.map.label("tissue")
    for band in bands(result):
        rows = band.rows
        tissue = label.read(rows, slice(None)) > 0
        rasters.mask[rows] = measured_mask(band, result.classes, threshold)
        rasters.unread[rows] = tissue & (band.heat.max(axis=0) == 0)
        rasters.edited[rows] = band.edits != 0
        rasters.tissue_px += int(tissue.sum())
    return rasters


def _pieces(result: Result) -> UInt8Array:
    """Return the tissue piece of every map pixel, found near the tissue's own resolution."""
    coarsest = 2 ** (len(result.map.label("tissue").levels) - 1)
    factor = min(tissue_factor(result.lattice.mpp_x), coarsest)
    coarse = result.lattice.coarser(factor)
    pieces = tissue_pieces(stored_tissue(result, factor), coarse.mpp)
    few = np.minimum(pieces, MAX_PIECES).astype(np.uint8)
    height, width = result.lattice.shape
    return few.repeat(factor, axis=0)[:height].repeat(factor, axis=1)[:, :width]


def _regions(result: Result, rasters: Rasters, specimen: str) -> Regions:
    """Measure the regions of every class, one class in memory at a time."""
    lattice, pieces = result.lattice, _pieces(result)
    return merge_regions(
        find_regions(
            rasters.mask == k + 1,
            lattice.mpp,
            _Channel(result.map.probability.levels[0], k),
            kind["name"],
            step=(lattice.step_x, lattice.step_y),
            pieces=pieces,
            unread=rasters.unread if rasters.unread.any() else None,
            edited=rasters.edited if rasters.edited.any() else None,
            specimen=specimen,
        )
        for k, kind in enumerate(result.classes)
        if kind["role"] != "background"
    )


class _Channel:
    """One class of the probability array, read by rows."""

    def __init__(self, array: Any, channel: int) -> None:
        self._array, self._channel = array, channel
        self.shape, self.dtype = array.shape[1:], array.dtype

    def __getitem__(self, rows: Any) -> UInt8Array:
        values: UInt8Array = np.asarray(self._array[(self._channel, *np.atleast_1d(rows))])
        return values


def _features(result: Result, is_edited: bool) -> pd.DataFrame:
    """Return the 28 features of the model's map and of the map as corrected by hand."""
    import pandas as pd

    model = heatmap_features(_laid_out(result, lambda band: scored_heat(band.heat, result.classes)))
    corrected = model
    if is_edited:
        heat = _laid_out(result, lambda band: corrected_heat(band, result.classes))
        corrected = heatmap_features(heat)
    return pd.DataFrame([model, corrected], index=pd.Index(["model", "corrected"], name="row"))


def _laid_out(result: Result, of_band: Callable[[Band], UInt8Array]) -> UInt8Array:
    heat = np.zeros(result.lattice.shape, np.uint8)
    for band in bands(result):
        heat[band.rows] = of_band(band)
    return heat


def _areas(result: Result, rasters: Rasters) -> dict[str, float]:
    pixels, unread = rasters.tissue_px, int(rasters.unread.sum())
    return {
        "tissue_area_mm2": pixels * result.lattice.pixel_area_mm2,
        "unread_tissue_fraction": unread / pixels if pixels else 0.0,
    }
