"""Before a run: where its result goes, and what an earlier result of the slide means for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.analyses.request import TISSUE_METHODS, Request, check_same
from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.core.geometry import Box
from napari_breastpath.measure.categories import TUMOUR_ROLES
from napari_breastpath.models import ModelBundle
from napari_breastpath.results import Result, load_result
from napari_breastpath.results.files import whole
from napari_breastpath.results.folder import RECORD, result_path
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import Slide

FOLDER = "breastpath-results"
NEW, RESUMABLE, FINISHED, DIFFERENT = "new", "resumable", "finished", "different"


def paints_tumour(bundle: ModelBundle) -> bool:
    """Return whether a model can paint a map of tumour: pixel by pixel, or patch by patch."""
    roles = {kind.role for kind in bundle.classes}
    return bundle.task != "detection" and bool(roles & TUMOUR_ROLES)


def writable(folder: Path) -> bool:
    """Return whether files can be made in a folder, or in the one it would be made in."""
    existing = next((f for f in (folder, *folder.parents) if f.exists()), None)
    if existing is None or not existing.is_dir() or not os.access(existing, os.W_OK):
        return False
    try:
        with tempfile.TemporaryFile(dir=existing):
            return True
    except OSError:
        return False


def output_folder(slide: Path, preferred: str = "", home: Callable[[], Path] = Path.home) -> Path:
    """Return the folder for a slide's results.

    Parameters
    ----------
    slide : Path
        The slide's file or folder.
    preferred : str, by default ""
        An absolute folder for all results; else the name of a folder beside the slide.
    home : callable, by default Path.home
        Where to go when nothing can be written beside the slide.
    """
    name = Path(preferred).expanduser() if preferred else Path(FOLDER)
    if name.is_absolute():
        return name
    beside = slide.resolve().parent / name
    packaged = slide.resolve() == sample_slide_path().resolve()
    return beside if not packaged and writable(beside) else home() / name


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier result means for a request.

    Attributes
    ----------
    kind : str
        `new` (there is none), `resumable`, `finished` (same settings) or `different`.
    request : Request or None
        What to run in order to go on with it, threshold and specimen as they were (they are
        measured anew afterwards); None where it cannot be gone on with.
    difference : str
        For `different`: in what.
    """

    kind: str
    request: Request | None
    difference: str = ""


def earlier(slide: Slide, bundle: ModelBundle, request: Request, out: Path) -> Earlier:
    """Return what the result that a request would write to already holds."""
    path = result_path(out, slide.path.absolute().name, request.analysis, slide.fingerprint)
    if not (path / RECORD).is_file():
        return Earlier(NEW, request)
    try:
        old = load_result(path)
    except ResultError as error:
        return Earlier(DIFFERENT, None, error.cause)
    if old.status == "failed":
        return Earlier(DIFFERENT, None, "failed")
    threshold, specimen = old.record["settings"]["threshold"], old.record["specimen"]
    same = replace(request, threshold=threshold, specimen=specimen)
    difference = _difference(old, same, slide, bundle)
    if difference:
        return Earlier(DIFFERENT, _repeatable(old, slide, bundle), difference)
    return Earlier(FINISHED if old.status == "complete" else RESUMABLE, same)


def _difference(old: Result, request: Request, slide: Slide, bundle: ModelBundle) -> str:
    """Return in what an old result differs from a request, "" when in nothing."""
    try:
        check_same(old, request, slide, bundle)
    except UsageError as error:
        return error.cause
    return ""


def _repeatable(old: Result, slide: Slide, bundle: ModelBundle) -> Request | None:
    """Return the request that an old result answers, None where it cannot be made again."""
    try:
        request = request_of(old)
    except UsageError:
        return None
    return None if _difference(old, request, slide, bundle) else request


def request_of(result: Result) -> Request:
    """Return the request that a result answers, so that more can be added to it."""
    settings, record = result.record["settings"], result.record
    return Request(
        analysis=record["analysis"],
        stain=settings["stain"],
        tissue=_tissue_of(result),
        threshold=settings["threshold"],
        specimen=record["specimen"],
        region=region_of(settings["region"]),
        overlap=settings["overlap"],
    )


def region_of(recorded: list[Any] | None) -> Box | list[Any] | None:
    """Return the region that result.json holds: [x, y, width, height], polygons or None."""
    if not recorded:
        return None
    return recorded if isinstance(recorded[0], list) else Box(*recorded)


def _tissue_of(result: Result) -> str:
    recorded: str = result.record["settings"]["tissue"]
    if recorded in TISSUE_METHODS:
        return recorded
    return str(result.path.parent / recorded.rsplit(" (sha256", 1)[0])


def write_outline(tissue: NDArray[np.bool_], out: Path, slide: Path) -> Path:
    """Write a tissue mask drawn by hand as a PNG that a request may name; return its path."""
    from PIL import Image

    path = out / f"{slide.name}.tissue.png"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with whole(path) as draft:
            Image.fromarray(tissue.astype(np.uint8) * 255).save(draft, format="PNG")
    except OSError as error:
        cause = f"cannot be written ({error})"
        raise ResultError(path, cause, "choose another folder for results") from error
    return path
