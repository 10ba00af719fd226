"""Bringing annotations and labels from elsewhere into a result, all of a file or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.analyses.measuring import measure_result
from napari_breastpath.analyses.preparing import (
    analysed_area,
    erase_map,
    store_tissue,
    stored_tissue,
    tissue_factor,
)
from napari_breastpath.core.errors import AnnotationError, ResultError, UsageError
from napari_breastpath.edits import Change, Corrections
from napari_breastpath.edits.entry import HAND, MACHINE
from napari_breastpath.exchange.class_names import ClassNames
from napari_breastpath.exchange.painting import Canvas, Painting, read_area, read_painting
from napari_breastpath.results import Result
from napari_breastpath.results.maps import ERASED
from napari_breastpath.results.masks import row_slices, scored_channels

UInt8Array = NDArray[np.uint8]
EDITS, TISSUE, REGIONS = "edits", "tissue", "regions"
WAYS: Final = (EDITS, TISSUE, REGIONS)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    Attributes
    ----------
    what : str
        `edits`, `tissue` or `regions`.
    count : int
        How many things were painted.
    things : str
        What they are: `areas` or `label values`.
    pixels : int
        Pixels of the map that the file speaks of.
    notes : tuple of str
        What was left out, and what is to be done now.
    """

    what: str
    count: int
    things: str
    pixels: int
    notes: tuple[str, ...]


def import_file(
    result: Result,
    path: str | Path,
    what: str | None = None,
    classes: Mapping[str, str] | None = None,
    reader: str = "",
) -> Imported:
    """Bring a file into a result and measure it again.

    Everything is read and painted before the first write; a fault leaves the result as it was.

    Parameters
    ----------
    result : Result
        A measured one.
    path : str or Path
        QuPath GeoJSON, ASAP or ImageScope XML, CAMELYON JSON, a label image (PNG, TIFF) of the
        whole slide, or an OME-Zarr with labels.
    what : str, optional
        `edits`: classes are painted over the model's mask, what the file excludes is erased.
        `regions` (default): the mask becomes exactly these areas; the model's elsewhere is erased.
        `tissue`: the areas become the tissue; new tissue is unread until analysed again.
    classes : mapping of str to str, optional
        Class name in the file → name of one of the model's classes, `erase` or `ignore`; for names
        that are not the model's own.
    reader : str, by default ""
        Name for the edit log.

    Returns
    -------
    Imported

    Raises
    ------
    AnnotationError
        The file is malformed, too large, or says nothing about this slide.
    UsageError
        A class is unknown, or nothing in the file is tumour and `what` was left out.
    ResultError
        The result is not measured, is reviewed, is being analysed, or cannot be written.
    """
    path, names = Path(path), ClassNames(result.classes, classes or {})
    if what not in (None, *WAYS):
        raise UsageError("import", f"cannot import as {what!r}", f"choose of {', '.join(WAYS)}")
    if not result.is_measured:
        advice = "run `breastpath analyze` on its slide again"
        raise ResultError(result.path, f"its status is {result.status}", advice)
    digest, hands = _sha256(path), Corrections.open(result, reader)
    hands.check_open()
    try:
        if what == TISSUE:
            done = _import_tissue(result, path, names)
        else:
            done = _import_mask(hands, path, digest, names, what)
        _record(result, path, digest, done)
        measure_result(result)
    except OSError as error:
        raise ResultError(
            result.path, f"cannot be written ({error})", "make room for it"
        ) from error
    return done


def _import_mask(
    hands: Corrections, path: Path, digest: str, names: ClassNames, what: str | None
) -> Imported:
    result = hands.result
    painting = read_painting(path, Canvas.of(result), names)
    if what is None:
        _check_tumour(path, painting, result)
    changes = (
        _merging(painting, rows) if what == EDITS else _replacing(hands, painting, rows)
        for rows in row_slices(result)
    )
    maker = HAND if painting.things == "areas" else MACHINE
    detail = {"file": path.name, "sha256": digest, "what": what or REGIONS}
    had_edits = _has_edits(result)
    entry = hands.apply_all(changes, "import", maker=maker, detail=detail)
    kept = ("undo in the viewer brings back the edits before it",) if entry and had_edits else ()
    notes = (*painting.notes, *kept)
    pixels = int(np.count_nonzero(painting.raster))
    return Imported(what or REGIONS, painting.count, painting.things, pixels, notes)


