"""What an evaluation leaves: lines for the terminal, metrics.json, cases.csv and plots."""

from __future__ import annotations

import dataclasses
import html
import math
from pathlib import Path
from typing import Any

from napari_breastpath.core.errors import UsageError
from napari_breastpath.results.files import whole, write_json, write_text, written
from napari_breastpath.training.evaluation.bootstrap import Estimate
from napari_breastpath.training.evaluation.config import EvaluationConfig
from napari_breastpath.training.evaluation.prepared import Curve, Evaluation

METRICS, CASES, PAGE = "metrics.json", "cases.csv", "evaluation.html"


def lines(evaluation: Evaluation, confidence: float) -> list[str]:
    """Return the measures as a table for the terminal."""
    cases, patients = len(evaluation.prepared.patients), evaluation.patients
    head = f"{'measure':<22} {'value':>8}   {100 * confidence:g} % interval"
    rows = [
        f"{name:<22} {_number(e.value):>8}   {_interval(e)}"
        for name, e in evaluation.measures.items()
    ]
    notes = [f"note: {text}" for text in evaluation.prepared.notes]
    return [f"{evaluation.task}: {cases} cases of {patients} patients", head, *rows, *notes]


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _interval(e: Estimate) -> str:
    return "–" if math.isnan(e.low) else f"{e.low:.4f} – {e.high:.4f}"


def record(evaluation: Evaluation, config: EvaluationConfig) -> dict[str, Any]:
    """Return what metrics.json holds; undefined is null."""

    def plain(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "task": evaluation.task,
        "cases": len(evaluation.prepared.patients),
        "patients": evaluation.patients,
        "measures": {
            name: {key: plain(value) for key, value in dataclasses.asdict(estimate).items()}
            for name, estimate in evaluation.measures.items()
        },
        "notes": list(evaluation.prepared.notes),
        "config": dataclasses.asdict(config),
    }


def write_evaluation(evaluation: Evaluation, config: EvaluationConfig, out: Path) -> list[Path]:
    """Write metrics.json, cases.csv, one PNG per curve and a page into `out`.

    Returns
    -------
    list of Path
        What was written.
    """
    with written(out):
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / METRICS, record(evaluation, config))
        with whole(out / CASES) as draft:
            evaluation.prepared.cases.to_csv(draft, index=False)
        plots = [_plot(curve, out) for curve in evaluation.prepared.curves]
        write_text(out / PAGE, _page(evaluation, config, plots))
    return [out / METRICS, out / CASES, *plots, out / PAGE]


def _plot(curve: Curve, out: Path) -> Path:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        advice = 'pip install "napari-breastpath[train]", or leave out --out'
        raise UsageError("--out", f"plots need matplotlib ({error})", advice) from error
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    if curve.diagonal:
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot(curve.x, curve.y, marker=".")
    axes.set(xlabel=curve.x_label, ylabel=curve.y_label, ylim=(-0.02, 1.02))
    path = out / f"{curve.name}.png"
    figure.savefig(path, dpi=120)
    return path


def _page(evaluation: Evaluation, config: EvaluationConfig, plots: list[Path]) -> str:
    rows = "".join(
        f"<tr><th scope=row>{html.escape(name)}</th><td>{_number(e.value)}</td>"
        f"<td>{_interval(e)}</td></tr>"
        for name, e in evaluation.measures.items()
    )
    pictures = "".join(f'<p><img src="{p.name}" alt="{p.stem} curve"></p>' for p in plots)
    cases = f"{len(evaluation.prepared.patients)} cases of {evaluation.patients} patients"
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Evaluation: {evaluation.task}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:50rem}}
th,td{{text-align:left;padding:.2rem 1rem .2rem 0}}</style>
<h1>Evaluation: {evaluation.task}</h1>
<p>{cases}; {100 * config.confidence:g} % percentile intervals of {config.bootstrap} bootstrap
replicates over patients.</p>
<table><tr><th>measure</th><th>value</th><th>interval</th></tr>{rows}</table>
{pictures}
</html>
"""
