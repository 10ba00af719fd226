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


def export_result(result: Result, to: str, path: Path, *, fractional: bool = False) -> None:
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

    Raises
    ------
    ResultError
        The result has not been measured, does not hold what the format needs, or the file cannot be
        written.
    UsageError
        No such format, or `fractional` for another one than `dicom-seg`.
    """
    if to not in FORMATS:
        raise UsageError("export", f"no format {to!r}", f"choose of {', '.join(FORMATS)}")
    if fractional and to != "dicom-seg":
        raise UsageError("export", f"{to} is never fractional", "use --to dicom-seg")
    if "regions" not in result.record:
        cause = f"not measured yet, its status is {result.status}"
        raise ResultError(result.path, cause, "run `breastpath analyze` to its end")
    options = {"fractional": True} if fractional else {}
    try:
        _writer(to)(result, path, **options)
    except OSError as error:
        raise ResultError(path, f"cannot be written ({error})", "choose another --out") from error
