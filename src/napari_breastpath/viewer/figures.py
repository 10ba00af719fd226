"""The figures on screen: a result's own, newer ones over them, and what hands measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_breastpath.analyses.by_hand import hands_record
from napari_breastpath.core.errors import ResultError
from napari_breastpath.viewer.navigate import FERET

if TYPE_CHECKING:
    import pandas as pd

    from napari_breastpath.analyses.numbers import Numbers
    from napari_breastpath.edits import Corrections
    from napari_breastpath.results import Result

NEEDED = ["region_id", "feret_max_mm", *FERET]


@dataclass(frozen=True, slots=True)
class Figures:
    """What is shown of a result.

    Attributes
    ----------
    record : mapping
        As result.json.
    regions : DataFrame
        As regions.csv.
    """

    record: Mapping[str, Any]
    regions: pd.DataFrame

    @property
    def summary(self) -> Mapping[str, Any]:
        """The slide-level figures, `regions` of the record."""
        return self.record.get("regions") or {}


@contextmanager
def undamaged(result: Result) -> Iterator[None]:
    """Say in one line that a result's record or a table of it is damaged."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        cause = f"its record or a table is damaged ({type(error).__name__}: {error})"
        raise ResultError(result.path, cause, "restore it, or analyse the slide anew") from error


def figures_of(
    result: Result,
    regions: pd.DataFrame,
    corrections: Corrections | None = None,
    numbers: Numbers | None = None,
) -> Figures:
    """Return the figures to show.

    Parameters
    ----------
    result : Result
        Measured.
    regions : DataFrame
        Its regions.csv.
    corrections : Corrections, optional
        Whose extent and review count, newer than the record's.
    numbers : Numbers, optional
        Measured since, with another threshold or other edits.

    Raises
    ------
    KeyError
        A column of the table or an entry of the record is missing.
    """
    if missing := [name for name in NEEDED if name not in regions.columns]:
        raise KeyError(", ".join(missing))
    record = dict(result.record)
    if numbers is not None:
        record |= {"regions": numbers.summary, "score": numbers.score}
    if corrections is not None:
        edited_px = (record.get("edits") or {}).get("pixels", 0)
        log, specimen = corrections.log, record.get("specimen", "unspecified")
        record |= hands_record(log, record.get("regions") or {}, specimen, edited_px)
    return Figures(record, regions if numbers is None else numbers.regions)
