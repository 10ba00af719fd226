"""Evaluations of images: masks, instances, lesions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.exchange.class_names import ClassNames
from napari_breastpath.exchange.label_image import read_label_image
from napari_breastpath.exchange.painting import Canvas, is_annotation_file, read_painting
from napari_breastpath.results import Result
from napari_breastpath.results.masks import (
    Band,
    bands,
    corrected_heat,
    measured_mask,
    scored_channels,
    scored_heat,
)
from napari_breastpath.training.evaluation.config import EvaluationConfig
from napari_breastpath.training.evaluation.froc import (
    Hits,
    froc,
    froc_curve,
    peaks,
    score_detections,
    true_lesions,
)
from napari_breastpath.training.evaluation.inputs import (
    are_results,
    by_slide,
    matches,
    pairs,
    patients,
    positive,
    read_image,
    read_table,
    results_of,
    same_shape,
)
from napari_breastpath.training.evaluation.instance_measures import (
    Overlaps,
    Panoptic,
    aggregated_jaccard,
    dsb_mean_ap,
    overlaps,
    panoptic_quality,
)
from napari_breastpath.training.evaluation.pixel_measures import (
    Confusion,
    confusion,
    mean_measures,
    pixel_measures,
    pooled,
)
from napari_breastpath.training.evaluation.prepared import Curve, Prepared

if TYPE_CHECKING:
    import pandas as pd

Mask = NDArray[np.bool_]


def pixels(config: EvaluationConfig) -> Prepared:
    """Prepare IoU, Dice and the rest, per image (mean) and of all pixels together (pooled)."""
    import pandas as pd

    parts = dict(_confusions(config))
    counts = list(parts.values())

    def statistic(cases: Any) -> dict[str, float]:
        chosen = [counts[k] for k in cases]
        means = {f"mean_{name}": v for name, v in mean_measures(chosen).items()}
        return pixel_measures(pooled(chosen)) | means

    rows = [{"image": name, **asdict(c), **pixel_measures(c)} for name, c in parts.items()]
    return Prepared(patients(config, parts), statistic, pd.DataFrame(rows))


def _confusions(config: EvaluationConfig) -> Iterator[tuple[str, Confusion]]:
    if are_results(config):
        for name, result, truth in _truths(config):
            where = _tissue(result) if config.within == "tissue" else None
            yield name, confusion(truth, _mask(result, config), where)
        return
    for name, truth_path, path in pairs(config.truth, config.predictions[0]):
        images = read_image(truth_path), read_image(path)
        same_shape(truth_path, *images)
        yield name, confusion(*(positive(image, config.values) for image in images))


def _truths(config: EvaluationConfig) -> Iterator[tuple[str, Result, Mask]]:
    """Yield every result with the true tumour on its lattice."""
    files, results = matches(config.truth), results_of(config)
    used = [by_slide(files, name) for name in results]
    if spare := [name for name, path in files.items() if path not in used]:
        raise UsageError(
            config.truth, f"has no result for {spare[0]}", "analyse it, or leave it out"
        )
    for name, result in results.items():
        path = by_slide(files, name)
        if path is None and config.missing_truth == "error":
            advice = 'give it, or say missing_truth = "empty"'
            raise UsageError(result.path, f"no truth for {name}", advice)
        yield name, result, _truth_of(result, path)


def _truth_of(result: Result, path: Path | None) -> Mask:
    if path is None:
        return np.zeros(result.lattice.shape, bool)
    canvas = Canvas.of(result)
    if _is_empty_image(path, canvas):  # a truth too: no tumour
        return np.zeros(result.lattice.shape, bool)
    painting = read_painting(path, canvas, ClassNames(result.classes))
    return np.isin(painting.raster, [k + 1 for k in scored_channels(result.classes)])


def _is_empty_image(path: Path, canvas: Canvas) -> bool:
    if is_annotation_file(path) or not path.is_file():
        return False
    return not read_label_image(path, canvas.lattice, canvas.size).values()


def _tissue(result: Result) -> Mask:
    return np.asarray(result.map.label("tissue").levels[0][:]) > 0


def _mask(result: Result, config: EvaluationConfig) -> Mask:
    """Return a result's tumour mask, the model's own or the corrected one."""
    wanted = [k + 1 for k in scored_channels(result.classes)]
    return np.concatenate([np.isin(m, wanted) for m in _masks(result, config.row)])


def _masks(result: Result, row: str) -> Iterator[NDArray[np.uint8]]:
    threshold = result.record["settings"]["threshold"]
    for band in bands(result):
        edits = band.edits if row == "corrected" else np.zeros_like(band.edits)
        yield measured_mask(Band(band.rows, band.heat, edits), result.classes, threshold)


def instances(config: EvaluationConfig) -> Prepared:
    """Prepare DSB2018's mean AP, aggregated Jaccard (mean of images) and panoptic quality."""
    import pandas as pd

    found = dict(_overlaps(config))
    each = list(found.values())
    table = pd.DataFrame(
        {
            "image": list(found),
            "dsb_map": [dsb_mean_ap(o) for o in each],
            "aji": [aggregated_jaccard(o) for o in each],
            "pq": [panoptic_quality(Panoptic.of(o))["pq"] for o in each],
        }
    )
    panoptic = [Panoptic.of(o) for o in each]
    values = table[["dsb_map", "aji", "pq"]].to_numpy(float)

    def statistic(cases: Any) -> dict[str, float]:
        means = [_nanmean(values[cases, k]) for k in range(3)]
        named = dict(zip(("dsb_map", "aji", "mean_pq"), means, strict=True))
        return named | panoptic_quality(*(panoptic[k] for k in cases))

    return Prepared(patients(config, found), statistic, table)


