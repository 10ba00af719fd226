"""From a config to measures with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from napari_breastpath.core.errors import UsageError
from napari_breastpath.training.evaluation import image_tasks, object_tasks, table_tasks
from napari_breastpath.training.evaluation.bootstrap import bootstrap
from napari_breastpath.training.evaluation.config import EvaluationConfig
from napari_breastpath.training.evaluation.prepared import Evaluation, Prepared

PREPARE: Final[Mapping[str, Callable[[EvaluationConfig], Prepared]]] = {
    "slides": table_tasks.slides,
    "calibration": table_tasks.calibration,
    "stages": table_tasks.stages,
    "breakhis": table_tasks.breakhis,
    "pixels": image_tasks.pixels,
    "instances": image_tasks.instances,
    "froc": image_tasks.lesions,
    "points": object_tasks.points,
    "boxes": object_tasks.boxes,
}

ALONE: Final = "each case counts as a patient; if some share one, the intervals are too narrow"


def evaluate(config: EvaluationConfig) -> Evaluation:
    """Compare predictions with the truth.

    Parameters
    ----------
    config : EvaluationConfig
        As `load_evaluation` reads it.

    Returns
    -------
    Evaluation
        Measures by name (docs/evaluation.md), each with its bootstrap interval over patients.

    Raises
    ------
    UsageError, ResultError, AnnotationError
        Something that it needs is missing, malformed or contradictory.
    """
    prepared = PREPARE[config.task](config)
    if not len(prepared.patients):
        raise UsageError(config.truth, "holds no case", "give some")
    if len(set(prepared.patients)) == len(prepared.patients):
        prepared = replace(prepared, notes=(*prepared.notes, ALONE))
    options = config.bootstrap, config.confidence, config.seed
    measures = bootstrap(prepared.statistic, prepared.patients, *options)
    return Evaluation(config.task, measures, prepared)
