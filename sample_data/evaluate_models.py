"""Measure `tumour-demo`, `nuclei-he` or `mitosis-demo` on what its training left out; on a CPU.

``python sample_data/evaluate_models.py mitosis [BUNDLE]`` prints the figures of the card;
``--write`` puts them into the bundle and fills its card, ``--picture FILE`` shows what was found.
It needs the folder `../shared` with the data of `docs/training/*.toml`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mitosis_figures
import nuclei_figures
import tumour_figures
from held_out_images import Floats, Network, Rgb, read_whole, truth_over
from napari_breastpath.errors import BreastPathError
from napari_breastpath.models import ModelBundle, Predictor, load_model, make_predictor
from napari_breastpath.models.saving import write_manifest
from napari_breastpath.training import load_config
from napari_breastpath.training.config import Config
from napari_breastpath.training.pictures import draw_examples
from napari_breastpath.training.run import parted
from napari_breastpath.training.sources import Sample
from napari_breastpath.training.split import Fold

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
NAMES = {"tumour": "tumour-demo", "nuclei": "nuclei-he", "mitosis": "mitosis-demo"}
MEASURES = {
    "tumour": tumour_figures.measure,
    "nuclei": nuclei_figures.measure,
    "mitosis": mitosis_figures.measure,
}
STEP_PX = 32
SHOWN, SHOWN_PX = 12, 128


def probabilities(predictor: Predictor, rgb: Rgb) -> Floats:
    """Return float32 (C, y, x) of a whole picture (y, x, 3), mirrored up to whole steps."""
    import torch

    height, width = rgb.shape[:2]
    ends = (0, -height % STEP_PX), (0, -width % STEP_PX), (0, 0)
    padded = np.pad(rgb, ends, mode="symmetric")
    found: Floats = predictor.predict(torch.from_numpy(padded[None]))[0]
    return found[:, :height, :width]


def network_of(bundle: ModelBundle) -> Network:
    """Return a bundle as it runs (stored weights, temperature), one probability per pixel."""
    fine = dataclasses.replace(bundle, output_stride=1)
    predictor = make_predictor(fine, "cpu", "torch", batch_size=1, threads=1)
    return lambda rgb: probabilities(predictor, rgb)


def held_out(bundle: ModelBundle, config: Config) -> tuple[Sample, ...]:
    """Return the images of the fold that the bundle's weights were not trained on.

    Raises
    ------
    SystemExit
        Its patients are not as many as the bundle says: it was trained on another split.
    """
    number = int(bundle.metrics["weights of fold"])
    fold = parted(config)[2][number - 1]
    said = bundle.metrics[f"fold {number}"]
    for side, count in patient_counts(fold).items():
        if said[f"{side} patients"] != count:
            cause = f"{said[f'{side} patients']} {side} patients, but the config gives {count}"
            raise SystemExit(f"{bundle.folder}: {cause}; name its own config with --config")
    return fold.validation


def patient_counts(fold: Fold) -> dict[str, int]:
    """Return the number of patients on either side."""
    sides = {"training": fold.training, "validation": fold.validation}
    return {name: len({s.patient for s in samples}) for name, samples in sides.items()}


def draw(path: Path, samples: Sequence[Sample], network: Network, mpp: float) -> None:
    """Draw some images, what is true and what was found, side by side."""
    chosen = np.linspace(0, len(samples) - 1, min(SHOWN, len(samples))).astype(int)
    draw_examples(path, [_row(samples[k], network, mpp) for k in chosen])


def _row(sample: Sample, network: Network, mpp: float) -> tuple[Rgb, Floats, Floats]:
    rgb = read_whole(sample, mpp)
    truth = truth_over(sample, rgb.shape[:2], mpp)
    found = network(rgb)
    shown = found[0] if len(found) == 1 else 1 - found[0]
    return _square(rgb), _square(truth.clip(0, 1)), _square(shown)


def _square(values: NDArray[Any]) -> NDArray[Any]:
    """Return the top left corner of a picture, padded with 0 where there is less."""
    cut = values[:SHOWN_PX, :SHOWN_PX]
    ends = [(0, SHOWN_PX - side) for side in cut.shape[:2]]
    return np.pad(cut, [*ends, (0, 0)][: cut.ndim])


def card_rows(figures: Mapping[str, Any]) -> str:
    """Return nested figures as rows of a Markdown table: what, figure (95 % interval)."""
    rows = [
        f"| {part}: {name} | {_cell(value)} |"
        for part, values in figures.items()
        for name, value in values.items()
    ]
    return "\n".join(rows)


def fold_rows(metrics: Mapping[str, Any]) -> str:
    """Return the figures of each fold of the training as rows of a Markdown table."""
    folds = {name: own for name, own in metrics.items() if name.startswith("fold ")}
    return "\n".join(
        f"| {name} | " + ", ".join(f"{what} {_cell(value)}" for what, value in own.items()) + " |"
        for name, own in folds.items()
    )


def _cell(value: Any) -> str:
    if isinstance(value, list):
        middle, low, high = value
        return f"{middle:.3f} ({low:.3f}–{high:.3f})"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def write_card(bundle: ModelBundle, figures: Mapping[str, Any]) -> None:
    """Put figures into `model.json`, and fill the card's template with them."""
    bundle = dataclasses.replace(bundle, metrics={**bundle.metrics, "held out": dict(figures)})
    template = Path(__file__).with_name(f"{bundle.name.replace('-', '_')}_card.md")
    facts = {field.name: getattr(bundle, field.name) for field in dataclasses.fields(bundle)}
    rows, folds = card_rows(figures), fold_rows(bundle.metrics)
    filled = template.read_text(encoding="utf-8").format(**facts, rows=rows, folds=folds)
    write_manifest(bundle)
    bundle.card.write_text(filled, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure a model and print its figures."""
    chosen = parse(arguments)
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED}: the data are not there; put the folder beside the project")
    try:
        run(chosen)
    except BreastPathError as error:
        raise SystemExit(str(error)) from error


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=NAMES)
    parser.add_argument("bundle", nargs="?", help="name or folder, by default the embedded model")
    parser.add_argument("--config", type=Path, help="the training's TOML, whose split is used")
    parser.add_argument("--write", action="store_true", help="into model.json and the card")
    parser.add_argument("--picture", type=Path, help="PNG of images, truth and what was found")
    return parser.parse_args(arguments)


def run(chosen: argparse.Namespace) -> None:
    """Measure what is asked for, print it and, if wished, write it."""
    name = NAMES[chosen.what]
    bundle = load_model(chosen.bundle or name)
    config = load_config(chosen.config or ROOT / f"docs/training/{name}.toml")
    samples, network = held_out(bundle, config), network_of(bundle)
    figures = MEASURES[chosen.what](samples, network, bundle)
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    if chosen.picture:
        draw(chosen.picture, samples, network, bundle.mpp)
    if chosen.write:
        write_card(bundle, figures)


if __name__ == "__main__":
    main()
