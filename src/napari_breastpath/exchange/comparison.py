"""Two readers' comparison as CSV: figures a class, and a second file with the differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_breastpath.edits.compare import Agreement, Comparison
from napari_breastpath.exchange.tables import provenance_columns
from napari_breastpath.results import Result
from napari_breastpath.results.files import whole, written

SIDES = ("a", "b")
PAIRS = ("area_mm2", "longest_feret_mm", "category")
OWN = ("threshold", "edited", "reviewed_by", "reviewed_at")
"""Provenance that may differ between two results of one slide and model."""
BOXES = {name: f"{name}_level0_px" for name in ("x", "y", "width", "height")}


def export_comparison(
    found: Comparison, results: tuple[Result, Result], path: Path
) -> tuple[Path, Path]:
    """Write a comparison as two CSV files, each row with its provenance.

    Parameters
    ----------
    found : Comparison
    results : (Result, Result)
        What was compared, in this order.
    path : Path
        For the figures: a row a class, and one for what counts as tumour where that is more than
        one class; lengths and areas of A and B in columns that end in `_a` and `_b`.

    Returns
    -------
    (Path, Path)
        `path`, and its neighbour `….differences.csv`: a row a difference, boxes in level-0 px.

    Raises
    ------
    ResultError
        A file cannot be written.
    """
    import pandas as pd

    shared = _provenance(found, results)
    figures = pd.DataFrame([_row(each) for each in with_tumour(found)]).assign(**shared)
    differences = found.differences.rename(columns=BOXES).assign(**shared)
    beside = path.with_name(f"{path.stem}.differences{path.suffix or '.csv'}")
    for table, place in ((figures, path), (differences, beside)):
        with written(place), whole(place) as draft:
            table.to_csv(draft, index=False)
    return path, beside


def with_tumour(found: Comparison) -> Iterator[Agreement]:
    """Yield the agreement on each class, then on tumour as a whole unless it is one of them."""
    yield from found.classes
    if found.tumour not in found.classes:
        yield found.tumour


def _row(agreement: Agreement) -> dict[str, Any]:
    values = asdict(agreement)
    pairs = {name: values.pop(name) for name in PAIRS}
    values["class"] = values.pop("class_name")
    sides = {f"{name}_{s}": v for name in PAIRS for s, v in zip(SIDES, pairs[name], strict=True)}
    return {"class": values.pop("class")} | values | sides


def _provenance(found: Comparison, results: tuple[Result, Result]) -> dict[str, Any]:
    columns = [provenance_columns(result) for result in results]
    shared = {k: v for k, v in columns[0].items() if k not in OWN and columns[1].get(k) == v}
    own = {
        f"{name}_{side}": facts.get(name, "")
        for name in OWN
        for side, facts in zip(SIDES, columns, strict=True)
    }
    for side, folder, readers in zip(SIDES, found.paths, found.readers, strict=True):
        own |= {f"result_{side}": folder.name, f"reader_{side}": "; ".join(readers)}
    return own | shared
