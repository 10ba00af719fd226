"""`breastpath evaluate` and `breastpath fit-score`: measures and the second stage."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from napari_breastpath.cli.terminal import complain

if TYPE_CHECKING:
    from napari_breastpath.core.progress import Progress
    from napari_breastpath.training.second_stage import Fitted

COLUMNS = {
    "auc": "AUC",
    "brier": "Brier",
    "log_loss": "log loss",
    "mae_mm": "axis error mm",
    "mae_log": "log(1+mm) error",
    "axis_accuracy": "within 5 %",
}


def evaluate(args: Namespace) -> int:
    """Compare predictions with the truth and print the measures."""
    from napari_breastpath.training.evaluation import evaluate as run
    from napari_breastpath.training.evaluation import load_evaluation, output

    config = load_evaluation(args.config)
    done = run(config)
    if args.out is not None:
        for path in output.write_evaluation(done, config, args.out):
            complain(path)
    if args.json:
        print(json.dumps(output.record(done, config)))
    else:
        print("\n".join(output.lines(done, config.confidence)))
    return 0


def fit_score(args: Namespace) -> int:
    """Fit the second stage on features and labels of slides."""
    from napari_breastpath.training.second_stage import fit_score as run

    done = run(
        args.features,
        args.labels,
        args.out,
        args.model,
        args.estimator,
        args.folds,
        args.seed,
        args.row,
        _say,
    )
    print(json.dumps(_record(done)) if args.json else "\n".join(_lines(done)))
    return 0


def _say(progress: Progress) -> None:
    if not sys.stderr.isatty():
        return
    print(
        f"\rcomparing {progress.done + 1}/{progress.total}", end="\r", file=sys.stderr, flush=True
    )


def _lines(done: Fitted) -> list[str]:
    """Return the comparison as a table: out-of-fold score ± spread over the folds."""
    names = [name for name in COLUMNS if name in done.table]
    lines = [f"{done.slides} slides of {done.patients} patients; out of fold, ± SD over folds"]
    lines.append(f"{'estimator':<18}" + "".join(f"{COLUMNS[name]:>18}" for name in names))
    for name, row in done.table.iterrows():
        cells = (f"{row[each]:.3f} ± {row[f'{each}_sd']:.3f}" for each in names)
        lines.append(f"{name:<18}" + "".join(f"{cell:>18}" for cell in cells))
    lines.append(f"chosen: {done.classifier} (metastasis), {done.regressor or 'none'} (major axis)")
    lines += [f"note: {text}" for text in done.notes]
    return lines + ([f"bundle {done.bundle.folder}"] if done.bundle else [])


def _record(done: Fitted) -> dict[str, Any]:
    """Return what --json prints; undefined is null."""
    scores: dict[Any, dict[Any, Any]] = done.table.T.to_dict()
    facts = {f.name: getattr(done, f.name) for f in dataclasses.fields(done)}
    return facts | {
        "table": {
            name: {key: value if value == value else None for key, value in row.items()}
            for name, row in scores.items()
        },
        "bundle": str(done.bundle.folder) if done.bundle else None,
    }
