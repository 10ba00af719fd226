"""From a result's map and hand edits to its numbers: mask, regions, features, score, GeoJSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_breastpath.analyses.by_hand import hands_record, recording
from napari_breastpath.analyses.scanning import Scan, scan, scanned_features, scanned_regions
from napari_breastpath.analyses.scoring import scored
from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.edits import HandState, applied_log, folded, rewrite_mask
from napari_breastpath.exchange.geojson import write_result_geojson
from napari_breastpath.measure import (
    Regions,
    summarise,
)
from napari_breastpath.models import ModelBundle
from napari_breastpath.results import Result
from napari_breastpath.results.files import written
from napari_breastpath.results.folder import FEATURES, GEOJSON, REGIONS, REPORT, REPORT_PDF

if TYPE_CHECKING:
    import pandas as pd


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
    ResultError
        It is reviewed, and the threshold or the specimen is another one.
    UsageError
        A threshold was given and the model has several classes; `model` is another network.
    ModelError
        The second stage was changed, or cannot be used here.
    """
    if threshold is not None and len(result.classes) > 1:
        raise UsageError(result.path, "its model has several classes", "leave out --threshold")
    threshold = result.record["settings"]["threshold"] if threshold is None else threshold
    specimen = result.record["specimen"] if specimen is None else specimen
    log = applied_log(result)  # before the pixels: what comes after it asks for measuring again
    _check_review(result, folded(log), threshold, specimen)
    found = scan(result, threshold)
    regions = scanned_regions(result, found, specimen)
    features = scanned_features(found)
    changes = {
        "specimen": specimen,
        "settings": result.record["settings"] | {"threshold": threshold, "specimen": specimen},
        **_areas(result, found),
        **scored(result, features, model),
        **hands_record(
            log,
            summarise(regions.table, specimen, _roles(result)),
            specimen,
            found.edited_px,
        ),
    }
    if changes["unread_tissue_fraction"] and result.status == "complete":
        changes["status"] = "incomplete"  # chunks of the map were lost since
    with written(result.path), recording(result):
        _write(result, regions, features, changes)
    return result


def _check_review(result: Result, state: HandState, threshold: float, specimen: str) -> None:
    """Raise `ResultError` where a review forbids what is asked for."""
    record = result.record
    recorded = record["settings"]["threshold"], record["specimen"]
    if state.reviewed is not None and (threshold, specimen) != recorded:
        who = state.reviewed.reader or "someone without a name"
        cause = f"was reviewed by {who} on {state.reviewed.time[:10]}"
        raise ResultError(result.path, cause, "reopen it in napari to measure it otherwise")


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


def _areas(result: Result, found: Scan) -> dict[str, float]:
    pixels = found.tissue_px
    return {
        "tissue_area_mm2": pixels * result.lattice.pixel_area_mm2,
        "unread_tissue_fraction": found.unread_px / pixels if pixels else 0.0,
    }
