"""Which pixel size a slide has: the user's, else the header's when it is one and plausible."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_breastpath.core.errors import PixelSizeError, UsageError
from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.slides.backend import Claim

if TYPE_CHECKING:
    from napari_breastpath.slides.slide import Slide

PLAUSIBLE_UM = (0.01, 1000.0)
BRIGHT_FIELD_UM = (0.05, 20.0)
MICROSCOPIC_TAG_UM = 20.0
COARSEST_TAG_UM = 200.0
AGREEMENT = 1.05
# A camera pixel of 10 µm behind a 1x objective: the convention behind "40x is 0.25 µm/px".
UM_TIMES_MAGNIFICATION = 10.0
ADVICE = "give it with --mpp X[,Y] or mpp= in µm/px, or with --magnification for a photomicrograph"
_UNITS_UM = {
    "m": 1e6, "meter": 1e6, "metre": 1e6,
    "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3,
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0,
    "micrometer": 1.0, "micrometre": 1.0, "\\u00b5m": 1.0,
    "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3,
    "pm": 1e-6, "picometer": 1e-6, "å": 1e-4, "angstrom": 1e-4,
    "in": 25400.0, "inch": 25400.0,
}  # fmt: skip


def in_um(value: float, unit: str | None) -> float | None:
    """Return `value` of that length unit in µm, None when the unit is no length."""
    factor = _UNITS_UM.get((unit or "").strip().lower())
    return None if factor is None else value * factor


def is_deliberate_tag(um: float) -> bool:
    """Tell whether a resolution tag of `um` µm/px was written for a measurement.

    Software writes print resolutions (72, 96, 300 dpi…) when it knows nothing; they are whole
    multiples of 12 or 50 dpi.
    """
    if not PLAUSIBLE_UM[0] <= um <= COARSEST_TAG_UM:
        return False
    dpi = 25400.0 / um
    is_print = any(abs(dpi - base * round(dpi / base)) < 1e-3 * dpi for base in (12, 50))
    return um <= MICROSCOPIC_TAG_UM or not is_print


def both_axes(mpp: float | Iterable[float]) -> tuple[float, float]:
    """Return µm/px in x and y from one value for both or a pair."""
    x, y = mpp if isinstance(mpp, Iterable) else (mpp, mpp)
    return float(x), float(y)


def from_user(
    path: Path, mpp: float | tuple[float, float] | None, magnification: float | None
) -> PixelSize | None:
    """Return the pixel size that the caller gave, None when they gave none."""
    if mpp is not None and magnification is not None:
        raise UsageError(path, "both a pixel size and a magnification were given", "give one")
    if magnification is not None:
        value = UM_TIMES_MAGNIFICATION / magnification if magnification > 0 else math.nan
        return _checked(path, value, value, "magnification")
    if mpp is None:
        return None
    return _checked(path, *both_axes(mpp), "user")


def from_header(path: Path, claims: Iterable[Claim]) -> tuple[PixelSize, str]:
    """Return the pixel size that the header states, and which part of the header said so.

    Raises
    ------
    PixelSizeError
        When there is none, when none is plausible, or when two differ by more than 5 %.
    """
    stated = tuple(claims)
    plausible = [claim for claim in stated if _plausible(claim)]
    if not plausible:
        raise PixelSizeError(path, _why_none(stated), ADVICE)
    first = plausible[0]
    for other in plausible[1:]:
        if not _agree(first, other):
            raise PixelSizeError(
                path, f"its header contradicts itself: {_text(first)}, {_text(other)}", ADVICE
            )
    return PixelSize(first.x, first.y, "header"), first.origin


def check_pixel_size(
    slide: Slide, low: float = BRIGHT_FIELD_UM[0], high: float = BRIGHT_FIELD_UM[1]
) -> None:
    """Refuse a slide whose pixel size is implausible for the analysis at hand.

    Parameters
    ----------
    slide : Slide
    low, high : float
        Range in µm/px, both included; the default is bright-field microscopy.

    Raises
    ------
    PixelSizeError
    """
    if not all(low <= value <= high for value in slide.mpp):
        cause = (
            f"{slide.mpp.x:.4g} × {slide.mpp.y:.4g} µm/px (from the {slide.mpp.source}) "
            f"is outside {low:g} to {high:g} µm/px, the range of this analysis"
        )
        raise PixelSizeError(slide.path, cause, ADVICE)


def _checked(path: Path, x: float, y: float, source: str) -> PixelSize:
    if not all(PLAUSIBLE_UM[0] <= value <= PLAUSIBLE_UM[1] for value in (x, y)):
        cause = f"the {source} gives {x:g} × {y:g} µm/px, which is no plausible pixel size"
        raise PixelSizeError(path, cause, ADVICE)
    return PixelSize(x, y, source)


def _plausible(claim: Claim) -> bool:
    return all(PLAUSIBLE_UM[0] <= value <= PLAUSIBLE_UM[1] for value in (claim.x, claim.y))


def _agree(first: Claim, other: Claim) -> bool:
    ratios = (first.x / other.x, first.y / other.y)
    return all(1 / AGREEMENT <= ratio <= AGREEMENT for ratio in ratios)


def _why_none(stated: tuple[Claim, ...]) -> str:
    if not stated:
        return "its header gives no pixel size"
    return f"its header gives no plausible pixel size: {', '.join(map(_text, stated))}"


def _text(claim: Claim) -> str:
    return f"{claim.origin} says {claim.x:.4g} × {claim.y:.4g} µm/px"
