"""Evaluations of objects: points such as mitoses, boxes such as masses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_breastpath.core.errors import UsageError
from napari_breastpath.results import Result
from napari_breastpath.training.evaluation.box_measures import (
    ImageBoxes,
    average_precision,
    box_froc,
    match_boxes,
    operating_point,
)
from napari_breastpath.training.evaluation.config import EvaluationConfig
from napari_breastpath.training.evaluation.inputs import (
    are_results,
    line_of,
    patients,
    read_cases,
    read_table,
    results_of,
)
from napari_breastpath.training.evaluation.point_measures import detection_measures, found_points
from napari_breastpath.training.evaluation.prepared import Curve, Prepared

if TYPE_CHECKING:
    import pandas as pd

PLACE = ("x", "y")
BOX = ("x", "y", "width", "height")
CLASS = "class"
PROBABILITY = "probability"


def points(config: EvaluationConfig) -> Prepared:
    """Prepare F1, precision and recall of points that pair within a distance."""
    import pandas as pd

    truth = _placed(config.truth, config, PLACE)
    given = _detected(config, PLACE)
    owner = _owners(config, truth, given)
    true, found = (_grouped(table, PLACE) for table in (truth, given))
    mpp = _mpp(config)
    counts = []
    for image in owner:
        scale = mpp.get(image, config.mpp_xy)
        t, p = (part.get(image, np.zeros((0, 2))) * scale for part in (true, found))
        counts.append(found_points(t, p, config.distance_um))

    def statistic(cases: Any) -> dict[str, float]:
        return detection_measures(counts[k] for k in cases)

    rows = [
        {"image": k, "tp": c.tp, "fp": c.fp, "fn": c.fn} for k, c in zip(owner, counts, strict=True)
    ]
    return Prepared(list(owner.values()), statistic, pd.DataFrame(rows))


def _mpp(config: EvaluationConfig) -> dict[str, tuple[float, float]]:
    """Return the µm/px of the slides that know their own."""
    if not are_results(config):
        return {}
    found = results_of(config).items()
    return {name: (result.slide_mpp.x, result.slide_mpp.y) for name, result in found}


def _detected(config: EvaluationConfig, needed: tuple[str, ...]) -> pd.DataFrame:
    """Return detections with a score over the threshold (points) or all of them (boxes)."""
    if are_results(config):
        return _of_results(results_of(config))
    table = _placed(config.predictions[0], config, needed)
    if needed == BOX and "score" not in table:
        raise UsageError(config.predictions[0], "no column score", "name it under [columns]")
    if needed == PLACE and "score" in table:
        return table[table["score"] > config.threshold]
    return table


def _placed(path: str, config: EvaluationConfig, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read objects: of each line, all of the numbers or, for an image without any, none."""
    read = read_cases if path == config.truth else read_table
    table = read(path, config, ("image", *columns), (*columns, "score"))
    scored = (*columns, "score") if "score" in table else columns
    gaps = table[list(scored)].isna()
    if (odd := gaps.any(axis=1) & ~gaps.all(axis=1)).any():
        raise UsageError(
            path, f"line {line_of(odd)} lacks some of {', '.join(scored)}", "complete it"
        )
    return table


def _of_results(results: Mapping[str, Result]) -> pd.DataFrame:
    """Return results' objects: x, y (of the centre), size and score."""
    import pandas as pd

    rows = []
    for name, result in results.items():
        if result.objects is None:
            raise UsageError(result.path, "has no objects", "run an analysis that finds some")
        for batch in result.objects.batches():
            scores = batch.measurements.get(PROBABILITY, np.ones(len(batch.shapes)))
            for shape, score in zip(batch.shapes, scores, strict=True):
                low, high = np.min(shape, axis=0), np.max(shape, axis=0)
                rows.append((name, *(low + high) / 2, *(high - low), score))
    return pd.DataFrame(rows, columns=["image", *BOX, "score"])


def _owners(config: EvaluationConfig, truth: pd.DataFrame, given: pd.DataFrame) -> dict[str, str]:
    """Return image → patient, of the images that the truth names."""
    if are_results(config) and (lost := sorted(set(truth["image"]) - set(results_of(config)))):
        raise UsageError(config.truth, f"names {lost[0]}, which has no result", "analyse it")
    if unknown := sorted(set(given["image"]) - set(truth["image"])):
        advice = "give a line with empty coordinates for an image without any"
        raise UsageError(config.truth, f"does not name the image {unknown[0]}", advice)
    first = truth.drop_duplicates("image")
    return dict(zip(first["image"], patients(config, first["image"], first), strict=True))


def _grouped(table: pd.DataFrame, columns: tuple[str, ...]) -> dict[str, Any]:
    """Return image → coordinates (n, columns), lines without coordinates left out."""
    full = table.dropna(subset=list(columns))
    return {str(k): part[list(columns)].to_numpy(float) for k, part in full.groupby("image")}


def boxes(config: EvaluationConfig) -> Prepared:
    """Prepare mean AP over classes, and sensitivity and false positives at the threshold."""
    import pandas as pd

    truth = _placed(config.truth, config, BOX)
    given = _corners(config)
    owner = _owners(config, truth, given)
    classes = sorted(set(truth.dropna(subset=list(BOX)).get(CLASS, pd.Series(["mass"]))))
    matched = {
        kind: _matched(config, _only(truth, kind), _only(given, kind), list(owner))
        for kind in classes
    }
    together = _matched(config, truth, given, list(owner))

    def statistic(cases: Any) -> dict[str, float]:
        precisions = [average_precision([m[k] for k in cases]) for m in matched.values()]
        defined = [p for p in precisions if np.isfinite(p)]
        found = {"map": float(np.mean(defined)) if defined else float("nan")}
        return found | operating_point([together[k] for k in cases], config.threshold)

    fppi, sensitivity = box_froc(together)
    curve = Curve("froc", fppi, sensitivity, "false positives per image", "sensitivity")
    rows = [
        {"image": k, "boxes": b.true, "detected": len(b.score), "right": int(b.right.sum())}
        for k, b in zip(owner, together, strict=True)
    ]
    return Prepared(list(owner.values()), statistic, pd.DataFrame(rows), [curve])


def _corners(config: EvaluationConfig) -> pd.DataFrame:
    """Return detections as x, y of the corner, width, height."""
    table = _detected(config, BOX)
    if not are_results(config):
        return table
    return table.assign(x=table.x - table.width / 2, y=table.y - table.height / 2)


def _only(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    return table[table[CLASS] == kind] if CLASS in table else table


def _matched(
    config: EvaluationConfig, truth: pd.DataFrame, given: pd.DataFrame, images: list[str]
) -> list[ImageBoxes]:
    true, found = _grouped(truth, BOX), _grouped(given, (*BOX, "score"))
    none = np.zeros((0, 4)), np.zeros((0, 5))
    both = [(true.get(k, none[0]), found.get(k, none[1])) for k in images]
    return [match_boxes(t, f[:, :4], f[:, 4], config.overlap, config.overlap_kind) for t, f in both]
