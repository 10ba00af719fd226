"""The slide's score: by the model's second stage where it has one, else the heatmap's maximum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure import slide_score
from napari_breastpath.models import ModelBundle, list_models
from napari_breastpath.models.bundle import MANIFEST
from napari_breastpath.models.manifest import read_manifest
from napari_breastpath.models.second_stage import SCORE_NAME, SecondStage, load_second_stage
from napari_breastpath.results import Result
from napari_breastpath.results.provenance import second_stage_record

if TYPE_CHECKING:
    import pandas as pd

REMARK = "second stage: "


def scored(result: Result, features: pd.DataFrame, model: ModelBundle | None) -> dict[str, Any]:
    """Return what changes in the record: `score`, `warnings` and, with another model, `model`.

    Parameters
    ----------
    result : Result
    features : DataFrame
        Rows `model` and `corrected`, the 28 features.
    model : ModelBundle or None
        The bundle to score with; by default the one that the record names, as it is now.

    Raises
    ------
    UsageError
        `model` is not the network that made the map.
    ModelError
        Its second stage was changed, or cannot be used here.
    """
    record = result.record["model"]
    if model is not None:
        if model.sha256 != record["sha256"]:
            advice = "give a bundle with the same network, or analyse the slide with this one"
            raise UsageError(model.folder, "is not the model that made this map", advice)
        record = record | second_stage_record(model)
    stage = load_second_stage(model) if model else _stage(record)
    rows: dict[str, dict[str, float]] = features.T.to_dict()  # type: ignore[assignment]
    remarks = _remarks(stage, rows["corrected"])
    if stage is None and record.get("second_stage"):
        remarks = [f"not found in {record['folder']}; the score is the heatmap's maximum"]
    kept = [text for text in result.record.get("warnings", ()) if not text.startswith(REMARK)]
    return {
        "model": record,
        "score": {kind: score_of(row, stage) for kind, row in rows.items()},
        "warnings": kept + [REMARK + text for text in remarks],
    }


def _bundles(record: Mapping[str, Any]) -> Iterator[ModelBundle]:
    """Yield bundles with the recorded network: in its folder, else installed under its name."""
    folder = Path(record.get("folder") or "no folder is recorded")
    near = [read_manifest(folder)] if (folder / MANIFEST).is_file() else []
    named = (bundle for bundle in list_models() if bundle.name == record["name"])
    yield from (b for b in (*near, *named) if b.sha256 == record["sha256"])


def _remarks(stage: SecondStage | None, row: Mapping[str, float]) -> list[str]:
    outside = stage.outside(row) if stage else []
    if not outside:
        return []
    count, names = len(outside), ", ".join(outside[:3]) + (" …" if len(outside) > 3 else "")
    return [f"{count} of 28 features lie beyond the slides it was fitted on ({names})"]


def second_stage(result: Result) -> SecondStage | None:
    """Return the second stage that a result is scored with by default, if its model has one."""
    return _stage(result.record["model"])


def _stage(record: Mapping[str, Any]) -> SecondStage | None:
    bundle = next(_bundles(record), None)
    return load_second_stage(bundle) if bundle else None


def score_of(row: Mapping[str, float], stage: SecondStage | None) -> dict[str, Any]:
    """Return the score of one row of features, as result.json has it."""
    heat = slide_score(row)
    if stage is None:
        return {"name": heat.name, "value": heat.value}
    found = stage.predict(row)
    return {
        "name": SCORE_NAME,
        "value": found.probability,
        "predicted_major_axis_mm": found.major_axis_mm,
        heat.name: heat.value,
    }
