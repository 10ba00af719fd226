"""The folder of a training: config, environment, and what each fold left."""

from __future__ import annotations

import csv
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_breastpath.core.errors import UsageError
from napari_breastpath.results.files import whole, write_json, write_text
from napari_breastpath.results.folder import set_aside
from napari_breastpath.results.provenance import software_versions, version
from napari_breastpath.training.config import Config
from napari_breastpath.training.reading import config_toml

CONFIG, ENVIRONMENT, METRICS = "config.toml", "environment.json", "metrics.json"
CURVES, CONFUSION, SPLIT, BUNDLE = "curves.csv", "confusion.csv", "split.csv", "bundle"
# What may differ when a run is gone on with.
LIMITS = ("epochs", "patience", "minutes", "threads", "workers", "out")
PACKAGES = ("lightning", "scikit-learn", "torchvision", "timm", "safetensors")


def open_run(config: Config, resume: bool) -> Path:
    """Make a run folder, or go on with one of the same config, or of one that trains longer.

    Raises
    ------
    UsageError
        The folder holds a run of another config.
    """
    folder = Path(config.out)
    if not resume:
        set_aside(folder)
    text, file = config_toml(config), folder / CONFIG
    if file.is_file() and (was := file.read_text(encoding="utf-8")) != text:
        if (difference := _difference(was, text)) is not None:
            cause = f"holds a run of another config ({difference})"
            raise UsageError(folder, cause, "give another `out`, or --no-resume to start anew")
        for finished in folder.glob(f"fold-*/{METRICS}"):
            finished.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    write_text(file, text)
    return folder


def _difference(before: str, now: str) -> str | None:
    """Return the first line that two configs do not share, None where the limits alone differ."""
    lines = [
        [line for line in text.splitlines() if line.partition(" =")[0] not in LIMITS]
        for text in (before, now)
    ]
    if lines[0] == lines[1]:
        return None
    return next((line for line in lines[1] if line not in lines[0]), "keys were removed")


def write_environment(folder: Path, device: str) -> None:
    """Write what the figures rest on: software, processor, device."""
    import torch

    software = software_versions() | {name: version(name) or "none" for name in PACKAGES}
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    facts = machine | {"device": device, "torch_threads": torch.get_num_threads()}
    write_json(folder / ENVIRONMENT, {"software": software, "machine": facts})


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, whole or not at all."""
    with whole(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """Return what a finished fold wrote, None where it is not finished."""
    try:
        found: dict[str, Any] = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except OSError:
        return None
    return found


def without_nan(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Return figures as JSON can hold them: None for what is not a number."""
    return {name: value if value == value else None for name, value in figures.items()}
