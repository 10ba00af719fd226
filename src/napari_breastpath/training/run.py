"""`train`: config → samples → folds → networks → bundle."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.progress import ProgressCallback, ignore_progress
from napari_breastpath.models import ModelBundle, choose_device, load_model
from napari_breastpath.results.files import write_json, written
from napari_breastpath.results.lock import alone
from napari_breastpath.training import runfolder
from napari_breastpath.training.bundling import bundle_metrics, write_bundle
from napari_breastpath.training.calibrate import fit_temperature, likelihood_gain
from napari_breastpath.training.config import Config
from napari_breastpath.training.examples import examples
from napari_breastpath.training.loop import Job, Stopped, Trainer
from napari_breastpath.training.pictures import draw_confusion, draw_curves, draw_examples
from napari_breastpath.training.progress import TrainingProgress
from napari_breastpath.training.reading import load_config
from napari_breastpath.training.runfolder import without_nan
from napari_breastpath.training.sampling import Tiles, find_tiles
from napari_breastpath.training.sources import Sample, read_sides
from napari_breastpath.training.split import Fold, check_leakage, make_folds
from napari_breastpath.training.stains import (
    as_target,
    restains,
    stain_target,
    training_domain,
    training_pixels,
)
from napari_breastpath.training.state import Row
from napari_breastpath.training.tiles import Cutter


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes
    ----------
    folder : Path
        The run folder.
    bundle : ModelBundle or None
        None where folds are still missing.
    folds : dict of int to dict
        Each finished fold's figures.
    stopped : bool
        Somebody stopped it; run it again to go on.
    is_new : bool
        False where every fold was there already.
    """

    folder: Path
    bundle: ModelBundle | None
    folds: dict[int, dict[str, Any]]
    stopped: bool = False
    is_new: bool = True


@dataclass(frozen=True)
class Order:
    """Who wants what of a training beside its config."""

    device: str = "auto"
    progress: ProgressCallback = ignore_progress
    stop: threading.Event | None = None


def train(
    config: Config | Path | str,
    *,
    resume: bool = True,
    fold: int | None = None,
    device: str = "auto",
    progress: ProgressCallback | None = None,
    stop: threading.Event | None = None,
) -> Trained:
    """Train a model, or go on with an interrupted training.

    Parameters
    ----------
    config : Config, Path or str
        Or the TOML file that holds it.
    resume : bool, by default True
        False moves an earlier run folder aside first.
    fold : int, optional
        Train only this fold, from 1.
    device : str, by default "auto"
    progress : callable, optional
        Called in this thread with `TrainingProgress`.
    stop : threading.Event, optional
        Set it to stop soon; finished epochs are kept.

    Returns
    -------
    Trained

    Raises
    ------
    UsageError, ModelError, InferenceError, SlideError, AnnotationError, ResultError
        Each one line: subject, cause, what to do.
    """
    config = config if isinstance(config, Config) else load_config(config)
    if fold is not None and not 1 <= fold <= config.folds:
        raise UsageError("--fold", f"{fold} is not one of {config.folds}", "choose from 1")
    order = Order(device, progress or ignore_progress, stop)
    with written(Path(config.out)):
        folder = runfolder.open_run(config, resume)
        with alone(folder):
            return _train(config, folder, fold, order)


def _train(config: Config, folder: Path, only: int | None, order: Order) -> Trained:
    runfolder.write_environment(folder, choose_device(order.device).name)
    order.progress(TrainingProgress("images", 0, 1))
    samples, tiles, folds = parted(config)
    runfolder.write_table(folder / runfolder.SPLIT, _split_rows(folds))
    before = len(_finished(folder, folds))
    try:
        for one in folds:
            if only in (None, one.number):
                _finish_fold(config, folder, one, samples, tiles, order)
    except Stopped:
        return Trained(folder, None, _finished(folder, folds), stopped=True)
    done = _finish(config, folder, folds)
    return dataclasses.replace(done, is_new=len(done.folds) > before)


def parted(config: Config) -> tuple[list[Sample], Tiles, list[Fold]]:
    """Return a config's images, their tiles and its folds: the same whenever it is asked."""
    samples, held_out = read_sides(config)
    check_leakage(Fold(0, tuple(samples), tuple(held_out)), "is held out")
    tiles = find_tiles(samples, config)
    return samples, tiles, make_folds(samples, _kinds(len(samples), tiles), config)


def _kinds(count: int, tiles: Tiles) -> list[int]:
    """Return what each sample mostly holds: 0 nothing, k class k."""
    found = [np.bincount(tiles.kind[tiles.sample == k], minlength=2) for k in range(count)]
    return [int(each[1:].argmax()) + 1 if each[1:].any() else 0 for each in found]


def _split_rows(folds: Sequence[Fold]) -> list[dict[str, Any]]:
    """Return split.csv: which image is on which side of which fold."""
    return [
        {"fold": fold.number, "side": side, "patient": s.patient, "image": s.path.name}
        for fold in folds
        for side, samples in (("training", fold.training), ("validation", fold.validation))
        for s in samples
    ]


def _fold_folder(folder: Path, number: int) -> Path:
    return folder / f"fold-{number}"


