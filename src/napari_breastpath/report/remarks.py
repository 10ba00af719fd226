"""What a reader must know before trusting the numbers, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from napari_breastpath.measure import CELL_AREA_UM2
from napari_breastpath.report.certainty import Variant, changed
from napari_breastpath.report.wording import (
    CATEGORIES,
    MPP_SOURCES,
    category_title,
    counted,
    length_mm,
)
from napari_breastpath.results import Result

WARNING, NOTE = "Warning", "Note"
NEAR_LIMIT: Final = "Near a category limit"
ANISOTROPY: Final = 0.01
CUT_OFF: Final = (
    ("touches_edge", "reaches the edge of the slide", "reach the edge of the slide"),
    (
        "touches_unread",
        "borders on tissue that could not be read",
        "border on tissue that could not be read",
    ),
)


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know: `Warning` or `Note`, a title and a sentence or two."""

    kind: str
    title: str
    text: str


def remarks(result: Result, variants: tuple[Variant, ...]) -> list[Remark]:
    """Return warnings first, then notes.

    Parameters
    ----------
    result : Result
        Measured.
    variants : tuple of Variant
        Of `category_variants`.
    """
    found = [
        *_model(result),
        *_unread(result),
        *_part(result),
        *_limits(result, variants),
        *_regions(result),
        *_hands(result),
        *(Remark(WARNING, "From the analysis", _sentence(text)) for text in _recorded(result)),
        *_pixel_size(result),
        *_specimen(result),
    ]
    return sorted(found, key=lambda remark: remark.kind != WARNING)


def is_demonstration(record: dict[str, Any]) -> bool:
    """Tell whether a model calls itself a demonstration, by its name or its intended use."""
    model = record["model"]
    card = model.get("card") or {}
    return "demo" in f"{model['name']} {card.get('intended_use', '')}".lower()


def _recorded(result: Result) -> list[str]:
    return [str(text) for text in result.record.get("warnings", []) if str(text).strip()]


def _sentence(text: str) -> str:
    """Return a text with a capital at its beginning and a full stop at its end."""
    text = text.strip()
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _model(result: Result) -> Iterator[Remark]:
    if is_demonstration(result.record):
        yield Remark(
            WARNING,
            "Demonstration model",
            "It shows how the software works. It is not validated: no number on this page says "
            "anything about a patient.",
        )


def _unread(result: Result) -> Iterator[Remark]:
    part = result.record["unread_tissue_fraction"]
    failed = result.record["tiles"]["failed"]
    if part or failed:
        yield Remark(
            WARNING,
            "Part of the tissue could not be read",
            f"{part:.2%} of the tissue ({counted(failed, 'tile')} unread). Tumour there is missing "
            "from every number on this page.",
        )


def _part(result: Result) -> Iterator[Remark]:
    if result.record["settings"].get("region"):
        yield Remark(
            WARNING,
            "Only a chosen part of the slide was analysed",
            "Tumour elsewhere on the slide is missing from every number on this page.",
        )


def _limits(result: Result, variants: tuple[Variant, ...]) -> Iterator[Remark]:
    category = result.record["regions"]["category"]
    others = changed(variants, category) if category else ()
    if others:
        cases = ", ".join(
            f"{v.change} → {category_title(v.category).lower()}"
            + (f" ({length_mm(v.longest_mm)})" if v.longest_mm else "")
            for v in others
        )
        text = f"A small change would make it another category: {cases}."
        yield Remark(WARNING, NEAR_LIMIT, text)


def _count(table: pd.DataFrame, column: str) -> int:
    return int(table[column].astype(bool).sum())


def _regions(result: Result) -> Iterator[Remark]:
    table = result.regions
    if table.empty:
        return
    longest = table["region_id"] == result.record["regions"]["longest_feret_region"]
    for column, one, many in CUT_OFF:
        if not (number := _count(table, column)):
            continue
        decisive = _count(table[longest], column) > 0
        text = (
            f"{counted(number, f'region {one}', f'regions {many}')}: lengths are lower bounds (≥)."
        )
        ending = " The longest region is among them." if decisive else ""
        yield Remark(WARNING if decisive else NOTE, "Cut-off regions", text + ending)
    if small := _count(table, "below_cell_size"):
        text = f"{counted(small, 'region')} under {CELL_AREA_UM2:g} µm²: counted and marked"
        if result.record["regions"]["category"]:
            text += ", but without a say in the category"
        yield Remark(NOTE, "Regions smaller than one tumour cell", f"{text}.")


def _hands(result: Result) -> Iterator[Remark]:
    edits = result.record.get("edits") or {}
    edited = _count(result.regions, "edited")
    painted = int(edits.get("pixels") or 0)
    if not (painted or edited):
        return
    readers = ", ".join(map(str, edits.get("readers") or [])) or "not named"
    yield Remark(
        WARNING,
        "Corrected by hand",
        f"{counted(edited, 'region')} touched by a hand"
        + (f", {counted(painted, 'map pixel')} painted or erased" if painted else "")
        + f". Reader: {readers}. The model's own score is given beside the corrected one.",
    )


def _pixel_size(result: Result) -> Iterator[Remark]:
    mpp = result.slide_mpp
    if mpp.source != "header":
        yield Remark(
            NOTE,
            "Pixel size not from the slide",
            f"It was {MPP_SOURCES.get(mpp.source, mpp.source)}; every length rests on it.",
        )
    if abs(mpp.x / mpp.y - 1) > ANISOTROPY:
        yield Remark(
            NOTE,
            "Pixels are not square",
            f"{mpp.x:.4g} µm in x, {mpp.y:.4g} µm in y; lengths allow for it.",
        )


def _specimen(result: Result) -> Iterator[Remark]:
    regions = result.record["regions"]
    if result.record["specimen"] == "unspecified":
        yield Remark(
            NOTE,
            "No nodal category",
            "It was not said that this is a lymph node. "
            "`breastpath measure RESULT --specimen node` gives the category.",
        )
    elif regions["category"] not in CATEGORIES and regions.get("note"):
        yield Remark(NOTE, "Primary tumour", _sentence(regions["note"]))
