"""A result in the formats that other programs read."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.exchange.formats import FORMATS
from napari_breastpath.results import Result


def _writer(to: str) -> Callable[..., None]:
    module, function = FORMATS[to].writer.split(":")
    found: Any = importlib.import_module(f"napari_breastpath.exchange.{module}")
    writer: Callable[..., None] = getattr(found, function)
    return writer


def _options(to: str, **wanted: bool) -> dict[str, bool]:
    """Return the options that are on; `UsageError` for one that the format does not know."""
    on = {name: True for name, value in wanted.items() if value}
    for name in on:
        if FORMATS[to].option != name:
            knowing = [other for other in FORMATS if FORMATS[other].option == name]
            advice = f"leave it out, or use --to {' or '.join(knowing)}"
            raise UsageError("export", f"{to} has no --{name}", advice)
    return on


def export_result(
    result: Result, to: str, path: Path, *, fractional: bool = False, objects: bool = False
) -> None:
    """Write a result in one format, all of it or nothing.

    Parameters
    ----------
    result : Result
        Measured, that is: of a run that came to its end.
    to : str
        A key of `formats.FORMATS`.
    path : Path
        File to write; a folder for `ome-zarr`.
    fractional : bool, by default False
        `dicom-seg` only: the probabilities instead of the mask.
    objects : bool, by default False
        `csv` and `parquet` only: a row per object instead of per region.

    Raises
    ------
    ResultError
        The result has not been measured, does not hold what the format needs, or the file cannot be
        written.
    UsageError
        No such format, or an option that it does not know.
    """
    if to not in FORMATS:
        raise UsageError("export", f"no format {to!r}", f"choose of {', '.join(FORMATS)}")
    options = _options(to, fractional=fractional, objects=objects)
    if "regions" not in result.record:
        cause = f"not measured yet, its status is {result.status}"
        raise ResultError(result.path, cause, "run `breastpath analyze` to its end")
    try:
        _writer(to)(result, path, **options)
    except OSError as error:
        raise ResultError(path, f"cannot be written ({error})", "choose another --out") from error
