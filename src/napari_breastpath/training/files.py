"""Which files belong together, and whose they are."""

from __future__ import annotations

import csv
import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from napari_breastpath.core.errors import UsageError
from napari_breastpath.training.source_config import SourceConfig


@dataclass(frozen=True, slots=True)
class Pair:
    """An image, its labels, its patient and its row of the source's table."""

    image: Path
    labels: Path | None
    patient: str
    row: dict[str, str] = field(default_factory=dict)


def find_pairs(source: SourceConfig) -> list[Pair]:
    """Return the files of a source, in order of their names.

    Raises
    ------
    UsageError
        There are none, an image has no labels, or its patient cannot be told.
    """
    rows = _table(source)
    pairs = [_pair(source, image, text, rows) for image, text in _matches(source)]
    if not pairs:
        advice = "give a pattern such as images/*.png"
        raise UsageError(source.images, f"matches no file of source {source.title}", advice)
    return pairs


def _matches(source: SourceConfig) -> Iterator[tuple[Path, str]]:
    """Yield each image and what its `*` stands for."""
    pattern = source.images
    if "*" not in pattern:
        if os.path.exists(pattern):
            yield Path(pattern), ""
        return
    before, _, after = pattern.partition("*")
    if "*" in after:
        raise UsageError(pattern, "has more than one *", "give one * in images, and in labels")
    for path in sorted(glob.glob(glob.escape(before) + "*" + glob.escape(after))):
        yield Path(path), path[len(before) : len(path) - len(after) or None]


def _pair(
    source: SourceConfig, image: Path, text: str, rows: dict[str, dict[str, str]] | None
) -> Pair:
    row = {} if rows is None else rows.get(image.name, {})
    if rows is not None and not row:
        raise UsageError(source.table, f"has no row for {image.name}", "add it, or narrow images")
    labels = Path(source.labels.replace("*", text)) if source.labels else None
    if labels is not None and not labels.exists():
        raise UsageError(image, f"its labels {labels} are not there", "correct `labels`")
    return Pair(image, labels, patient_of(source, image, row), row)


def patient_of(source: SourceConfig, image: Path, row: dict[str, str]) -> str:
    """Return whose image it is: as named, by the table, by the expression, else the file's name."""
    if source.whose:
        return source.whose
    if source.patient_column:
        return _cell(source, row, source.patient_column)
    if not source.patient:
        return image.name
    try:
        found = re.search(source.patient, image.name)
    except re.error as error:
        advice = "give a regular expression"
        raise UsageError(f"patient = {source.patient!r}", f"is none ({error})", advice) from error
    if found is None:
        cause = f"no patient in its name by {source.patient!r}"
        raise UsageError(image, cause, "correct `patient`")
    return found[1] if found.groups() else found[0]


def class_of(source: SourceConfig, pair: Pair) -> str:
    """Return the class of an image: by the table's column, else its folder's name."""
    if source.class_column:
        return _cell(source, pair.row, source.class_column)
    return pair.image.parent.name


def _cell(source: SourceConfig, row: dict[str, str], column: str) -> str:
    if column not in row:
        raise UsageError(source.table or source.title, f"has no column {column}", "correct it")
    return row[column]


def _table(source: SourceConfig) -> dict[str, dict[str, str]] | None:
    if not source.table:
        return None
    try:
        with open(source.table, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        cause = f"cannot be read ({error.strerror})"
        raise UsageError(source.table, cause, "give a CSV") from error
    if rows and source.file_column not in rows[0]:
        raise UsageError(source.table, f"has no column {source.file_column}", "set file_column")
    return {Path(row[source.file_column]).name: row for row in rows}
