"""Analyses: which tiles, which model, which measurements → a `Result`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from napari_breastpath.analyses.importing import Imported, import_file
from napari_breastpath.analyses.measuring import measure_result
from napari_breastpath.analyses.request import Region, Request
from napari_breastpath.analyses.tumour import Run, analyze_added_tissue, analyze_tumour
from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.progress import ProgressCallback, ignore_progress
from napari_breastpath.models import ModelBundle, check_trusted, load_model
from napari_breastpath.results import Result
from napari_breastpath.slides import Slide, open_slide

__all__ = [
    "ANALYSES",
    "Imported",
    "Request",
    "Run",
    "analyze",
    "analyze_added_tissue",
    "analyze_request",
    "import_file",
    "measure_result",
]

ANALYSES = {"tumour": analyze_tumour}
DEFAULT_MODELS = {"tumour": "tumour-demo"}


def analyze(
    slide: Slide | str | Path,
    out: str | Path,
    analysis: str = "tumour",
    model: ModelBundle | str | Path | None = None,
    stain: str = "vahadane",
    tissue: str | Path = "otsu",
    threshold: float = 0.5,
    specimen: str = "unspecified",
    device: str = "auto",
    engine: str = "auto",
    region: Region | None = None,
    resume: bool = True,
    progress: ProgressCallback | None = None,
    stop: threading.Event | None = None,
    batch_size: int | None = None,
    threads: int | None = None,
) -> Result:
    """Analyse one slide and write its result folder.

    Parameters
    ----------
    slide : Slide, str or Path
        The slide, or where it is.
    out : str or Path
        Folder that gets `<slide file name>.<analysis>.breastpath/`.
    analysis : str, by default "tumour"
    model : ModelBundle, str or Path, optional
        A bundle, its name or its folder; by default the analysis's own.
    stain : str, by default "vahadane"
        `vahadane`, `macenko`, `staintools` (per tile, the HeLP winner's way) or `none`.
    tissue : str or Path, by default "otsu"
        `otsu`, `yen`, `none`, or a mask file of the whole slide.
    threshold : float, by default 0.5
        One-class models: a pixel belongs to the mask when its probability is strictly greater.
    specimen : str, by default "unspecified"
        `node` gives nodal categories; `primary` or `unspecified`.
    device, engine : str, by default "auto"
    region : Box or sequence of polygons, optional
        Part of the slide, in level-0 pixels.
    resume : bool, by default True
        Go on with an interrupted result; False moves an old one aside first.
    progress : callable, optional
        Called in this thread with `Progress`.
    stop : threading.Event, optional
        Set it to stop soon; the result is then `partial` and can be gone on with.
    batch_size : int, optional
        Tiles a batch; by default what suits the device.
    threads : int, optional
        CPU threads of the network; by default the physical cores.

    Returns
    -------
    Result

    Raises
    ------
    SlideError, PixelSizeError, ModelError, InferenceError, ResultError, UsageError
        Each one line: file, cause, what to do.
    """
    request = Request(
        analysis=analysis,
        stain=stain,
        tissue=str(tissue),
        threshold=threshold,
        specimen=specimen,
        device=device,
        engine=engine,
        region=region,
        batch_size=batch_size,
        threads=threads,
    )
    return analyze_request(slide, out, request, model, resume, progress, stop)


def analyze_request(
    slide: Slide | str | Path,
    out: str | Path,
    request: Request,
    model: ModelBundle | str | Path | None = None,
    resume: bool = True,
    progress: ProgressCallback | None = None,
    stop: threading.Event | None = None,
    started: Callable[[Result], None] | None = None,
) -> Result:
    """Do what `analyze` does, from a `Request`; `started` gets the result before the first tile."""
    if request.analysis not in ANALYSES:
        known = ", ".join(ANALYSES)
        raise UsageError("analyze", f"no analysis {request.analysis!r}", f"choose of {known}")
    bundle = (
        model if isinstance(model, ModelBundle) else load_model(model or default_model(request))
    )
    check_trusted(bundle)
    with nullcontext(slide) if isinstance(slide, Slide) else open_slide(slide) as opened:
        job = Run(opened, bundle, request, progress or ignore_progress, stop, started)
        return ANALYSES[request.analysis](job, Path(out), resume)


def default_model(request: Request) -> str:
    """Return the name of the model that an analysis uses when none is named."""
    return DEFAULT_MODELS[request.analysis]
