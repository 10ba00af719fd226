"""Regions as GeoJSON that QuPath reads right.

Source of the format: QuPath's QuPathTypeAdapters, GsonTools and PathIO (qupath-core). What it asks
for: `objectType`, `name`, `classification`, `measurements` and `metadata` inside `properties`; a
`color` in every classification; UUIDs; numbers only as measurements and strings only as metadata;
holes as interior rings; level-0 pixels from the corner of the image as QuPath shows it.
"""

from __future__ import annotations

import gzip
import json
import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_breastpath.core.errors import ResultError
from napari_breastpath.measure import LabelImage, Regions, region_polygons
from napari_breastpath.measure.categories import TUMOUR_ROLES
from napari_breastpath.measure.outline import Polygon
from napari_breastpath.results import Result
from napari_breastpath.results.files import whole
from napari_breastpath.results.folder import GEOJSON

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "napari-breastpath/region")
COORDINATE_ORIGIN: Final = (
    "outer top-left corner of level-0 pixel (0, 0), inside the slide's bounds"
)
HEAD: Final = b'{"type": "FeatureCollection", "features": ['
QUPATH_TUMOUR, TUMOUR_RGB = "Tumor", (200, 0, 0)
GZIP_LEVEL: Final = 6  # level 9 packs nuclei 0.4 % smaller in more than twice the time
DECIMALS: Final = 2  # of a level-0 pixel, as QuPath itself writes
MEASUREMENTS: Final = {
    "area_mm2": "Area mm^2",
    "feret_max_mm": "Longest Feret mm",
    "feret_min_mm": "Shortest Feret mm",
    "feret_x1": "Longest Feret x1 px",
    "feret_y1": "Longest Feret y1 px",
    "feret_x2": "Longest Feret x2 px",
    "feret_y2": "Longest Feret y2 px",
    "major_axis_mm": "Major axis (moments) mm",
    "minor_axis_mm": "Minor axis (moments) mm",
    "perimeter_mm": "Perimeter (Crofton) mm",
    "max_probability": "Max probability",
    "mean_probability": "Mean probability",
}
FACTS: Final = (
    "region_id",
    "class",
    "piece",
    "category",
    "below_cell_size",
    "touches_edge",
    "touches_unread",
    "edited",
)


def qupath_name(name: str, role: str) -> str:
    """Return QuPath's name of a class: its standard `Tumor` for the roles tumour and invasive."""
    return QUPATH_TUMOUR if role in TUMOUR_ROLES else name


