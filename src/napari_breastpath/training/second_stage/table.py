"""Features and labels, joined: one row per slide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure import FEATURE_NAMES
from napari_breastpath.results import Result, load_result
from napari_breastpath.results.folder import RECORD
from napari_breastpath.training.evaluation.inputs import check_filled, line_of, read_texts

if TYPE_CHECKING:
    import pandas as pd

Floats: TypeAlias = NDArray[np.float64]
LABEL_COLUMNS = ("slide", "patient", "metastasis")
AXIS_COLUMN = "major_axis_mm"
ADVICE = "columns slide, patient, metastasis (0 or 1) and, where known, major_axis_mm"


@dataclass(frozen=True, slots=True)
class Samples:
    """Slides with features and labels, n of them.

    Attributes
    ----------
    slides, patients : tuple of str
    features : ndarray of float, shape (n, 28)
        In the order of `FEATURE_NAMES`.
    metastasis : ndarray of bool, shape (n,)
    axis_mm : ndarray of float, shape (n,)
        NaN unknown; 0 where there is no metastasis.
    model : dict
        `name`, `sha256` and `folder` of the network that the features come from; empty for CSVs.
    notes : tuple of str
        What was left out, and why.
    """

    slides: tuple[str, ...]
    patients: tuple[str, ...]
    features: Floats
    metastasis: NDArray[np.bool_]
    axis_mm: Floats
    model: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def subset(self, chosen: NDArray[Any]) -> Samples:
        """Return some of the slides, by index or mask."""
        rows = np.arange(len(self.slides))[chosen]
        return replace(
            self,
            slides=tuple(self.slides[k] for k in rows),
            patients=tuple(self.patients[k] for k in rows),
            features=self.features[rows],
            metastasis=self.metastasis[rows],
            axis_mm=self.axis_mm[rows],
        )


def read_samples(features: Sequence[Path], labels: Path, row: str = "model") -> Samples:
    """Read features and labels and join them by slide.

    Parameters
    ----------
    features : sequence of Path
        Result folders, or CSVs with a column `slide` and the 28 features.
    labels : Path
        CSV with the columns slide, patient, metastasis (0 or 1) and optionally major_axis_mm.
        Slides are matched by file name, else by file name without its ending.
    row : {'model', 'corrected'}
        Which of a result's features.

    Raises
    ------
    UsageError
        A column or number is missing, a slide occurs twice, results are of different models, or
        no slide has both features and labels.
    """
    table, model = collect_features(features, row)
    given = _read_labels(labels)
    keys = _matching(list(given.index), list(table.index))
    known = given[[k is not None for k in keys]]
    chosen = [k for k in keys if k is not None]
    if not chosen:
        raise UsageError(labels, "names none of the slides that have features", ADVICE)
    notes = _left_out(len(given) - len(known), "labelled slides have no features")
    notes += _left_out(len(table) - len(set(chosen)), "slides with features have no label")
    return Samples(
        tuple(known.index),
        tuple(known["patient"]),
        table.loc[chosen].to_numpy(float),
        known["metastasis"].to_numpy(bool),
        known[AXIS_COLUMN].to_numpy(float),
        model,
        tuple(notes),
    )


def _left_out(count: int, words: str) -> list[str]:
    return [f"{count} {words} and are left out"] if count else []


def _matching(wanted: list[str], known: list[str]) -> list[str | None]:
    """Return for each wanted slide the name it has among the known ones."""
    stems: dict[str, list[str]] = {}
    for name in known:
        stems.setdefault(Path(name).stem, []).append(name)
    found = [name if name in known else _one(name, stems) for name in wanted]
    for name in known:
        if found.count(name) > 1:
            raise UsageError(name, "is named by two labels", "keep one of the lines")
    return found


def _one(name: str, stems: Mapping[str, list[str]]) -> str | None:
    """Return the only known slide whose name without its ending is `name`'s."""
    found = stems.get(Path(name).stem, [])
    if len(found) > 1:
        raise UsageError(name, f"may be {' or '.join(found)}", "give the whole file name")
    return found[0] if found else None


