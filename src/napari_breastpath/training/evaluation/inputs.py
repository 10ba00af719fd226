"""What an evaluation reads: tables, images, result folders, and which belong together."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.results import Result, load_result
from napari_breastpath.results.folder import SUFFIX
from napari_breastpath.training.evaluation.config import EvaluationConfig

if TYPE_CHECKING:
    import pandas as pd

Labels: TypeAlias = NDArray[np.integer]
CHECK = "correct the pattern"


def matches(pattern: str) -> dict[str, Path]:
    """Return the files of a pattern by what its one `*` stands for; a plain path by its stem."""
    if "*" not in pattern:
        path = Path(pattern)
        if not path.exists():
            raise UsageError(pattern, "is not there", CHECK)
        return {path.stem: path}
    before, _, after = pattern.partition("*")
    if "*" in after:
        raise UsageError(pattern, "has more than one *", "give one")
    found = sorted(glob.glob(glob.escape(before) + "*" + glob.escape(after)))
    if not found:
        raise UsageError(pattern, "matches no file", CHECK)
    return {path[len(before) : len(path) - len(after) or None]: Path(path) for path in found}


def pairs(truth: str, predictions: str) -> list[tuple[str, Path, Path]]:
    """Return (name, truth, prediction) of every pair; `UsageError` where one lacks the other."""
    wanted, given = matches(truth), matches(predictions)
    if "*" not in truth and "*" not in predictions:
        return [(next(iter(wanted)), *wanted.values(), *given.values())]  # type: ignore[list-item]
    odd = sorted(set(wanted) ^ set(given))
    if odd:
        cause = f"has no prediction for {odd[0]}" if odd[0] in wanted else f"lacks {odd[0]}"
        raise UsageError(truth, f"{cause} ({len(odd)} without partner)", CHECK)
    return [(name, path, given[name]) for name, path in wanted.items()]


def are_results(config: EvaluationConfig) -> bool:
    """Tell whether the predictions are result folders."""
    return all(path.rstrip("/").endswith(SUFFIX) for path in config.predictions)


def results_of(config: EvaluationConfig) -> dict[str, Result]:
    """Return finished results by the file name of their slide."""
    found: dict[str, Result] = {}
    for pattern in config.predictions:
        for path in matches(pattern.rstrip("/")).values():
            result = load_result(path)
            if result.status not in ("complete", "incomplete"):
                raise UsageError(path, f"its status is {result.status}", "analyse its slide again")
            if found.setdefault(result.slide_path.name, result) is not result:
                raise UsageError(path, "is a second result of its slide", "give one of them")
    return found


def read_texts(path: str | Path, advice: str) -> pd.DataFrame:
    """Read a CSV as texts without blanks around them; `UsageError` where it cannot be read."""
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(path, f"cannot be read ({error})", advice) from error
    table.columns = table.columns.str.strip()
    return table.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)


def line_of(flags: pd.Series) -> int:
    """Return the line in the file of the first flagged row."""
    return int(np.argmax(flags.to_numpy())) + 2


def check_filled(path: str | Path, table: pd.DataFrame, names: Iterable[str]) -> None:
    """Refuse empty cells in those of the named columns that a table has."""
    for name in sorted(set(names) & set(table.columns)):
        if (empty := table[name].isna() | (table[name] == "")).any():
            raise UsageError(path, f"line {line_of(empty)} has no {name}", "complete it")


def read_cases(
    path: str, config: EvaluationConfig, needed: Sequence[str], numbers: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a CSV as `read_table` does; `UsageError` where it holds no line."""
    table = read_table(path, config, needed, numbers)
    if table.empty:
        raise UsageError(path, "holds no line", "give the cases")
    return table


