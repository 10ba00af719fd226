"""What an evaluation is asked to do, as `breastpath evaluate CONFIG.toml` reads it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

from napari_breastpath.core.errors import UsageError
from napari_breastpath.training.evaluation.box_measures import OVERLAP, RATIOS
from napari_breastpath.training.evaluation.breakhis import AGGREGATIONS
from napari_breastpath.training.evaluation.calibration import BINS
from napari_breastpath.training.evaluation.point_measures import DISTANCE_UM

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
_WORDS = {str: "a text", int: "a whole number", float: "a number", dict: "a table of texts"}


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
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(path, f"cannot be read ({error.strerror})", "give a TOML file") from error
    except ValueError as error:
        raise UsageError(path, f"is no TOML ({error})", ADVICE) from error
    config = _build(values, path)
    _check(config, path)
    return _anchored(config, path.absolute().parent)


def _build(values: Mapping[str, Any], path: Path) -> EvaluationConfig:
    hints = get_type_hints(EvaluationConfig)
    for key in values:
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1)
            hint = f" (`{near[0]}`?)" if near else ""
            raise UsageError(path, f"`{key}` is unknown{hint}", ADVICE)
    for each in fields(EvaluationConfig):
        if each.name not in values and each.default is each.default_factory is MISSING:
            raise UsageError(path, f"`{each.name}` is missing", ADVICE)
    return EvaluationConfig(**{key: _value(hints[key], v, path, key) for key, v in values.items()})


def _value(kind: Any, value: Any, path: Path, key: str) -> Any:
    if get_origin(kind) is tuple:
        several = value if isinstance(value, list) else [value]
        return tuple(_value(get_args(kind)[0], each, path, key) for each in several)
    plain = get_origin(kind) or kind
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, plain) or isinstance(value, bool):
        raise UsageError(path, f"`{key}` must be {_WORDS[plain]}, not {value!r}", ADVICE)
    if plain is dict:
        return {name: _value(str, each, path, f"{key}.{name}") for name, each in value.items()}
    return value


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
