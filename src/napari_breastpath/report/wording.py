"""The words and figures that people read: units always, plain terms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.measure.categories import ITC_MM, MICRO_MM

RESEARCH_ONLY: Final = "Research use only. Not a medical device."
NOTHING: Final = "–"
CATEGORIES: Final = {
    "negative": ("Negative", "no tumour region found"),
    "ITC": ("Isolated tumour cells", "longest extent ≤ 0.2 mm"),
    "micro": ("Micrometastasis", "longest extent > 0.2 mm and ≤ 2.0 mm"),
    "macro": ("Macrometastasis", "longest extent > 2.0 mm"),
}
"""Title and meaning of each nodal category (AJCC 8)."""
CATEGORY_RULE: Final = (
    "AJCC 8 / CAP: the longest extent of the largest single focus decides; foci are not added up. "
    "200-cell rule not evaluated."
)
STATUSES: Final = {
    "complete": "complete",
    "incomplete": "incomplete: part of the tissue could not be read",
    "partial": "interrupted",
    "failed": "failed",
}
MPP_SOURCES: Final = {
    "header": "from the slide's header",
    "user": "given by the user",
    "magnification": "from the magnification given by the user",
}
FORMATS: Final = {
    "aperio": "Aperio SVS",
    "hamamatsu": "Hamamatsu (NDPI, VMS)",
    "leica": "Leica SCN",
    "mirax": "3DHISTECH MRXS",
    "ventana": "Ventana (BIF, TIFF)",
    "philips": "Philips TIFF",
    "trestle": "Trestle TIFF",
    "sakura": "Sakura SVSLIDE",
    "zeiss": "Zeiss CZI",
    "akoya": "Akoya QPTIFF",
    "dicom": "DICOM",
    "ome-tiff": "OME-TIFF",
    "ome-zarr": "OME-Zarr",
    "generic-tiff": "TIFF",
    "imagej": "ImageJ TIFF",
    "tiff": "TIFF",
    "png": "PNG",
    "jpeg": "JPEG",
}
"""Names of the formats that `Slide.vendor` tells apart."""


def format_name(vendor: str) -> str:
    """Return a slide format's name as its makers write it; one that is not known as it is."""
    return FORMATS.get(vendor.lower(), vendor)


def length_mm(value: float | None) -> str:
    """Return a length in mm: two decimals from 1 mm on, three below.

    A length that would be rounded onto a category limit is given with four.
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:.2f}" if value >= 1 else f"{value:.3f}"
    if float(text) in (ITC_MM, MICRO_MM) and float(text) != value:
        text = f"{value:.4f}"
    return f"{text} mm"


def area_mm2(value: float | None) -> str:
    """Return an area in mm², one too small for that in µm²."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if 0 < value < 0.001:
        return f"{value * 1e6:.0f} µm²"
    return f"{value:.2f} mm²" if value >= 1 else f"{value:.3f} mm²"


def fraction(value: float | None) -> str:
    """Return a probability or score with two decimals."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.2f}"


def micrometres(x: float, y: float) -> str:
    """Return µm/px, both axes where they differ."""
    return f"{x:.4g} µm/px" if math.isclose(x, y, rel_tol=1e-3) else f"{x:.4g} × {y:.4g} µm/px"


def pixel_size(mpp: PixelSize) -> str:
    """Return µm/px and where it came from."""
    return f"{micrometres(mpp.x, mpp.y)}, {MPP_SOURCES.get(mpp.source, mpp.source)}"


def counted(count: int, one: str, many: str = "") -> str:
    """Return `1 region`, `1 204 regions`."""
    return f"{count:,} ".replace(",", "\N{NO-BREAK SPACE}") + (
        one if count == 1 else many or f"{one}s"
    )


def category_title(category: str | None) -> str:
    """Return the full name of a nodal category, or that there is none."""
    return CATEGORIES[category][0] if category in CATEGORIES else "No nodal category"


def setting(value: Any) -> str:
    """Return a value of result.json's `settings` on one line."""
    if value is None:
        return "not given"
    if isinstance(value, dict):
        return "; ".join(f"{name.replace('_', ' ')}: {setting(v)}" for name, v in value.items())
    if isinstance(value, list):
        return "(" + ", ".join(map(setting, value)) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def by(reader: str) -> str:
    """Return `by NAME`, or that nobody gave one."""
    return f"by {reader}" if reader else "by a reader without a name"


def reviewed(review: Mapping[str, str]) -> str:
    """Return who signed a result and when: `Reviewed by NAME on DATE`."""
    return f"Reviewed {by(review['reader'])} on {review['time'][:10]}"


def manual(regions: Mapping[str, Any]) -> str:
    """Return who measured the manual extent, and the category it would give a node."""
    category = regions.get("manual_category")
    words = f", {category_title(category).lower()}" if category else ""
    return f"{by(regions['manual_reader'])} on {regions['manual_time'][:10]}{words}"
