"""What runs in the background: the library's functions, each as one function of a `Work`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.analyses import (
    Imported,
    Run,
    analyze_added_tissue,
    analyze_request,
    by_hand,
    import_file,
    measure_result,
)
from napari_breastpath.analyses.preparing import find_tissue, stored_tissue, tissue_factor
from napari_breastpath.analyses.request import Request
from napari_breastpath.core.geometry import Lattice
from napari_breastpath.core.progress import ignore_progress
from napari_breastpath.exchange.export import export_result
from napari_breastpath.models import ModelBundle, load_model
from napari_breastpath.report import write_report
from napari_breastpath.results import Result, load_result
from napari_breastpath.slides import Slide
from napari_breastpath.viewer.planning import request_of
from napari_breastpath.viewer.worker import Work, WorkFunction


@dataclass(frozen=True, slots=True)
class Tissue:
    """A tissue mask and where it lies.

    Attributes
    ----------
    mask : ndarray, bool (y, x)
    lattice : Lattice
        About 8 µm/px.
    """

    mask: NDArray[np.bool_]
    lattice: Lattice


def analyse(
    slide: Slide, out: Path, model: ModelBundle, run: Request, wanted: Request, resume: bool
) -> WorkFunction:
    """Analyse with `run`; then measure with the threshold and specimen of `wanted` if they differ.

    An earlier result keeps the threshold it was made with; changing it needs no network.
    """

    def function(work: Work) -> Result:
        result = analyze_request(
            slide, out, run, load_model(model.folder), resume, work.report, work.stop, work.announce
        )
        if result.status != "partial":
            _remeasure(result, wanted)
        return result

    return function


def _remeasure(result: Result, wanted: Request) -> None:
    settings = result.record["settings"]
    threshold = wanted.threshold if settings["threshold"] != wanted.threshold else None
    if threshold is not None or result.record["specimen"] != wanted.specimen:
        one_class = len(result.classes) == 1
        measure_result(result, threshold if one_class else None, wanted.specimen)


def preview_tissue(slide: Slide, model: ModelBundle, request: Request) -> WorkFunction:
    """Find the tissue that a run of `request` would analyse: a `Tissue`."""

    def function(work: Work) -> Tissue:
        lattice = Run(slide, model, request, ignore_progress).tissue_lattice
        return Tissue(find_tissue(slide, request, lattice), lattice)

    return function


def result_tissue(result: Result) -> Tissue:
    """Return the tissue of a result, on the raster that hands edit and added tissue is given on."""
    factor = tissue_factor(result.lattice.mpp_x)
    return Tissue(stored_tissue(result, factor), result.lattice.coarser(factor))


def add_tissue(
    path: Path, slide: Slide, model: ModelBundle, tissue: NDArray[np.bool_]
) -> WorkFunction:
    """Infer tissue that hands added to a result."""

    def function(work: Work) -> Result:
        result = load_result(path)
        checked = load_model(model.folder)
        job = Run(slide, checked, request_of(result), work.report, work.stop)
        return analyze_added_tissue(job, result, tissue)

    return function


def measure(path: Path, threshold: float | None, specimen: str | None = None) -> WorkFunction:
    """Measure a result again."""

    def function(work: Work) -> Result:
        return measure_result(load_result(path), threshold, specimen)

    return function


def record_hands(path: Path, *_: object) -> WorkFunction:
    """Write what hands measured and signed into a result's record."""

    def function(work: Work) -> Result:
        return by_hand.record_hands(load_result(path))

    return function


def export(path: Path, to: str, out: Path) -> WorkFunction:
    """Write a result in one of `exchange.formats.FORMATS`."""

    def function(work: Work) -> None:
        export_result(load_result(path), to, out)

    return function


def import_annotations(path: Path, file: Path, what: str) -> WorkFunction:
    """Bring a file into a result and measure it again: the result, and what was imported."""

    def function(work: Work) -> tuple[Result, Imported]:
        result = load_result(path)
        return result, import_file(result, file, what)

    return function


def report(path: Path, slide: Slide | None) -> WorkFunction:
    """Write a result's report: where it is."""

    def function(work: Work) -> Path:
        return write_report(load_result(path), slide=slide)

    return function


def device_note(wanted: str) -> WorkFunction:
    """Say which device would be used, and why."""

    def function(work: Work) -> str:
        from napari_breastpath.models import choose_device

        device = choose_device(wanted)
        return f"{device.name.upper()}: {device.reason}"

    return function
