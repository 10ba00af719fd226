"""An evaluation that is read and ready: its cases, and measures of any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.training.evaluation.bootstrap import Estimate, Statistic

if TYPE_CHECKING:
    import pandas as pd

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A line for a plot, and the line of no skill or perfect agreement, if there is one."""

    name: str
    x: Floats
    y: Floats
    x_label: str
    y_label: str
    diagonal: bool = False


@dataclass(frozen=True)
class Prepared:
    """The cases of an evaluation.

    Attributes
    ----------
    patients : sequence of str
        Of each case.
    statistic : callable
        From indices of cases to measures.
    cases : DataFrame
        One row per case, for cases.csv.
    curves : sequence of Curve
    notes : tuple of str
        What a reader should know.
    """

    patients: Sequence[str]
    statistic: Statistic
    cases: pd.DataFrame
    curves: Sequence[Curve] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """The measures, each with its interval, and what they rest on."""

    task: str
    measures: Mapping[str, Estimate]
    prepared: Prepared = field(repr=False)

    @property
    def patients(self) -> int:
        """How many patients."""
        return len(set(self.prepared.patients))