def classification(name: str, classes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return QuPath's classification of a class, which must have a colour."""
    known = next((kind for kind in classes if kind["name"] == name), None)
    if known is None:
        return {"name": name, "color": list(TUMOUR_RGB)}
    return {"name": qupath_name(name, known["role"]), "color": [int(v) for v in known["color"]]}


def _listed(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _coordinates(ring: NDArray[np.float64]) -> str:
    """Return a ring's points as JSON; `%r` writes a number as JSON does."""
    rounded = ring.round(DECIMALS)
    whole_numbers = rounded.astype(np.int64)
    exact = (rounded == whole_numbers).all()
    numbers = (whole_numbers if exact else rounded).ravel().tolist()
    return _listed(["[%r, %r]"] * len(ring)) % tuple(numbers)


def _geometry(polygons: Iterable[Polygon]) -> tuple[str, str]:
    """Return the type of a geometry and its coordinates as JSON."""
    parts = [_listed(map(_coordinates, polygon)) for polygon in polygons]
    return ("Polygon", parts[0]) if len(parts) == 1 else ("MultiPolygon", _listed(parts))


def _metadata(row: Mapping[str, Any], provenance: Mapping[str, str]) -> dict[str, str]:
    facts = ((name, row[name]) for name in FACTS if name in row)
    # What differs from itself is NaN.
    words = {name: str(v) for name, v in facts if v == v and v not in (None, "")}
    return {**words, "coordinate_origin": COORDINATE_ORIGIN, **provenance}


def _measurements(row: Mapping[str, Any]) -> dict[str, float]:
    values = ((title, float(row[name])) for name, title in MEASUREMENTS.items() if name in row)
    return {title: value for title, value in values if math.isfinite(value)}


def _feature(
    row: Mapping[str, Any],
    polygons: Sequence[Polygon],
    kind: Mapping[str, Any],
    fingerprint: str,
    provenance: Mapping[str, str],
) -> str:
    (shape, coordinates), name = _geometry(polygons), str(row["class"])
    properties = {
        "objectType": "annotation",
        "name": f"{name} {row['region_id']}",
        "classification": kind,
        "measurements": _measurements(row),
        "metadata": _metadata(row, provenance),
    }
    identity = uuid.uuid5(NAMESPACE, f"{fingerprint}/{name}/{coordinates}")
    return (
        f'{{"type": "Feature", "id": "{identity}", '
        f'"geometry": {{"type": "{shape}", "coordinates": {coordinates}}}, '
        f'"properties": {as_json(properties)}}}'
    )


def as_json(value: Mapping[str, Any]) -> str:
    """Return a GeoJSON object as text; `ValueError` where a number is not finite."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def features(
    labels: LabelImage,
    table: pd.DataFrame,
    step: tuple[float, float],
    classes: Sequence[Mapping[str, Any]],
    *,
    fingerprint: str = "",
    provenance: Mapping[str, str] | None = None,
    origin: tuple[float, float] = (0.0, 0.0),
) -> Iterator[str]:
    """Yield one GeoJSON Feature, as text, per row of a table of regions, in its order.

    Parameters
    ----------
    labels : ndarray of int, shape (y, x)
        `region_id` of every pixel, 0 elsewhere; read by rows, so `Regions.image` does.
    table : DataFrame
        As `measure_regions` gives it. NaN is left out.
    step, origin : (x, y)
        Level-0 px per pixel of `labels`, and the level-0 place of its outer top-left corner.
    classes : sequence of mapping
        `name`, `color` (r, g, b) and `role`, as in model.json.
    fingerprint : str
        The slide's. Ids follow from it, the class and the outline alone, so that a region that did
        not change keeps its id.
    provenance : mapping of str to str, optional
        Goes into the `metadata` of every region.
    """
    polygons = region_polygons(labels, step, origin)
    columns = {str(name): column.tolist() for name, column in table.items()}
    kinds = {name: classification(name, classes) for name in map(str, set(columns["class"]))}
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        outline = polygons.pop(int(row["region_id"]))
        yield _feature(row, outline, kinds[str(row["class"])], fingerprint, provenance or {})


@contextmanager
def opened(draft: Path, compressed: bool) -> Iterator[IO[bytes]]:
    """Open a file for writing; gzip without name or time, so that equal content is equal bytes."""
    with draft.open("wb") as file:
        if not compressed:
            yield file
            return
        with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed:
            yield packed  # type: ignore[misc]


def write_features(write: Callable[[bytes], object], items: Iterable[str]) -> None:
    """Hand a FeatureCollection to `write` (a binary file's), Feature by Feature (text)."""
    write(HEAD)
    separator = "\n"
    for item in items:
        write(f"{separator}{item}".encode())
        separator = ",\n"
    write(b"\n]}\n")


def write_geojson(
    path: Path,
    labels: LabelImage,
    table: pd.DataFrame,
    step: tuple[float, float],
    classes: Sequence[Mapping[str, Any]],
    *,
    fingerprint: str = "",
    provenance: Mapping[str, str] | None = None,
    origin: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Write regions as GeoJSON, compressed when the name ends in `.gz`; all of it or nothing.

    The parameters are those of `features`. The same input gives the same bytes.
    """
    items = features(
        labels, table, step, classes, fingerprint=fingerprint, provenance=provenance, origin=origin
    )
    with whole(Path(path)) as draft, opened(draft, Path(path).suffix == ".gz") as file:
        write_features(file.write, items)


def result_provenance(result: Result) -> dict[str, str]:
    """Return what made a result's regions, as strings."""
    record = result.record
    model, mpp = record["model"], record["map_mpp"]
    facts = {
        "analysis": record["analysis"],
        "model": f"{model.get('name', '')} {model.get('version', '')}".strip(),
        "model_sha256": model.get("sha256"),
        "slide_fingerprint": record["slide"].get("fingerprint"),
        "map_mpp_um": f"{mpp[0]:g} × {mpp[1]:g}",
        "threshold": record["settings"].get("threshold"),
        "specimen": record.get("specimen"),
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def write_result_geojson(path: Path, regions: Regions, result: Result) -> None:
    """Write the regions of a result with its classes and provenance."""
    lattice = result.lattice
    write_geojson(
        path,
        regions.image,
        regions.table,
        (lattice.step_x, lattice.step_y),
        result.classes,
        fingerprint=str(result.record["slide"].get("fingerprint", "")),
        provenance=result_provenance(result),
    )


def regions_file(result: Result) -> Path:
    """Return the path of a result's regions.geojson; `ResultError` where it is not written yet."""
    path = result.path / GEOJSON
    if not path.is_file():
        cause = f"no {GEOJSON} yet"
        raise ResultError(result.path, cause, "run `breastpath measure` on it")
    return path
