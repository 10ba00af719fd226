"""Old against new: both models analyse slides held out, and their maps meet the corrected masks."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_breastpath.analyses import Request, analyze_request
from napari_breastpath.analyses.request import TISSUE_METHODS
from napari_breastpath.core.geometry import Box
from napari_breastpath.core.progress import Progress, ProgressCallback, ignore_progress
from napari_breastpath.models import ModelBundle
from napari_breastpath.results import Result, load_result
from napari_breastpath.results.masks import model_mask, row_slices
from napari_breastpath.training.corrected import held_config
from napari_breastpath.training.scores import Counts, confusion_figures
from napari_breastpath.training.sources import Sample, read_samples


@dataclass(frozen=True)
class Agreement:
    """How well a model's map of a slide agrees with its corrected mask.

    Attributes
    ----------
    corrected : Path
        The result folder with the corrected mask.
    model : str
        Name and version.
    map : Path
        The result folder with the model's map.
    figures : mapping of str to float
        `accuracy`, `dice`, `iou`, `sensitivity`, `specificity` of the pixels of the map that were
        analysed or painted; NaN where there is nothing to divide by.
    """

    corrected: Path
    model: str
    map: Path
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ComparingProgress(Progress):
    """A step of an analysis: `slide` by `model`, the k-th of so many, from 1."""

    slide: str = ""
    model: str = ""
    k: int = 1
    of: int = 1


@dataclass(frozen=True)
class Comparing:
    """Where maps go, on which device, and who wants to hear or to stop it."""

    out: Path
    device: str = "auto"
    progress: ProgressCallback = ignore_progress
    stop: threading.Event | None = None


def compare_maps(
    bundles: Sequence[ModelBundle], results: Sequence[Path], how: Comparing
) -> list[Agreement]:
    """Analyse corrected slides with each model and measure how their maps agree with the hands.

    A map that is there already is used: of an earlier call, or the result's own where its model is
    among them. Where hands left the model's mask as it was, that mask is the truth, which favours
    the model that made it.

    Parameters
    ----------
    bundles : sequence of ModelBundle
    results : sequence of Path
        Result folders, corrected, that no model was trained on.
    how : Comparing

    Returns
    -------
    list of Agreement
        Slide by slide, model by model; those finished when it was stopped.
    """
    samples = read_samples(held_config(results, bundles[0]))
    jobs = [(s, p, b) for s, p in zip(samples, results, strict=True) for b in bundles]
    found: list[Agreement] = []
    for k, (sample, path, bundle) in enumerate(jobs, start=1):
        result = _map_of(sample, load_result(path), bundle, _numbered(how, k, len(jobs)))
        if how.stop is not None and how.stop.is_set():
            break
        figures = confusion_figures(confusion(result, sample, bundle))
        found.append(Agreement(path, f"{bundle.name} {bundle.version}", result.path, figures))
    return found


def _numbered(how: Comparing, k: int, of: int) -> Comparing:
    """Return `how`, its progress with the number of the job."""

    def told(progress: Progress) -> None:
        if isinstance(progress, ComparingProgress):
            progress = dataclasses.replace(progress, k=k, of=of)
        how.progress(progress)

    return dataclasses.replace(how, progress=told)


def _map_of(sample: Sample, result: Result, bundle: ModelBundle, how: Comparing) -> Result:
    """Return a model's result of the slide of a result, in the same place of it."""
    if result.record["model"]["sha256"] == bundle.sha256:
        return result

    def told(p: Progress) -> None:
        names = sample.path.name, bundle.name
        how.progress(ComparingProgress(p.stage, p.done, p.total, p.tiles_per_s, *names))

    out = how.out / bundle.sha256[:12]
    request = _request(result, bundle, how.device)
    return analyze_request(sample.slide, out, request, bundle, True, told, how.stop)


def _request(result: Result, bundle: ModelBundle, device: str) -> Request:
    """Return what to analyse: the same part of the slide, in the same stain and tissue."""
    settings = result.record["settings"]
    region, tissue = settings.get("region"), settings.get("tissue", "otsu")
    one_class = len(bundle.classes) == 1
    return Request(
        stain=settings["stain"],
        tissue=tissue if tissue in TISSUE_METHODS else "none",
        threshold=bundle.threshold if one_class else 0.5,
        region=Box(*region) if region and not isinstance(region[0], list) else region,
        device=device,
    )


def confusion(result: Result, sample: Sample, bundle: ModelBundle) -> Counts:
    """Return how often the mask of a map says what where a truth says what.

    Parameters
    ----------
    result : Result
        With the map.
    sample : Sample
        With the truth, in the classes of `bundle`; its pixels of weight 0 do not count.
    bundle : ModelBundle
        Whose threshold makes the mask.

    Returns
    -------
    ndarray of int64 (classes + 1, classes + 1)
        Rows the truth, columns the map; 0 nothing, k class k.
    """
    size, lattice = len(bundle.classes) + 1, result.lattice
    background = [k for k, kind in enumerate(bundle.classes) if kind.role == "background"]
    xs = (np.arange(lattice.width, dtype=np.float64) + 0.5) * lattice.step_x
    counts = np.zeros(size * size, np.int64)
    for rows in row_slices(result):
        heat = result.map.probability.read(rows, slice(None))
        mask = model_mask(heat, bundle.threshold, background)
        ys = (np.arange(rows.start, rows.stop, dtype=np.float64) + 0.5) * lattice.step_y
        truth, weight = sample.truth.at(ys, xs)
        pairs = (truth.astype(np.int64) * size + mask)[weight > 0]
        counts += np.bincount(pairs, minlength=size * size)
    return counts.reshape(size, size)
