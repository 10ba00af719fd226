"""Nuclei and other objects as GeoJSON for QuPath: any number of them, in flat memory."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.exchange.geojson import (
    COORDINATE_ORIGIN,
    DECIMALS,
    classification,
    opened,
)
from napari_breastpath.results import ObjectBatch
from napari_breastpath.results.files import whole
from napari_breastpath.results.objects import KINDS

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "napari-breastpath/object")
MANY: Final = 50_000
NUMBER: Final = f"%.{DECIMALS}f"


def objects_path(stem: Path, count: int) -> Path:
    """Return `stem` with `.geojson`, or with `.geojson.gz` for more than `MANY` objects."""
    return stem.with_name(f"{stem.name}.geojson{'.gz' if count > MANY else ''}")


def write_objects(
    path: Path,
    batches: Iterable[ObjectBatch],
    classes: Sequence[Mapping[str, Any]],
    *,
    kind: str = "detection",
    fingerprint: str = "",
    provenance: Mapping[str, str] | None = None,
) -> int:
    """Write objects as a GeoJSON FeatureCollection, one batch in memory at a time.

    Parameters
    ----------
    path : Path
        Compressed when its name ends in `.gz`. All of it is written, or nothing.
    batches : iterable of ObjectBatch
        Some thousand objects each.
    classes : sequence of mapping
        `name`, `color` (r, g, b) and `role`, as in model.json.
    kind : str, by default "detection"
        QuPath's type of object: `detection`, `cell`, `annotation` or `tile`.
    fingerprint : str
        The slide's. An id follows from it, the class and the place.
    provenance : mapping of str to str, optional
        Goes into the collection's member `metadata`, which QuPath passes over.

    Returns
    -------
    int
        How many objects were written.
    """
    groups = object_features(batches, classes, kind, fingerprint)
    return write_collection(path, groups, provenance or {}, path.suffix == ".gz")


def object_features(
    batches: Iterable[ObjectBatch],
    classes: Sequence[Mapping[str, Any]],
    kind: str,
    fingerprint: str,
) -> Iterator[list[str]]:
    """Yield the GeoJSON Features of every batch, as text; parameters as of `write_objects`."""
    if kind not in KINDS:
        raise ValueError(f"QuPath knows no objects of kind {kind!r}")
    titles = [json.dumps(classification(c["name"], classes), ensure_ascii=False) for c in classes]
    for batch in batches:
        if len(batch.shapes):
            yield list(_features(batch, titles, kind, fingerprint))


def write_collection(
    path: Path, groups: Iterable[Sequence[str]], facts: Mapping[str, str], compressed: bool
) -> int:
    """Write groups of Features (text, one or more each) as one FeatureCollection; return how many.

    One group is in memory at a time. `facts` go into the member `metadata`, beside the origin of
    the coordinates. All of the file is written, or nothing.
    """
    metadata = {"coordinate_origin": COORDINATE_ORIGIN, **facts}
    head = json.dumps({"type": "FeatureCollection", "metadata": metadata}, ensure_ascii=False)
    count = 0
    with whole(path) as draft, opened(draft, compressed) as file:
        file.write(f'{head[:-1]}, "features": ['.encode())
        for features in groups:
            file.write(b",\n" if count else b"\n")
            file.write(",\n".join(features).encode())
            count += len(features)
        file.write(b"\n]}\n")
    return count


def _features(
    batch: ObjectBatch, titles: Sequence[str], kind: str, fingerprint: str
) -> Iterator[str]:
    indices = batch.class_index.tolist()
    columns = zip(indices, _geometries(batch.shapes), _measurements(batch), strict=True)
    for index, geometry, numbers in columns:
        identity = uuid.uuid5(NAMESPACE, f"{fingerprint}/{index}/{geometry}")
        yield (
            f'{{"type": "Feature", "id": "{identity}", "geometry": {geometry}, '
            f'"properties": {{"objectType": "{kind}", "classification": {titles[index]}, '
            f'"measurements": {{{numbers}}}}}}}'
        )


def _geometries(
    shapes: Sequence[NDArray[np.floating]] | NDArray[np.floating],
) -> Iterator[str]:
    point = f'{{"type": "Point", "coordinates": [{NUMBER}, {NUMBER}]}}'
    if isinstance(shapes, np.ndarray) and shapes.ndim == 2:
        yield from (point % (x, y) for x, y in shapes.tolist())
        return
    for shape in shapes:
        if len(shape) == 1:
            yield point % tuple(shape[0].tolist())
            continue
        ring = np.asarray(shape, float)
        closed = ring if (ring[0] == ring[-1]).all() else np.concatenate((ring, ring[:1]))
        pairs = ", ".join([f"[{NUMBER}, {NUMBER}]"] * len(closed))
        numbers = pairs % tuple(closed.ravel().tolist())
        yield f'{{"type": "Polygon", "coordinates": [[{numbers}]]}}'


def _measurements(batch: ObjectBatch) -> Iterator[str]:
    """Yield the members of each object's `measurements`; only finite numbers."""
    names = [json.dumps(name, ensure_ascii=False) for name in batch.measurements]
    values = np.array(list(batch.measurements.values()), float).reshape(-1, len(batch.shapes)).T
    finite = np.isfinite(values).all(axis=1).tolist()
    pattern = ", ".join(f"{name.replace('%', '%%')}: %.6g" for name in names)
    for row, known in zip(values.tolist(), finite, strict=True):
        if known:
            yield pattern % tuple(row)
        else:
            pairs = zip(names, row, strict=True)
            yield ", ".join(f"{name}: {v:.6g}" for name, v in pairs if np.isfinite(v))