def read_table(
    path: str, config: EvaluationConfig, needed: Sequence[str], numbers: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a CSV, its columns renamed by `config.columns`.

    Parameters
    ----------
    path : str
    config : EvaluationConfig
    needed : sequence of str
        Columns that must be there.
    numbers : sequence of str
        Columns that, where they are there, hold numbers or nothing.

    Raises
    ------
    UsageError
        Unreadable, a column is missing, or no number where one must be, with its line.
    """
    import pandas as pd

    table = read_texts(path, "give a CSV")
    renamed = {theirs: ours for ours, theirs in config.columns.items() if theirs in table}
    table = table.drop(columns=set(renamed.values()) - set(renamed), errors="ignore")
    table = table.rename(columns=renamed)
    if lacking := [name for name in needed if name not in table]:
        raise UsageError(path, f"no column {' or '.join(lacking)}", "name it under [columns]")
    check_filled(path, table, {*needed, "patient"} - set(numbers))
    for name in set(numbers) & set(table.columns):
        values = pd.to_numeric(table[name], errors="coerce")
        if (wrong := (values.isna() | np.isinf(values)) & table[name].notna()).any():
            cause = f"line {line_of(wrong)}: {name} is no number"
            raise UsageError(path, cause, "correct it")
        table[name] = values
    return table


def flags(path: str, column: pd.Series) -> NDArray[np.bool_]:
    """Return a column of 0 and 1 as booleans; `UsageError` for anything else."""
    if not column.isin(("0", "1")).all():
        raise UsageError(path, f"{column.name} must be 0 or 1 everywhere", "correct it")
    return (column == "1").to_numpy(bool)


def patients(
    config: EvaluationConfig, names: Iterable[str], table: pd.DataFrame | None = None
) -> list[str]:
    """Return the patient of each case: by expression, by column, or each its own."""
    given = list(names)
    if config.patient:
        return [_found(config.patient, name) for name in given]
    if table is not None and "patient" in table:
        return [str(each) for each in table["patient"]]
    return given


def _found(pattern: str, name: str) -> str:
    try:
        found = re.search(pattern, name)
    except re.error as error:
        raise UsageError(
            f"patient = {pattern!r}", f"is no expression ({error})", "correct it"
        ) from None
    if found is None:
        raise UsageError(name, f"no patient in its name by {pattern!r}", "correct `patient`")
    return found[1] if found.groups() else found[0]


def read_image(path: Path) -> Labels:
    """Read a label or mask image (y, x); grey may be stored as equal colours, with alpha or not."""
    import tifffile
    from PIL import Image

    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            image = tifffile.imread(path)
        else:
            image = np.asarray(Image.open(path))
    except Exception as error:  # a damaged file may raise anything
        cause = f"cannot be read ({type(error).__name__}: {error})"
        raise UsageError(path, cause, "give PNG or TIFF images") from error
    if image.ndim == 3 and image.shape[2] <= 4:
        image = _one_channel(image)
    if image.ndim != 2:
        raise UsageError(path, f"is of shape {image.shape}", "give images (y, x)")
    return np.asarray(image).astype(np.int64) if image.dtype.kind in "biu" else (image > 0)


def _one_channel(image: NDArray[Any]) -> NDArray[Any]:
    """Return grey of (y, x, channels), unchanged where the colours differ."""
    colours = image[..., : 1 if image.shape[2] <= 2 else 3]
    return image[..., 0] if (colours == colours[..., :1]).all() else image


def positive(image: Labels, values: Sequence[int]) -> NDArray[np.bool_]:
    """Return where an image holds one of `values`, or anything but 0 where none are named."""
    found: Any = np.isin(image, values) if values else image != 0
    return np.asarray(found, dtype=bool)


def same_shape(truth: Path, a: Labels, b: Labels) -> None:
    """Refuse two images of different shapes."""
    if a.shape != b.shape:
        raise UsageError(truth, f"is {a.shape}, its prediction {b.shape}", "give them alike")


def by_slide(truth: Mapping[str, Path], slide: str) -> Path | None:
    """Return the truth file of a slide, by its name with or without ending."""
    return truth.get(slide) or truth.get(Path(slide).stem)
