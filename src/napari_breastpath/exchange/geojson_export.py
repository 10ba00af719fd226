"""Regions, what hands measured, and objects of a result, as one GeoJSON for QuPath."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from napari_breastpath.core.errors import ResultError
from napari_breastpath.exchange.geojson import HEAD, opened, regions_file
from napari_breastpath.exchange.hand_lines import hand_lines
from napari_breastpath.exchange.objects import object_features, write_collection
from napari_breastpath.exchange.provenance import export_provenance
from napari_breastpath.results import ObjectStore, Result
from napari_breastpath.results.files import whole


def export_geojson(result: Result, path: Path) -> None:
    """Write regions, lines and objects as GeoJSON, compressed when the name ends in `.gz`."""
    _export(result, path, path.suffix == ".gz")


def export_geojson_gz(result: Result, path: Path) -> None:
    """Write regions, lines and objects as compressed GeoJSON."""
    _export(result, path, True)


def _export(result: Result, path: Path, compressed: bool) -> None:
    """Write what the same result gives as the same bytes, one batch of objects in memory."""
    source, objects, facts = regions_file(result), result.objects, export_provenance(result)
    lines = list(hand_lines(result, facts))
    if objects is None and not lines and result.record.get("reviewed") is None:
        with source.open("rb") as plain, whole(path) as draft, opened(draft, compressed) as file:
            shutil.copyfileobj(plain, file)
        return
    drawn = _objects(result, objects) if objects is not None else iter(())
    features = chain(_regions(source), [lines] if lines else [], drawn)
    write_collection(path, features, facts, compressed)


def _regions(source: Path) -> Iterator[list[str]]:
    """Yield the Features of a regions.geojson of ours, which has one in a line."""
    with source.open("rb") as file:
        whole_one = next(file, b"").rstrip() == HEAD
        for line in file:
            if line == b"]}\n" and whole_one:
                return
            yield [line.decode().rstrip(",\n")]
    raise ResultError(source, "is not as it was written", "run `breastpath measure` on the result")


def _objects(result: Result, objects: ObjectStore) -> Iterator[list[str]]:
    fingerprint = str(result.record["slide"].get("fingerprint", ""))
    return object_features(objects.batches(), objects.classes, objects.kind, fingerprint)
