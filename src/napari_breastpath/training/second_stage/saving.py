"""A second stage in a bundle: skops files, their hashes, and what the card says of them."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_breastpath.core.errors import ModelError, UsageError
from napari_breastpath.measure import FEATURE_NAMES
from napari_breastpath.models import ModelBundle, load_model
from napari_breastpath.models.bundle import MANIFEST
from napari_breastpath.models.saving import write_manifest
from napari_breastpath.models.second_stage import (
    CLASSIFIER,
    FOLDER,
    REGRESSOR,
    load_second_stage,
    millimetres,
)
from napari_breastpath.results.files import write_text, written
from napari_breastpath.results.provenance import version
from napari_breastpath.training.second_stage.table import Samples

if TYPE_CHECKING:
    import pandas as pd

PROBES = 4
PACKAGES = ("scikit-learn", "skops", "xgboost-cpu", "xgboost", "lightgbm")
HEADING = "## Second stage"


@dataclass(frozen=True)
class Facts:
    """How a second stage was made."""

    classifier: str
    regressor: str
    table: pd.DataFrame
    samples: Samples
    folds: int
    seed: int
    row: str


def find_bundle(out: Path, model: str | Path | None, recorded: Mapping[str, str]) -> ModelBundle:
    """Return the bundle that is to get a second stage.

    Parameters
    ----------
    out : Path
        Where it goes; a bundle that is there already gets a new second stage.
    model : str or Path, optional
        By default the bundle in `out`, else the one that the results name.
    recorded : mapping
        `name`, `sha256` and `folder` of the network that made the features, as far as known.

    Raises
    ------
    UsageError
        It cannot be told which, or `out` holds something else.
    ModelError
        It cannot be loaded, or is not the network that made the features.
    """
    if out.exists() and not (out / MANIFEST).is_file() and (out.is_file() or any(out.iterdir())):
        raise UsageError(out, "holds something that is no bundle", "give a new folder")
    bundle = _load(out, model, recorded)
    if not (bundle.folder / MANIFEST).is_file():
        raise ModelError(bundle.folder, f"has no {MANIFEST} to name a second stage", "use another")
    if (out / MANIFEST).is_file() and load_model(out).sha256 != bundle.sha256:
        raise UsageError(out, "holds another model", "give a new folder")
    if recorded.get("sha256", bundle.sha256) != bundle.sha256:
        cause = f"is not the model that made the features ({recorded['name']})"
        raise ModelError(bundle.folder, cause, "give that one as --model")
    return bundle


def _load(out: Path, model: str | Path | None, recorded: Mapping[str, str]) -> ModelBundle:
    if model is not None:
        return load_model(model)
    if (out / MANIFEST).is_file():
        return load_model(out)
    if not recorded:
        advice = "say with --model which bundle's maps they describe"
        raise UsageError("features", "do not name their model", advice)
    folder = recorded.get("folder")
    near = folder is not None and (Path(folder) / MANIFEST).is_file()
    return load_model(folder if folder and near else recorded["name"])


def save_second_stage(
    bundle: ModelBundle, out: Path, classifier: Any, regressor: Any, facts: Facts
) -> ModelBundle:
    """Write a bundle with a second stage into `out`, and read it back as a check.

    Returns
    -------
    ModelBundle
        The one in `out`, named like the folder.
    """
    with written(out):
        if out.resolve() != bundle.folder.resolve():
            shutil.copytree(bundle.folder, out, dirs_exist_ok=True)
        shutil.rmtree(out / FOLDER, ignore_errors=True)
        (out / FOLDER).mkdir()
        entry = _entry(facts, classifier, regressor)
        for name, estimator in ((CLASSIFIER, classifier), (REGRESSOR, regressor)):
            if estimator is not None:
                entry[name] |= _write(out / FOLDER / f"{name}.skops", estimator)
        result = dataclasses.replace(
            bundle, folder=out, name=out.resolve().name, second_stage=entry
        )
        write_manifest(result)
        _describe(result, facts)
    load_second_stage(result)
    return result


def _write(path: Path, estimator: Any) -> dict[str, str]:
    import zipfile

    import skops.io as sio

    content = sio.dumps(estimator, compression=zipfile.ZIP_DEFLATED)
    path.write_bytes(content)
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}


def _entry(facts: Facts, classifier: Any, regressor: Any) -> dict[str, Any]:
    """Return the manifest's entry, but for the files."""
    samples = facts.samples
    found = {name: version(name) for name in PACKAGES}
    columns = samples.features
    return {
        CLASSIFIER: {"estimator": facts.classifier},
        REGRESSOR: {"estimator": facts.regressor} if regressor is not None else None,
        "features": list(FEATURE_NAMES),
        "ranges": np.column_stack((columns.min(axis=0), columns.max(axis=0))).tolist(),
        "probe": _probe(columns[:: max(1, len(columns) // PROBES)][:PROBES], classifier, regressor),
        "slides": len(samples.slides),
        "patients": len(set(samples.patients)),
        "folds": facts.folds,
        "seed": facts.seed,
        "row": facts.row,
        "metrics": _metrics(facts),
        "software": {name: value for name, value in found.items() if value},
    }


def _probe(rows: Any, classifier: Any, regressor: Any) -> dict[str, Any]:
    """Return some rows of features and what the estimators give for them."""
    lengths = [None] * len(rows) if regressor is None else regressor.predict(rows).tolist()
    return {
        "features": rows.tolist(),
        "probability": classifier.predict_proba(rows)[:, 1].tolist(),
        "major_axis_mm": [None if v is None else millimetres(v) for v in lengths],
    }


def _metrics(facts: Facts) -> dict[str, float]:
    """Return the chosen estimators' out-of-fold scores; what is undefined is left out."""
    axis = ("mae_mm", "mae_log", "axis_accuracy")
    rows: dict[str, dict[str, float]] = facts.table.T.to_dict()  # type: ignore[assignment]
    of_axis = rows[facts.regressor] if facts.regressor else {}
    scores = {k: v for k, v in rows[facts.classifier].items() if not k.startswith(axis)}
    scores |= {k: v for k, v in of_axis.items() if k.startswith(axis)}
    return {name: float(value) for name, value in scores.items() if np.isfinite(value)}


def _describe(bundle: ModelBundle, facts: Facts) -> None:
    """Write the section of the card that tells of the second stage, in place of an older one."""
    card = (
        bundle.card.read_text(encoding="utf-8") if bundle.card.is_file() else f"# {bundle.name}\n"
    )
    rest = re.sub(rf"\n*{HEADING}\n.*?(?=\n## |\Z)", "", card, flags=re.DOTALL)
    write_text(bundle.card, f"{rest.rstrip()}\n\n{_section(facts)}")


def _section(facts: Facts) -> str:
    scores, samples = _metrics(facts), facts.samples
    rows = [
        f"| {name} | {value:.3f} | {scores.get(f'{name}_sd', float('nan')):.3f} |\n"
        for name, value in scores.items()
        if not name.endswith("_sd")
    ]
    return f"""{HEADING}

Metastasis: {facts.classifier}; major axis: {facts.regressor or "not fitted"}. Fitted on
{len(samples.slides)} slides of {len(set(samples.patients))} patients, {samples.metastasis.sum()}
slides with metastasis; features of the row `{facts.row}`.

Cross validated in {facts.folds} folds by patient. The estimator was chosen on these very figures,
so they are somewhat too good. Spread: standard deviation over the folds.

| measure | out of fold | spread |
|---|---|---|
{"".join(rows)}"""
