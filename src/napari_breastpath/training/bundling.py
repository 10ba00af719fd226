"""From a finished training to a bundle with its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.geometry import output_stride
from napari_breastpath.models import (
    ClassInfo,
    ModelBundle,
    Normalization,
    StainTarget,
    save_model,
)
from napari_breastpath.results.files import write_text
from napari_breastpath.training.config import ClassConfig, Config
from napari_breastpath.training.split import Fold
from napari_breastpath.training.starting import architecture_of

if TYPE_CHECKING:
    import torch

TASK_OF = {"points": "detection", "nuclei": "segmentation"}
MEASURED = (
    "On patients that the fold did not train on, tile by tile, at threshold 0.5. The fold's best "
    "epoch was chosen by the loss on the same patients, and its temperature fitted on them: "
    "figures on patients of another hospital will be lower."
)
CHOSEN = "the one with the median validation loss"


def write_bundle(
    config: Config,
    folder: Path,
    network: torch.nn.Module,
    facts: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> ModelBundle:
    """Write weights, `model.json` and the card.

    Parameters
    ----------
    config : Config
    folder : Path
    network : torch.nn.Module
        With the weights to keep.
    facts : mapping
        `stain`, `training_domain` and `temperature` of the fold that they come from.
    metrics : mapping
        What `model.json` and the card show.

    Returns
    -------
    ModelBundle
    """
    stain: StainTarget | None = facts["stain"]
    bundle = ModelBundle(
        folder=folder,
        name=config.name,
        version=config.version,
        task=TASK_OF.get(config.task, config.task),
        architecture=architecture_of(config),
        classes=tuple(map(_class_info, config.classes)),
        mpp=config.mpp,
        tile_size=config.tile_size,
        output_stride=output_stride(config.mpp),
        normalization=Normalization(_three(config.input.mean), _three(config.input.std)),
        stain=stain,
        threshold=config.bundle.threshold,
        training_data=config.bundle.training_data,
        metrics=metrics,
        licence=config.bundle.licence,
        authors=config.bundle.authors,
        intended_use=config.bundle.intended_use,
        sha256="0" * 64,
        training_domain=facts["training_domain"],
        input=config.input.space,
        temperature=round(facts["temperature"], 4),
    )
    written = save_model(bundle, network, half=config.bundle.half)
    write_text(written.card, card(written, config, metrics))
    return written


def _class_info(one: ClassConfig) -> ClassInfo:
    red, green, blue = one.color
    return ClassInfo(one.name, (red, green, blue), one.role)


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third


def bundle_metrics(
    folds: Sequence[Fold], figures: Sequence[Mapping[str, Any]], chosen: int
) -> dict[str, Any]:
    """Return the figures of every fold, and of which the weights are."""
    each = {
        f"fold {fold.number}": {
            "training patients": len({s.patient for s in fold.training}),
            "validation patients": len({s.patient for s in fold.validation}),
            **values,
        }
        for fold, values in zip(folds, figures, strict=True)
    }
    return each | {"weights of fold": chosen}


def card(bundle: ModelBundle, config: Config, metrics: Mapping[str, Any]) -> str:
    """Return the model card, Markdown."""
    network = bundle.architecture
    encoder = network.arguments.get("encoder_name", "")
    lines = [
        f"# {bundle.name} {bundle.version}",
        "",
        f"- **Task**: {config.task}; classes {', '.join(c.name for c in bundle.classes)}.",
        f"- **Input**: {bundle.input} at {bundle.mpp:g} µm/px, tiles of {bundle.tile_size} px.",
        f"- **Network**: {network.name} {encoder} ({network.library}), loss {config.fit.loss}.",
        f"- **Calibration**: temperature {bundle.temperature:g}.",
        f"- **Trained on**: {bundle.training_data}",
        f"- **Intended use**: {bundle.intended_use}",
        f"- **Licence**: {bundle.licence}",
        *_source_lines(config),
        "",
        "## What was measured",
        "",
        MEASURED,
        "",
        *_fold_table({k: v for k, v in metrics.items() if isinstance(v, Mapping)}),
        "",
        f"The weights are those of fold {metrics['weights of fold']}: {CHOSEN}.",
        "",
    ]
    return "\n".join(lines)


def _source_lines(config: Config) -> list[str]:
    return [
        f"- **Source** {one.title}: {'; '.join(filter(None, facts))}."
        for one in config.sources
        for facts in [(one.kind, one.licence, one.whose_unknown)]
    ]


def _fold_table(folds: Mapping[str, Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for values in folds.values() for name in values))
    head = [f"| fold | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    rows = [
        f"| {fold.removeprefix('fold ')} | {' | '.join(_cell(v.get(n)) for n in names)} |"
        for fold, v in folds.items()
    ]
    return head + rows


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