def _nanmean(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")


def _overlaps(config: EvaluationConfig) -> Iterator[tuple[str, Overlaps]]:
    for name, truth_path, path in pairs(config.truth, config.predictions[0]):
        truth, predicted = read_image(truth_path), read_image(path)
        same_shape(truth_path, truth, predicted)
        yield name, overlaps(truth, predicted)


def lesions(config: EvaluationConfig) -> Prepared:
    """Prepare CAMELYON16's FROC, from results' maps or from tables of detections."""
    import pandas as pd

    found = dict(_hits_of_results(config) if are_results(config) else _hits_of_csv(config))
    hits = list(found.values())
    rows = [
        {
            "slide": name,
            "lesions": len(h.found),
            "found": int((h.found > 0).sum()),
            "false": len(h.false),
        }
        for name, h in found.items()
    ]
    fp, sensitivity = froc_curve(hits)
    curve = Curve("froc", fp, sensitivity, "false positives per slide", "sensitivity")

    def statistic(cases: Any) -> dict[str, float]:
        return froc([hits[k] for k in cases])

    return Prepared(patients(config, found), statistic, pd.DataFrame(rows), [curve])


def _hits_of_results(config: EvaluationConfig) -> Iterator[tuple[str, Hits]]:
    for name, result, truth in _truths(config):
        heat = np.concatenate([_heat(result, band, config.row) for band in bands(result)])
        mpp = result.lattice.mpp
        rows, columns, value = peaks(heat, mpp, 255 * config.threshold, config.apart_um)
        yield name, score_detections(true_lesions(truth, mpp), rows, columns, value / 255)


def _heat(result: Result, band: Band, row: str) -> NDArray[np.uint8]:
    if row == "corrected":
        return corrected_heat(band, result.classes)
    return scored_heat(band.heat, result.classes)


def _hits_of_csv(config: EvaluationConfig) -> Iterator[tuple[str, Hits]]:
    """Yield the hits of each slide's detections: probability, x, y, and slide in one file."""
    tables = _detections(config)
    for name, path in matches(config.truth).items():
        mask = positive(read_image(path), config.values)
        table = tables.pop(name, None)
        points = np.zeros((0, 3)) if table is None else table.to_numpy(float)
        rows, columns = points[:, 2] / config.scale, points[:, 1] / config.scale
        yield name, score_detections(true_lesions(mask, config.mpp_xy), rows, columns, points[:, 0])
    if tables:
        raise UsageError(config.truth, f"has no mask for {sorted(tables)[0]}", "give it")


def _detections(config: EvaluationConfig) -> dict[str, pd.DataFrame]:
    columns, pattern = ["probability", "x", "y"], config.predictions[0]
    if "*" in pattern:
        files = matches(pattern)
        return {k: read_table(str(v), config, columns, columns)[columns] for k, v in files.items()}
    table = read_table(pattern, config, ("slide", *columns), columns)
    return {str(name): part[columns] for name, part in table.groupby("slide")}
