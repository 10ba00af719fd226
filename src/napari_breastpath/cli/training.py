"""`breastpath train`: call the room, show the curves as they grow."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_breastpath.cli.terminal import complain

if TYPE_CHECKING:
    from napari_breastpath.core.progress import Progress
    from napari_breastpath.training import Trained

BARS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 24
OK, INTERRUPTED = 0, 130
ALL_THERE = "it was all there; --no-resume trains anew, on annotations that changed, say"


class TrainingReporter:
    """Shows a bar within the epoch on a terminal, and a line per epoch everywhere."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._fold = 0
        self._losses: list[float] = []

    def __call__(self, progress: Progress) -> None:
        """Take one step of progress."""
        from napari_breastpath.training import TrainingProgress

        if not isinstance(progress, TrainingProgress):
            return
        if progress.row:
            self._end_epoch(progress.fold, progress.epochs, progress.row)
        elif sys.stderr.isatty():
            self._draw(progress.stage, progress.done, progress.total)
        elif progress.stage != "training":
            complain(f"{progress.stage} …")

    def close(self) -> None:
        """End the bar, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _draw(self, stage: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if self._bar is None or self._bar.total != total:
            self.close()
            self._bar = tqdm(total=total, desc=stage, unit="batch", leave=False)
        self._bar.update(done - self._bar.n)

    def _end_epoch(self, fold: int, epochs: int, row: Mapping[str, float]) -> None:
        self.close()
        if fold != self._fold:
            self._fold, self._losses = fold, []
        self._losses.append(row["val_loss"])
        complain(epoch_line(fold, epochs, row, self._losses))


def epoch_line(fold: int, epochs: int, row: Mapping[str, float], losses: Sequence[float]) -> str:
    """Return one epoch as one line, the validation losses so far as a small curve."""
    figures = [
        f"{name.removeprefix('val_')} {value:.3f}"
        for name, value in row.items()
        if name.startswith("val_") and name != "val_loss"
    ][:3]
    parts = [
        f"fold {fold}  epoch {row['epoch']:.0f}/{epochs}",
        f"loss {row['train_loss']:.3f}",
        f"validation {row['val_loss']:.3f}",
        *figures,
        f"rate {row['rate']:.0e}",
        f"{row['seconds']:.0f} s",
    ]
    return "  ".join([*parts, sparkline(losses)])


def sparkline(values: Sequence[float]) -> str:
    """Return the last values as bars of eight heights, the largest the highest."""
    shown = [value for value in values[-SPARK_WIDTH:] if value == value]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(BARS[round((value - low) / span * (len(BARS) - 1))] for value in shown)


def train(args: Namespace) -> int:
    """Train a model as a config says, or go on with it."""
    import dataclasses

    from napari_breastpath.cli.commands import interruptible
    from napari_breastpath.training import load_config
    from napari_breastpath.training import train as run

    config = load_config(args.config)
    if args.out is not None:
        config = dataclasses.replace(config, out=str(Path(args.out).absolute()))
    for text in dict.fromkeys(
        f"{s.title}: {s.whose_unknown}" for s in config.sources if s.whose_unknown
    ):
        complain(text)
    reporter = TrainingReporter()
    with interruptible() as stop:
        try:
            done = run(
                config,
                resume=not args.no_resume,
                fold=args.fold,
                device=args.device,
                progress=reporter,
                stop=stop,
            )
        finally:
            reporter.close()
    print("\n".join(summary(done)))
    return INTERRUPTED if done.stopped else OK


def summary(done: Trained) -> list[str]:
    """Return what is left of a training, in a few lines."""
    lines = [f"run            {done.folder}"]
    for number, metrics in sorted(done.folds.items()):
        figures = metrics["figures"]
        words = "  ".join(f"{k} {v:.3f}" for k, v in figures.items() if v is not None)
        lines.append(f"fold {number}         {words}")
    if not (done.is_new or done.stopped):
        lines.append(f"nothing new    {ALL_THERE}")
    if done.bundle is not None:
        lines.append(f"bundle         {done.bundle.folder}")
        if done.bundle.task != "detection":
            command = f"breastpath analyze SLIDE --model {done.bundle.folder} --out DIR"
            lines.append(f"try it         {command}")
    return lines
