"""A result in the formats that other programs read."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.exchange.geojson import result_provenance
from napari_breastpath.results import Result
from napari_breastpath.results.files import whole
from napari_breastpath.results.folder import GEOJSON


def _geojson(result: Result, path: Path) -> None:
    source = _written(result, GEOJSON)
    with whole(path) as draft:
        shutil.copyfile(source, draft)


def _geojson_gz(result: Result, path: Path) -> None:
    source = _written(result, GEOJSON)
    with (
        source.open("rb") as plain,
        whole(path) as draft,
        draft.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
    ):
        shutil.copyfileobj(plain, packed)


def _csv(result: Result, path: Path) -> None:
    table, slide = result.regions, result.record["slide"]
    facts = {
        "slide": Path(slide["path"]).name,
        "mpp_x_um": slide["mpp_x"],
        "mpp_y_um": slide["mpp_y"],
        "mpp_source": slide["mpp_source"],
    } | result_provenance(result)
    with whole(path) as draft:
        table.assign(**facts).to_csv(draft, index=False)


FORMATS: dict[str, Callable[[Result, Path], None]] = {
    "geojson": _geojson,
    "geojson.gz": _geojson_gz,
    "csv": _csv,
}


def _written(result: Result, name: str) -> Path:
    path = result.path / name
    if not path.is_file():
        raise ResultError(result.path, f"no {name} yet", f"status is {result.status}; analyse it")
    return path


def export_result(result: Result, to: str, path: Path) -> None:
    """Write a result's regions to one file, all of it or nothing.

    Parameters
    ----------
    result : Result
    to : str
        A key of `FORMATS`: `geojson` (QuPath), `geojson.gz` or `csv` (regions.csv with columns of
        provenance).
    path : Path

    Raises
    ------
    ResultError
        The result has not been measured, or the file cannot be written.
    UsageError
        No such format.
    """
    if to not in FORMATS:
        raise UsageError("export", f"no format {to!r}", f"choose of {', '.join(FORMATS)}")
    try:
        FORMATS[to](result, path)
    except OSError as error:
        raise ResultError(path, f"cannot be written ({error})", "choose another --out") from error
