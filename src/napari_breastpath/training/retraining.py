"""Correct → retrain: the config that goes on training a bundle on corrected results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_breastpath.core.errors import UsageError
from napari_breastpath.models import ModelBundle
from napari_breastpath.training.config import (
    BundleConfig,
    ClassConfig,
    Config,
    FitConfig,
    InputConfig,
    NetworkConfig,
    StainConfig,
)
from napari_breastpath.training.source_config import SourceConfig

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
