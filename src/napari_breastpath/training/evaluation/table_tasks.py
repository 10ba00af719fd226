"""Evaluations of tables: slides, calibration, pN stages, BreakHis."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_breastpath.core.errors import UsageError
from napari_breastpath.report.patients import Finding, read_patients, roll_up
from napari_breastpath.training.evaluation.breakhis import aggregate, recognition_rates
from napari_breastpath.training.evaluation.calibration import (
    brier_score,
    expected_calibration_error,
    reliability,
)
from napari_breastpath.training.evaluation.config import EvaluationConfig
from napari_breastpath.training.evaluation.inputs import (
    are_results,
    flags,
    patients,
    read_cases,
    read_table,
    results_of,
)
from napari_breastpath.training.evaluation.prepared import Curve, Prepared
from napari_breastpath.training.evaluation.slide_measures import (
    axis_accuracy,
    help_total,
    rates,
    roc_auc,
    roc_curve,
)
from napari_breastpath.training.evaluation.stages import STAGES, quadratic_kappa, stage_index

if TYPE_CHECKING:
    import pandas as pd

    from napari_breastpath.results import Result

AXIS = "major_axis_mm"
BREAKHIS_NAME = re.compile(r"SOB_(?P<kind>[BM])_\w+-(?P<patient>\d+-\w+)-(?P<magnification>\d+)-")


def slides(config: EvaluationConfig) -> Prepared:
    """Prepare slide AUC, rates at the threshold and, with lengths, the challenge's measures."""
    table = _slides_table(config)
    truth, score = table["truth"].to_numpy(bool), table["score"].to_numpy(float)
    axes = table[[AXIS, "axis"]].to_numpy(float) if "axis" in table else None

    def statistic(cases: Any) -> dict[str, float]:
        found = {"auc": roc_auc(truth[cases], score[cases])}
        found |= rates(truth[cases], score[cases] > config.threshold)
        if axes is not None:
            right = axis_accuracy(*axes[cases].T)
            found |= {"axis_accuracy": right, "help_total": help_total(found["auc"], right)}
        return found

    fpr, tpr = roc_curve(truth, score)
    curve = Curve("roc", fpr, tpr, "1 − specificity", "sensitivity", diagonal=True)
    return Prepared(_own_patients(config, table), statistic, table, [curve])


def calibration(config: EvaluationConfig) -> Prepared:
    """Prepare Brier score and expected calibration error of probabilities."""
    table = _slides_table(config)
    truth, p = table["truth"].to_numpy(bool), table["score"].to_numpy(float)
    if p.min() < 0 or p.max() > 1:
        raise UsageError(config.predictions[0], "scores beyond 0–1", "give probabilities")
    bins = config.bins

    def statistic(cases: Any) -> dict[str, float]:
        error = expected_calibration_error(truth[cases], p[cases], bins)
        return {"brier": brier_score(truth[cases], p[cases]), "ece": error}

    rows = reliability(truth, p, bins)
    lines = rows["probability"].to_numpy(), rows["observed"].to_numpy()
    curve = Curve("reliability", *lines, "predicted probability", "observed share", diagonal=True)
    return Prepared(_own_patients(config, table), statistic, table, [curve])


def _own_patients(config: EvaluationConfig, table: pd.DataFrame) -> list[str]:
    return patients(config, table["slide"], table)


def _slides_table(config: EvaluationConfig) -> pd.DataFrame:
    """Return truth and prediction of every slide of the truth."""
    truth = read_cases(config.truth, config, ("slide", "metastasis"), (AXIS,))
    truth["truth"] = flags(config.truth, truth["metastasis"])
    given = _scores_of_results(config) if are_results(config) else _scores_of_csv(config)
    if twice := sorted(set(truth["slide"][truth["slide"].duplicated()])):
        raise UsageError(config.truth, f"names {twice[0]} twice", "keep one of the lines")
    keys = [key if key in given.index else Path(key).stem for key in truth["slide"]]
    if not set(keys) <= set(given.index):
        lacking = [key for key in keys if key not in given.index]
        cause = f"{len(lacking)} of {len(keys)} slides have no prediction ({lacking[0]} first)"
        raise UsageError(config.truth, cause, "predict them, or leave them out of the truth")
    found = given.loc[keys].set_index(truth.index)
    table = truth.assign(score=found["score"])
    if AXIS not in truth or "axis" not in found:
        return table.drop(columns=AXIS, errors="ignore")
    if truth[AXIS].isna().any() or found["axis"].isna().any():
        cause = f"not every slide has a {AXIS}"
        raise UsageError(config.truth, cause, "give all, 0 without tumour, or leave the column out")
    return table.assign(axis=found["axis"])


def _scores_of_csv(config: EvaluationConfig) -> pd.DataFrame:
    path = config.predictions[0]
    table = read_table(path, config, ("slide", "score"), ("score", AXIS))
    if table["score"].isna().any() or table["slide"].duplicated().any():
        raise UsageError(path, "a slide has no score, or two", "give each slide one")
    return table.rename(columns={AXIS: "axis"}).set_index("slide")