def _has_edits(result: Result) -> bool:
    return bool(np.asarray(result.map.label("edits").levels[-1][:]).any())


def _check_tumour(path: Path, painting: Painting, result: Result) -> None:
    """Refuse to guess what a file without tumour is for: as regions it would erase all."""
    wanted = [channel + 1 for channel in scored_channels(result.classes)]
    if not np.isin(painting.raster, wanted).any():
        advice = f"say what it is: --as {', --as '.join(WAYS)}"
        raise UsageError(path, "holds nothing of a tumour class", advice)


def _merging(painting: Painting, rows: slice) -> Change:
    """Return a band of a painting, to be laid over the edits there are."""
    values = painting.raster[rows]
    return Change(rows.start, 0, values, values != 0)


def _replacing(hands: Corrections, painting: Painting, rows: slice) -> Change:
    """Return the edits of a band that make the mask equal to a painting."""
    values = np.where(painting.raster[rows] == ERASED, 0, painting.raster[rows])
    model = hands.model(rows, slice(None))
    edits = np.where((values == 0) & (model != 0), ERASED, values).astype(np.uint8)
    return Change(rows.start, 0, edits, np.ones(edits.shape, dtype=bool))


def _import_tissue(result: Result, path: Path, names: ClassNames) -> Imported:
    factor = tissue_factor(result.lattice.mpp_x)
    lattice = result.lattice.coarser(factor)
    painting = read_area(path, replace(Canvas.of(result), lattice=lattice), names)
    tissue = painting.raster > 0
    if not tissue.any():
        raise AnnotationError(path, "covers nothing of this slide", "give its tissue")
    before = analysed_area(stored_tissue(result, factor), lattice)
    now = analysed_area(tissue, lattice)
    new = tissue & ~before
    if new.any():
        _reopen(result, new, factor)
    store_tissue(result, tissue, factor)
    erase_map(result, before & ~now, factor)
    result.save(tissue_edited=True)
    pixels = int(np.count_nonzero(np.asarray(result.map.label("tissue").levels[0][:])))
    notes = list(painting.notes)
    if new.any():
        share = 100 * new.sum() / tissue.sum()
        todo = "run `breastpath analyze` with the same options to fill it in"
        notes.append(f"{share:.2g} % of the tissue is new and unread: {todo}")
    return Imported(TISSUE, painting.count, painting.things, pixels, tuple(notes))


def _reopen(result: Result, new: NDArray[np.bool_], factor: int) -> None:
    """Mark the blocks unfinished that new tissue reaches into, and the result incomplete."""
    state, chunk = result.map.block_state, result.map.chunk
    for row, column in np.unique(np.argwhere(new) * factor // chunk, axis=0):
        state[row, column] = 0
    result.map.block_state = state
    result.save(status="incomplete")


def _record(result: Result, path: Path, digest: str, done: Imported) -> None:
    entry = {
        "file": path.name,
        "sha256": digest,
        "what": done.what,
        "count": done.count,
        "things": done.things,
        "pixels": done.pixels,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    result.save(imports=[*result.record.get("imports", ()), entry])
    result.log(f"imported {done.count} {done.things} of {path.name} ({digest[:16]}) as {done.what}")
    for note in done.notes:
        result.log(f"import: {note}")


def _sha256(path: Path) -> str:
    """Return the hash of a file, or of all files of a folder with their names; "" if unreadable."""
    digest = hashlib.sha256()
    try:
        for name, file in _files(path):
            digest.update(name.encode())
            with file.open("rb") as content:
                while chunk := content.read(2**20):
                    digest.update(chunk)
    except OSError as error:
        raise UsageError(path, f"cannot be read ({error.strerror})", "check the path") from None
    return digest.hexdigest()


def _files(path: Path) -> Iterable[tuple[str, Path]]:
    if not path.is_dir():
        return [("", path)]
    found = (each for each in path.rglob("*") if each.is_file())
    return sorted((each.relative_to(path).as_posix(), each) for each in found)