def collect_features(
    paths: Iterable[Path], row: str = "model"
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the features of many results and CSVs, indexed by slide, and the model they are of."""
    import pandas as pd

    parts, models = [], {}
    for path in paths:
        if (path / RECORD).is_file():
            result = load_result(path)
            parts.append(_of_result(result, row))
            models[result.record["model"]["sha256"]] = result.record["model"]
        else:
            parts.append(_of_csv(path))
    if len(models) > 1:
        names = ", ".join(sorted(f"{m['name']} {key[:8]}" for key, m in models.items()))
        raise UsageError("features", f"come from different models ({names})", "give one model's")
    table = pd.concat(parts)
    _check_table(table)
    model: dict[str, Any] = next(iter(models.values()), {})
    return table, {key: str(model[key]) for key in ("name", "sha256", "folder") if key in model}


def _of_result(result: Result, row: str) -> pd.DataFrame:
    if not result.is_measured:
        raise UsageError(result.path, f"its status is {result.status}", "analyse its slide again")
    table = _with_features(result.path, result.features.loc[[row]])
    table.index = [result.slide_path.name]
    return table


def _of_csv(path: Path) -> pd.DataFrame:
    table = read_csv(path, ("slide",), "give a result folder or a CSV of features")
    return _with_features(path, table.set_index("slide"))


def _with_features(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    lacking = [name for name in FEATURE_NAMES if name not in table.columns]
    if lacking:
        cause = f"lacks {len(lacking)} of the 28 features ({lacking[0]} first)"
        raise UsageError(path, cause, "give features.csv's columns")
    return table[list(FEATURE_NAMES)]


def _check_table(table: pd.DataFrame) -> None:
    if doubles := sorted(set(table.index[table.index.duplicated()])):
        raise UsageError(doubles[0], "has features twice", "give each slide once")
    import pandas as pd

    numbers = table.apply(pd.to_numeric, errors="coerce")
    bad = np.argwhere(~np.isfinite(numbers.to_numpy(float)))
    if len(bad):
        slide, name = table.index[bad[0][0]], table.columns[bad[0][1]]
        raise UsageError(slide, f"its feature {name} is no number", "measure the slide again")


def read_csv(path: Path, columns: Sequence[str], advice: str) -> pd.DataFrame:
    """Read a CSV as text, names without surrounding blanks; `UsageError` where columns lack."""
    table = read_texts(path, advice)
    if lacking := [name for name in columns if name not in table.columns]:
        raise UsageError(path, f"no column {' or '.join(lacking)}", advice)
    if table.empty:
        raise UsageError(path, "holds no line", advice)
    return table


def _read_labels(path: Path) -> pd.DataFrame:
    import pandas as pd

    table = read_csv(path, LABEL_COLUMNS, ADVICE)
    check_filled(path, table, LABEL_COLUMNS)
    wrong = ~table["metastasis"].isin(("0", "1"))
    if wrong.any():
        raise UsageError(path, f"line {line_of(wrong)}: metastasis must be 0 or 1", ADVICE)
    if table["slide"].duplicated().any():
        line = line_of(table["slide"].duplicated())
        raise UsageError(path, f"line {line} names a slide again", "keep one of the lines")
    positive = table["metastasis"] == "1"
    axis = table[AXIS_COLUMN] if AXIS_COLUMN in table else pd.Series(np.nan, table.index)
    table[AXIS_COLUMN] = _axis_mm(path, axis, positive)
    return table.assign(metastasis=positive).set_index("slide")


def _axis_mm(path: Path, column: pd.Series, positive: pd.Series) -> pd.Series:
    """Return lengths in mm: NaN where none is given, 0 by definition without a metastasis."""
    import pandas as pd

    axis = pd.to_numeric(column, errors="coerce").where(positive | column.notna(), 0.0)
    wrong = (axis.isna() & column.notna()) | (axis < 0) | np.isinf(axis) | (~positive & (axis > 0))
    wrong |= positive & (axis == 0)
    if wrong.any():
        cause = f"line {line_of(wrong)}: {AXIS_COLUMN} must be over 0 with a metastasis, 0 without"
        raise UsageError(path, cause, "correct it, or leave it empty")
    return axis