def _finish_fold(
    config: Config,
    folder: Path,
    fold: Fold,
    samples: Sequence[Sample],
    tiles: Tiles,
    order: Order,
) -> None:
    """Train one fold to its end, unless it is there already."""
    own = _fold_folder(folder, fold.number)
    if runfolder.read_metrics(own) is not None:
        return
    own.mkdir(exist_ok=True)
    training, validation = (
        _part(tiles, samples, part) for part in (fold.training, fold.validation)
    )
    _check(fold, training, validation, order)
    order.progress(TrainingProgress("stain", 0, 1, fold=fold.number))
    pixels = training_pixels(fold.training, training, config)
    target = stain_target(pixels, config)
    restain = restains(fold.training, training, target, config)
    job = Job(
        fold.number,
        config,
        Cutter(fold.training, training, config, restain),
        Cutter(fold.validation, validation, config),
        own,
        order.device,
        order.progress,
        order.stop,
    )
    trainer = Trainer(job)
    trainer.resume()
    _keep_curves(trainer, order)
    facts = {
        "stain": as_target(target, config.stain.method),
        "training_domain": training_domain(pixels),
    }
    write_json(own / runfolder.METRICS, _measure(trainer) | facts)


def _check(fold: Fold, training: Tiles, validation: Tiles, order: Order) -> None:
    """Refuse a side without tiles; stop before the long work where somebody asked."""
    for side, tiles in (("train", training), ("validate", validation)):
        if not len(tiles):
            cause = f"the patients that {side} have no tile with tissue"
            raise UsageError(f"fold {fold.number}", cause, "lower fit.min_tissue, or split anew")
    if order.stop is not None and order.stop.is_set():
        raise Stopped


def _part(tiles: Tiles, samples: Sequence[Sample], chosen: Sequence[Sample]) -> Tiles:
    """Return the tiles of some samples, numbered as these are."""
    numbers = {id(sample): k for k, sample in enumerate(chosen)}
    new = np.array([numbers.get(id(sample), -1) for sample in samples], np.int64)[tiles.sample]
    keep = new >= 0
    return Tiles(new[keep], tiles.centre[keep], tiles.reach[keep], tiles.kind[keep])


def _keep_curves(trainer: Trainer, order: Order) -> None:
    """Train, with curves.csv as it grows (and whole, whenever it was killed) and curves.png."""
    folder, rows = trainer.job.folder, trainer.state.history
    try:
        for history in trainer.epochs():
            rows = history
            runfolder.write_table(folder / runfolder.CURVES, rows)
    finally:
        if rows:
            runfolder.write_table(folder / runfolder.CURVES, rows)
            draw_curves(folder / "curves.png", rows)


def _measure(trainer: Trainer) -> dict[str, Any]:
    """Return the figures of a fold's best weights, having drawn what they find."""
    job = trainer.job
    trainer.load_best()
    tally = trainer.validate()
    logits, truth = np.concatenate(tally.logits), np.concatenate(tally.truths)
    temperature = fit_temperature(logits, truth)
    names = _class_names(job.config)
    rows = [
        dict(zip(("truth", *names), (name, *map(int, counts)), strict=True))
        for name, counts in zip(names, tally.confusion, strict=True)
    ]
    runfolder.write_table(job.folder / runfolder.CONFUSION, rows)
    draw_confusion(job.folder / "confusion.png", tally.confusion, names)
    shown = examples(trainer, temperature)
    if shown:
        draw_examples(job.folder / "examples.png", shown)
    history: list[Row] = trainer.state.history
    best = min(history, key=lambda row: row["val_loss"])
    return {
        "figures": without_nan(tally.figures(job.config)),
        "temperature": temperature,
        "calibration_gain": likelihood_gain(logits, truth, temperature),
        "epochs": len(history),
        "best_epoch": int(best["epoch"]),
        "seconds": round(sum(row["seconds"] for row in history), 1),
    }


def _class_names(config: Config) -> list[str]:
    names = [one.name for one in config.classes]
    return names if len(names) > 1 else [f"no {names[0]}", names[0]]


def _finished(folder: Path, folds: Sequence[Fold]) -> dict[int, dict[str, Any]]:
    found = {f.number: runfolder.read_metrics(_fold_folder(folder, f.number)) for f in folds}
    return {number: metrics for number, metrics in found.items() if metrics is not None}


def _finish(config: Config, folder: Path, folds: Sequence[Fold]) -> Trained:
    """Write the bundle once every fold is there."""
    done = _finished(folder, folds)
    if len(done) < len(folds):
        return Trained(folder, None, done)
    ordered = sorted(done, key=lambda number: done[number]["figures"]["loss"])
    chosen = ordered[(len(ordered) - 1) // 2]
    figures = [done[fold.number]["figures"] for fold in folds]
    metrics = bundle_metrics(folds, figures, chosen)
    write_json(folder / runfolder.METRICS, metrics)
    network = _best_network(config, _fold_folder(folder, chosen))
    bundle = write_bundle(config, folder / runfolder.BUNDLE, network, done[chosen], metrics)
    return Trained(folder, load_model(bundle.folder), done)


def _best_network(config: Config, folder: Path) -> Any:
    from safetensors.torch import load_file

    from napari_breastpath.models.networks import empty_network
    from napari_breastpath.training.loop import BEST
    from napari_breastpath.training.starting import architecture_of

    network = empty_network(architecture_of(config), len(config.classes), folder)
    network.load_state_dict(load_file(folder / BEST))
    return network
