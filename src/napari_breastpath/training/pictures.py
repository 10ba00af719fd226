"""Curves, confusion matrices and example predictions of a fold, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
EDGE_PX = 2
DPI = 110


def draw_curves(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Draw losses, figures and the learning rate of every epoch."""
    epochs = [row["epoch"] for row in history]
    figures = [k for k in history[0] if k.startswith("val_") and k != "val_loss"]
    groups = (["train_loss", "val_loss"], figures, ["rate"])
    figure = _figure(12, 3.5)
    for axis, names in zip(figure.subplots(1, 3), groups, strict=True):
        for name in names:
            axis.plot(epochs, [row[name] for row in history], marker=".", label=name)
        axis.set_xlabel("epoch")
        axis.legend(fontsize=7)
    figure.axes[1].set_ylim(0, 1)
    figure.axes[2].set_yscale("log")
    figure.savefig(path, dpi=DPI)


def draw_confusion(path: Path, confusion: NDArray[Any], names: Sequence[str]) -> None:
    """Draw a confusion matrix: rows the truth, columns what was found, shares of the row."""
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    figure = _figure(1.6 + 1.1 * len(names), 1.2 + 1.0 * len(names))
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{confusion[row, column]}\n{share:.1%}"
        shade = "white" if share > 0.5 else "black"
        axis.text(column, row, text, ha="center", va="center", color=shade, fontsize=8)
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(len(names)), names)
    axis.set_xlabel("found")
    axis.set_ylabel("truth")
    figure.savefig(path, dpi=DPI)


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_examples(path: Path, rows: Sequence[tuple[Rgb, NDArray[Any], NDArray[Any]]]) -> None:
    """Draw tiles side by side with their truth and what was found.

    Parameters
    ----------
    path : Path
    rows : sequence of (image, truth, found)
        uint8 (h, w, 3), and two of float (h, w) in 0–1.
    """
    from PIL import Image

    strips = [np.concatenate([_framed(each) for each in row], axis=1) for row in rows]
    Image.fromarray(np.concatenate(strips)).save(path)


def _framed(values: NDArray[Any]) -> Rgb:
    """Return a picture with a white edge; chances as grey levels."""
    if values.ndim == 2:
        values = np.repeat((values.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
    ends = (EDGE_PX, EDGE_PX)
    return np.pad(values, (ends, ends, (0, 0)), constant_values=255)
