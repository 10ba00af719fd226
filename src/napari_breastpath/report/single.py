"""The report of one slide."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_breastpath.core.errors import BreastPathError, ResultError
from napari_breastpath.report import tables
from napari_breastpath.report.certainty import (
    Variant,
    category_variants,
    changed,
    decisive_length_mm,
)
from napari_breastpath.report.fields import Field, likeliest_fields
from napari_breastpath.report.overview import (
    Frame,
    Overview,
    ScaleBar,
    extent_text,
    frame_of,
    longest_region,
    make_overview,
    scale_bar,
)
from napari_breastpath.report.page import render
from napari_breastpath.report.pdf import write_pdf
from napari_breastpath.report.pictures import (
    FIELD_MPP,
    field_mpp,
    field_picture,
    heat_steps,
    identity_pictures,
    slide_of,
)
from napari_breastpath.report.remarks import is_demonstration, remarks
from napari_breastpath.results import Result
from napari_breastpath.results.files import write_text
from napari_breastpath.results.folder import REPORT, REPORT_PDF
from napari_breastpath.slides import Slide


@dataclass(frozen=True, slots=True)
class FieldView:
    """A field, its picture and where it lies, in mm from the slide's upper left corner."""

    field: Field
    picture: str
    x_mm: float
    y_mm: float
    frame: Frame
    bar: ScaleBar


@dataclass(frozen=True, slots=True)
class Pictures:
    """Everything that is drawn.

    Attributes
    ----------
    missing : str
        Why there is no picture of the slide; empty where there is.
    overview : Overview
    fields : list of FieldView
    fields_mpp : float
        µm/px of the fields' pictures.
    identity : list of (name, data URI)
        Patient label and macro image, when they were asked for.
    """

    missing: str
    overview: Overview
    fields: list[FieldView]
    fields_mpp: float
    identity: list[tuple[str, str]]


def write_report(
    result: Result, pdf: bool = False, with_label: bool = False, slide: Slide | None = None
) -> Path:
    """Write `report.html`, one self-contained page, into a result's folder.

    Parameters
    ----------
    result : Result
        Measured.
    pdf : bool
        Write `report.pdf` too (extra `report`).
    with_label : bool
        Show the patient label and the macro image that the slide's file holds.
    slide : Slide, optional
        The slide, where it is open already; else it is looked for where it was analysed, and the
        page says so when it is not there.

    Returns
    -------
    Path
        Of `report.html`.

    Raises
    ------
    ResultError
        The result has not been measured, or its folder cannot be written.
    UsageError
        A PDF was asked for and WeasyPrint is missing.
    """
    page = report_html(result, with_label, slide)
    path = result.path / REPORT
    try:
        write_text(path, page)
        if pdf:
            write_pdf(page, result.path / REPORT_PDF)
    except OSError as error:
        raise ResultError(path, f"cannot be written ({error})", "check the folder") from error
    return path


def report_or_warning(result: Result, slide: Slide | None = None) -> None:
    """Write the report of a result just measured; what goes wrong becomes a warning in the result.

    A page that cannot be written must not cost the analysis that it describes.
    """
    started = time.perf_counter()
    try:
        write_report(result, slide=slide)
    except Exception as error:  # noqa: BLE001
        warning = f"the report could not be written ({error}); `breastpath report` tries again"
        result.log(warning)
        result.save(warnings=[*result.record["warnings"], " ".join(warning.split())])
        return
    seconds = round(time.perf_counter() - started, 3)
    result.save(timing_s=result.record["timing_s"] | {"report": seconds})


def report_html(result: Result, with_label: bool = False, slide: Slide | None = None) -> str:
    """Return the page that `write_report` writes."""
    if "regions" not in result.record:
        raise ResultError(
            result.path, f"has no numbers (status {result.status})", "run `breastpath analyze`"
        )
    variants = category_variants(result)
    with slide_of(result, slide) as source:
        pictures = _pictures(result, source, with_label)
    return render("report.html", **_facts(result, variants), pictures=pictures)


def _facts(result: Result, variants: tuple[Variant, ...]) -> dict[str, Any]:
    record = result.record
    return {
        "name": tables.slide_name(result),
        "record": record,
        "regions": record["regions"],
        "category": record["regions"]["category"],
        "longest": _longest(result),
        "variants": variants,
        "decisive_mm": decisive_length_mm(result),
        "near_limit": bool(changed(variants, record["regions"]["category"])),
        "remarks": remarks(result, variants),
        "demonstration": is_demonstration(record),
        "rows": tables.region_rows(result),
        "regions_total": len(result.regions),
        "heat_steps": heat_steps(),
        "class_areas": tables.class_areas(result),
        "model_rows": tables.model_rows(result),
        "settings_rows": tables.settings_rows(result),
        "provenance_rows": tables.provenance_rows(result),
        "analysed": tables.analysed_at(result),
    }


def _longest(result: Result) -> str:
    row = longest_region(result)
    return "none" if row is None else extent_text(row)


def _pictures(result: Result, slide: Slide | str, with_label: bool) -> Pictures:
    if isinstance(slide, str):
        return Pictures(slide, make_overview(result, slide, []), [], FIELD_MPP, [])
    views = [v for field in likeliest_fields(result) if (v := _view(result, slide, field))]
    overview = make_overview(result, slide, [view.field for view in views])
    missing = "" if overview.picture else "the slide cannot be read"
    return Pictures(
        missing, overview, views, field_mpp(slide), _identity(slide) if with_label else []
    )


def _identity(slide: Slide) -> list[tuple[str, str]]:
    try:
        return identity_pictures(slide)
    except BreastPathError:
        return []


def _view(result: Result, slide: Slide, field: Field) -> FieldView | None:
    picture = field_picture(slide, field.box)
    if picture is None:
        return None
    mpp, box = result.slide_mpp, field.box
    x_mm, y_mm = (box.x + box.width / 2) * mpp.x / 1e3, (box.y + box.height / 2) * mpp.y / 1e3
    frame = frame_of(box.width * mpp.x, box.height * mpp.y, mpp)
    return FieldView(field, picture, x_mm, y_mm, frame, scale_bar(frame))
