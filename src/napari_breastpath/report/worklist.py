"""Many slides on one page: what needs a look first, and patients from their nodes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.report.certainty import category_variants
from napari_breastpath.report.overview import extent_text, longest_region
from napari_breastpath.report.page import render
from napari_breastpath.report.patients import (
    SEVERITY,
    STAGE_RULE,
    Finding,
    NodeSlide,
    Patient,
    read_patients,
    roll_up,
)
from napari_breastpath.report.remarks import NEAR_LIMIT, WARNING, is_demonstration, remarks
from napari_breastpath.report.tables import slide_name
from napari_breastpath.report.wording import (
    NOTHING,
    STATUSES,
    area_mm2,
    category_title,
    fraction,
)
from napari_breastpath.results import Result
from napari_breastpath.results.files import write_text
from napari_breastpath.results.folder import REPORT

WORKLIST: Final = "worklist.html"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the worklist: what it shows and what it is sorted by."""

    text: str
    key: float | str


UNKNOWN: Final = Cell(NOTHING, -1.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One slide of the worklist; `link` is empty where there is no report."""

    slide: str
    patient: str
    status: str
    link: str = ""
    category: Cell = UNKNOWN
    longest: Cell = UNKNOWN
    tumour: Cell = UNKNOWN
    tissue: Cell = UNKNOWN
    regions: Cell = UNKNOWN
    score: Cell = UNKNOWN
    warnings: Cell = UNKNOWN


@dataclass(frozen=True, slots=True)
class PatientRow:
    """One patient as the page shows it."""

    name: str
    stage: str
    nodes: tuple[tuple[str, str], ...]
    missing: str


def write_worklist(
    results: Sequence[Result], path: Path | None = None, patients: Path | None = None
) -> Path:
    """Write one page that links the reports of several results.

    Parameters
    ----------
    results : sequence of Result
    path : Path, optional
        By default `worklist.html` in the folder that holds all results.
    patients : Path, optional
        CSV with the columns patient, slide and optionally node: rolls nodes up to patients.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ResultError
        The page cannot be written.
    UsageError
        There is no result, or the table of patients is malformed.
    """
    page_path = path or common_folder(results) / WORKLIST
    nodes = read_patients(patients) if patients else []
    page = worklist_html(results, page_path.parent, nodes)
    try:
        page_path.parent.mkdir(parents=True, exist_ok=True)
        write_text(page_path, page)
    except OSError as error:
        raise ResultError(page_path, f"cannot be written ({error})", "check the folder") from error
    return page_path


def common_folder(results: Sequence[Result]) -> Path:
    """Return the folder that holds all result folders."""
    if not results:
        raise UsageError("report", "no result", "name at least one result folder")
    try:
        return Path(os.path.commonpath([result.path.resolve().parent for result in results]))
    except ValueError as error:
        raise UsageError("report", "the results lie on several drives", "copy them") from error


def worklist_html(results: Sequence[Result], folder: Path, nodes: Sequence[NodeSlide] = ()) -> str:
    """Return the page, with links relative to `folder`."""
    names = [slide_name(result) for result in results]
    meant = {item.slide: _meant(item.slide, names) for item in nodes}
    owner = {meant[item.slide]: item.patient for item in nodes}
    found = dict(zip(names, map(_finding, results), strict=True))
    findings = {slide: found[name] for slide, name in meant.items() if name}
    entries = [_entry(r, folder, owner.get(n, "")) for r, n in zip(results, names, strict=True)]
    return render(
        "worklist.html",
        entries=entries,
        patients=[_patient_row(patient) for patient in roll_up(nodes, findings)],
        unlisted=[entry.slide for entry in entries if nodes and not entry.patient],
        stage_rule=STAGE_RULE,
        demonstration=any(is_demonstration(result.record) for result in results),
    )


def _meant(slide: str, names: Sequence[str]) -> str | None:
    """Return the file name that a table's slide means: itself, or the one without its ending."""
    alike = [n for n in names if n == slide] or [n for n in names if n.split(".", 1)[0] == slide]
    if len(alike) > 1:
        raise UsageError(slide, "several results are of a slide of that name", "name one of them")
    return alike[0] if alike else None


def _finding(result: Result) -> Finding:
    """Return what a result says about its node."""
    category = (result.record.get("regions") or {}).get("category")
    whole_slide = not result.record["settings"].get("region")
    return Finding(category, bool(category) and result.status == "complete" and whole_slide)


def _number(value: float, text: str) -> Cell:
    return Cell(text, float(value))


def _entry(result: Result, folder: Path, patient: str) -> Entry:
    record = result.record
    status = STATUSES.get(result.status, result.status)
    if "regions" not in record:
        return Entry(slide_name(result), patient, status)
    regions, score = record["regions"], record["score"]["corrected"]["value"]
    category, row = regions["category"], longest_region(result)
    rank = SEVERITY.index(category) if category in SEVERITY else -1
    return Entry(
        slide=slide_name(result),
        patient=patient,
        status=status,
        warnings=_warnings(result),
        link=_link(result, folder),
        category=Cell(category_title(category) if category else NOTHING, float(rank)),
        longest=_number(regions["longest_feret_mm"], extent_text(row) if row else "none"),
        tumour=_number(regions["total_area_mm2"], area_mm2(regions["total_area_mm2"])),
        tissue=_number(record["tissue_area_mm2"], area_mm2(record["tissue_area_mm2"])),
        regions=_number(regions["count"], str(regions["count"])),
        score=_number(score, fraction(score)),
    )


def _warnings(result: Result) -> Cell:
    """Return the number of warnings on a result's report, and whether one is about a limit."""
    found = [r for r in remarks(result, category_variants(result)) if r.kind == WARNING]
    near = any(remark.title == NEAR_LIMIT for remark in found)
    return Cell(f"{len(found)}{', near a limit' if near else ''}", len(found) + near / 2)


def _link(result: Result, folder: Path) -> str:
    report = result.path.resolve() / REPORT
    if not report.is_file():
        return ""
    return quote(Path(os.path.relpath(report, folder.resolve())).as_posix())


def _patient_row(patient: Patient) -> PatientRow:
    stage = patient.stage or "not determined"
    if patient.open_nodes and patient.stage:
        stage = f"so far {stage}"
    nodes = tuple((node, _node_words(finding)) for node, finding in patient.nodes.items())
    return PatientRow(patient.name, stage, nodes, ", ".join(patient.open_nodes))


def _node_words(finding: Finding) -> str:
    if finding.category is None:
        return "no category"
    words = category_title(finding.category)
    return words if finding.final else f"so far {words.lower()}"