def _scores_of_results(config: EvaluationConfig) -> pd.DataFrame:
    import pandas as pd

    rows = {}
    for name, result in results_of(config).items():
        score = result.record["score"][config.row]["value"]
        rows[name] = {"score": score, "axis": _axis_mm(result, config)}
        rows.setdefault(Path(name).stem, rows[name])
    return pd.DataFrame.from_dict(rows, orient="index")


def _axis_mm(result: Result, config: EvaluationConfig) -> float:
    """Return a result's major axis in mm, as measured or as its second stage predicts it."""
    if config.axis == "measured":
        return float(result.record["regions"]["slide_major_axis_mm"] or 0)
    predicted = result.record["score"][config.row].get("predicted_major_axis_mm")
    if predicted is None:
        advice = 'analyse with a bundle that fit-score wrote, or say axis = "measured"'
        raise UsageError(result.path, "has no predicted major axis", advice)
    return float(predicted)


def stages(config: EvaluationConfig) -> Prepared:
    """Prepare CAMELYON17's kappa of patients' pN stages."""
    import pandas as pd

    truth = _stages_of_csv(config, config.truth)
    if are_results(config):
        given = _stages_of_results(config)
    else:
        given = _stages_of_csv(config, config.predictions[0])
    if lacking := sorted(set(truth) - set(given)):
        cause = f"{len(lacking)} patients have no predicted stage ({lacking[0]} first)"
        raise UsageError(config.truth, cause, "predict them, or leave them out of the truth")
    t = np.array([stage_index(truth[name]) for name in truth])
    p = np.array([stage_index(given[name]) for name in truth])

    def statistic(cases: Any) -> dict[str, float]:
        kappa = quadratic_kappa(t[cases], p[cases])
        return {"quadratic_kappa": kappa, "accuracy": float((t[cases] == p[cases]).mean())}

    table = {"patient": list(truth), "truth": list(truth.values())}
    cases = pd.DataFrame(table | {"predicted": [STAGES[k] for k in p]})
    return Prepared(list(truth), statistic, cases)


def _stages_of_csv(config: EvaluationConfig, path: str) -> dict[str, str]:
    """Return the stages of a CSV in CAMELYON17's form; rows of nodes are left out."""
    table = read_table(path, config, ("patient", "stage"))
    table = table[~table["patient"].str.contains("_node_")]
    return dict(zip(table["patient"].str.removesuffix(".zip"), table["stage"], strict=True))


def _stages_of_results(config: EvaluationConfig) -> dict[str, str]:
    if not config.nodes:
        raise UsageError("nodes", "is missing", "give a CSV patient, slide[, node]")
    found = {
        name: Finding(result.record["regions"]["category"] or None, True)
        for name, result in results_of(config).items()
    }
    people = roll_up(read_patients(Path(config.nodes)), found)
    if gaps := [p.name for p in people if p.open_nodes or p.stage is None]:
        advice = "analyse every slide with --specimen node"
        raise UsageError(gaps[0], "has a node without a category", advice)
    return {person.name: str(person.stage) for person in people}


def breakhis(config: EvaluationConfig) -> Prepared:
    """Prepare image- and patient-level rates of BreakHis, for every aggregation of patches."""
    patches = read_cases(config.predictions[0], config, ("image", "probability"), ("probability",))
    if patches["probability"].isna().any():
        raise UsageError(config.predictions[0], "a patch has no probability", "give it one")
    table = _breakhis_truth(config, patches)
    grouped = dict(list(patches.groupby("image")["probability"]))
    for how in config.aggregations:
        calls = [aggregate(grouped[image], how, config.threshold) for image in table["image"]]
        table[f"right_{how}"] = np.array(calls) == table["truth"]
    owners = np.array(patients(config, table["image"], table))

    def statistic(cases: Any) -> dict[str, float]:
        found: dict[str, float] = {}
        for how in config.aggregations:
            right = table[f"right_{how}"].to_numpy(bool)[cases]
            both = recognition_rates(right, owners[cases].tolist())
            found |= {f"{name}_{how}": value for name, value in both.items()}
        return found

    return Prepared(owners.tolist(), statistic, table)


def _breakhis_truth(config: EvaluationConfig, patches: pd.DataFrame) -> pd.DataFrame:
    """Return image, patient and truth, from a CSV or from BreakHis' own file names."""
    if config.truth:
        table = read_table(config.truth, config, ("image", "malignant"))
        table["truth"] = flags(config.truth, table["malignant"])
        if odd := sorted(set(table["image"]) ^ set(patches["image"])):
            advice = "give both, or leave it out"
            raise UsageError(odd[0], "has no truth or no prediction", advice)
        return table
    names = patches["image"].drop_duplicates().reset_index(drop=True)
    parts = names.map(lambda name: Path(name).name).str.extract(BREAKHIS_NAME)
    if parts["kind"].isna().any():
        name = names[parts["kind"].isna()].iloc[0]
        raise UsageError(
            name, "is no name of BreakHis", "give a truth CSV image, patient, malignant"
        )
    return parts.assign(image=names, truth=parts["kind"] == "M")
