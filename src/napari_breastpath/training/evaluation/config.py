"""What an evaluation is asked to do, as `breastpath evaluate CONFIG.toml` reads it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from napari_breastpath.core.errors import UsageError
from napari_breastpath.training.evaluation.box_measures import OVERLAP, RATIOS
from napari_breastpath.training.evaluation.breakhis import AGGREGATIONS
from napari_breastpath.training.evaluation.calibration import BINS
from napari_breastpath.training.evaluation.point_measures import DISTANCE_UM
from napari_breastpath.training.toml import build, read_toml

TASKS: Final = (
    "slides",
    "calibration",
    "stages",
    "breakhis",
    "pixels",
    "instances",
    "froc",
    "points",
    "boxes",
)
ADVICE: Final = "correct it; docs/evaluation.md lists every key"


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """One evaluation; paths may hold one `*`, and truth and predictions pair by what it stands for.

    Attributes
    ----------
    task : str
        One of `TASKS`.
    truth : str
        A CSV, or a pattern of images or annotation files.
    predictions : tuple of str
        A CSV, a pattern of images, or patterns of result folders.
    nodes : str
        `stages` from results: CSV patient, slide[, node].
    columns : dict of str to str
        Name of a column as it is here → its name in the files.
    patient : str
        Regular expression that finds the patient in a file's name (its first group, if it has
        one); by default the column `patient`, else every case is a patient of its own.
    row : {'model', 'corrected'}
        Results: the model's own, or as corrected by hands.
    axis : {'measured', 'predicted'}
        Results: the measured major axis, or the one that the second stage predicts.
    threshold : float
        Scores over it are called positive.
    mpp : tuple of float
        µm/px (x, y) of masks and of the points' coordinates.
    scale : float
        `froc`: pixels of the detections' coordinates per pixel of the truth masks.
    values : tuple of int
        Label values that count as positive; by default all but 0.
    within : {'slide', 'tissue'}
        `pixels` of results: where pixels are counted.
    missing_truth : {'error', 'empty'}
        What a slide without a truth file is: a fault, or free of tumour.
    distance_um, apart_um : float
        `points`: farthest that a pair may be; `froc` of results: nearest that two peaks may be.
    overlap, overlap_kind
        `boxes`: least overlapping ratio, and which one.
    aggregations : tuple of str
        `breakhis`: how patches become images.
    bins : int
    bootstrap : int
        Replicates over patients; 0 is none.
    confidence : float
    seed : int
    """

    task: str
    predictions: tuple[str, ...]
    truth: str = ""
    nodes: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    patient: str = ""
    row: str = "model"
    axis: str = "measured"
    threshold: float = 0.5
    mpp: tuple[float, ...] = (1.0,)
    scale: float = 1.0
    values: tuple[int, ...] = ()
    within: str = "slide"
    missing_truth: str = "error"
    distance_um: float = DISTANCE_UM
    apart_um: float = 150.0
    overlap: float = OVERLAP
    overlap_kind: str = "iou"
    aggregations: tuple[str, ...] = tuple(AGGREGATIONS)
    bins: int = BINS
    bootstrap: int = 1000
    confidence: float = 0.95
    seed: int = 0

    @property
    def mpp_xy(self) -> tuple[float, float]:
        """µm/px in x and y."""
        return self.mpp[0], self.mpp[-1]


def load_evaluation(path: Path | str) -> EvaluationConfig:
    """Read an evaluation's TOML; its relative paths are relative to the file's folder.

    Raises
    ------
    UsageError
        Unreadable, or a key that is unknown, missing or holds what it must not.
    """
    path = Path(path)
    config = build(EvaluationConfig, read_toml(path, ADVICE), path, ADVICE)
    _check(config, path)
    return _anchored(config, path.absolute().parent)


def _check(c: EvaluationConfig, path: Path) -> None:
    allowed: dict[str, tuple[Any, tuple[str, ...]]] = {
        "task": (c.task, TASKS),
        "row": (c.row, ("model", "corrected")),
        "axis": (c.axis, ("measured", "predicted")),
        "within": (c.within, ("slide", "tissue")),
        "missing_truth": (c.missing_truth, ("error", "empty")),
        "overlap_kind": (c.overlap_kind, RATIOS),
    }
    several = [("aggregations", (each, tuple(AGGREGATIONS))) for each in c.aggregations]
    for key, (value, words) in (*allowed.items(), *several):
        if value not in words:
            raise UsageError(path, f"`{key}` must be one of {', '.join(words)}", ADVICE)
    rules = {
        "predictions": bool(c.predictions),
        "truth": bool(c.truth) or c.task == "breakhis",
        "mpp": len(c.mpp) in (1, 2) and min(c.mpp) > 0,
        "confidence": 0 < c.confidence < 1,
        "bootstrap": c.bootstrap >= 0,
        **{key: getattr(c, key) > 0 for key in ("scale", "distance_um", "apart_um", "bins")},
    }
    for key, holds in rules.items():
        if not holds:
            raise UsageError(path, f"`{key}` must not be {getattr(c, key)!r}", ADVICE)


def _anchored(config: EvaluationConfig, folder: Path) -> EvaluationConfig:
    def anchor(text: str) -> str:
        return str(folder / Path(text).expanduser()) if text else text

    predictions = tuple(map(anchor, config.predictions))
    return replace(
        config,
        truth=anchor(config.truth),
        nodes=anchor(config.nodes),
        predictions=predictions,
    )
