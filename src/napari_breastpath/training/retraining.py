"""Correct → retrain → compare: a config from corrected results, and old against new on others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_breastpath.core.errors import UsageError
from napari_breastpath.models import ModelBundle, make_predictor
from napari_breastpath.results import Result, load_result
from napari_breastpath.training.config import (
    BundleConfig,
    ClassConfig,
    Config,
    FitConfig,
    InputConfig,
    NetworkConfig,
    StainConfig,
)
from napari_breastpath.training.sampling import find_tiles
from napari_breastpath.training.scores import confusion_figures
from napari_breastpath.training.source_config import SourceConfig
from napari_breastpath.training.sources import read_samples
from napari_breastpath.training.stains import restains, target_of
from napari_breastpath.training.tiles import Cutter

GENTLE_RATE = 2e-4


def retraining_config(
    results: Sequence[Path],
    bundle: ModelBundle,
    out: Path,
    *,
    name: str = "",
    fit: FitConfig | None = None,
    edited_weight: float = 2.0,
) -> Config:
    """Return the config that goes on training a bundle on corrected results.

    Parameters
    ----------
    results : sequence of Path
        Result folders, at least two: one validates. Each is taken for a patient.
    bundle : ModelBundle
        What training starts from; its classes, µm/px, input and stain are kept.
    out : Path
        The run folder.
    name : str, optional
        Of the new bundle, by default the old one's with `-retrained`.
    fit : FitConfig, optional
        By default a gentle rate, 30 epochs at most.
    edited_weight : float
        How much more a pixel counts that a hand painted.

    Raises
    ------
    UsageError
        Fewer than two results.
    """
    if len(results) < 2:
        advice = "correct another slide: one must validate"
        raise UsageError("retraining", f"{len(results)} corrected slide is too few", advice)
    architecture, scale = bundle.architecture, bundle.normalization
    sources = tuple(
        SourceConfig("results", str(path), name="corrected", edited_weight=edited_weight)
        for path in results
    )
    return Config(
        name=name or f"{bundle.name}-retrained",
        task="segmentation",
        mpp=bundle.mpp,
        out=str(out),
        classes=tuple(ClassConfig(c.name, c.color, c.role) for c in bundle.classes),
        sources=sources,
        bundle=BundleConfig(
            licence=bundle.licence,
            training_data=f"{bundle.training_data} Then {len(results)} corrected slides.",
            threshold=bundle.threshold,
        ),
        tile_size=bundle.tile_size,
        network=NetworkConfig(
            architecture.library,
            architecture.name,
            dict(architecture.arguments),
            start_from=str(bundle.folder),
        ),
        input=InputConfig(bundle.input, scale.mean, scale.std),
        stain=StainConfig(bundle.stain["method"] if bundle.stain else "none"),
        fit=fit or FitConfig(rate=GENTLE_RATE, epochs=30, loss=_loss_for(bundle)),
    )


def _loss_for(bundle: ModelBundle) -> str:
    return "bce_dice" if len(bundle.classes) == 1 else "cross_entropy_dice"


def compare_models(
    bundles: Sequence[ModelBundle], results: Sequence[Path], device: str = "auto"
) -> list[dict[str, Any]]:
    """Return how well models agree with corrected results that none of them was trained on.

    Every tile of the tissue is inferred at the model's µm/px in its stain, one by one, unblended.

    Parameters
    ----------
    bundles : sequence of ModelBundle
        Say, the old and the new one.
    results : sequence of Path
        Result folders, corrected, held out.
    device : str

    Returns
    -------
    list of dict
        A row per result and model: `result`, `model`, `accuracy`, `dice`, `iou`, `sensitivity`,
        `specificity`.
    """
    return [
        {"result": path.name, "model": f"{bundle.name} {bundle.version}", **figures}
        for bundle in bundles
        for path, figures in _agreement(bundle, [load_result(p) for p in results], device)
    ]


def _agreement(
    bundle: ModelBundle, results: Sequence[Result], device: str
) -> Iterator[tuple[Path, dict[str, float]]]:
    """Yield each result's figures."""
    import torch

    predictor = make_predictor(bundle, device, "torch", batch_size=1)
    for result in results:
        cutter = _cutter(bundle, result.path)
        size = max(2, len(bundle.classes))
        confusion = np.zeros((size, size), np.int64)
        for tile in range(len(cutter.tiles)):
            cut = cutter.restained(tile)
            found = predictor.predict(torch.from_numpy(np.ascontiguousarray(cut.image))[None])[0]
            confusion += _confusion(found, cut.truth, cut.weight, bundle)
        yield result.path, confusion_figures(confusion)


def _cutter(bundle: ModelBundle, path: Path) -> Cutter:
    config = retraining_config([path, path], bundle, path)
    plain = dataclasses.replace(
        config,
        sources=config.sources[:1],
        input=InputConfig(),  # the predictor converts by itself
        fit=FitConfig(crop=bundle.tile_size),
    )
    samples = read_samples(plain)
    tiles = find_tiles(samples, plain)
    return Cutter(samples, tiles, plain, restains(samples, tiles, target_of(bundle), plain))


def _confusion(found: Any, truth: Any, weight: Any, bundle: ModelBundle) -> Any:
    """Return what a tile adds to the confusion matrix, at the pixels of the map."""
    stride, classes = bundle.output_stride, max(2, len(bundle.classes))
    middle = slice(stride // 2, None, stride)
    true, known = truth[..., middle, middle], weight[middle, middle] > 0
    if len(bundle.classes) == 1:
        true, answer = true[0] > 0.5, found[0] > bundle.threshold
    else:
        answer = found.argmax(axis=0)
    pairs = (true.astype(np.int64) * classes + answer)[known]
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
