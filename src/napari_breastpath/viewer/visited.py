"""What of a slide was looked at, and how closely: a raster without a window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import ResultError
from napari_breastpath.core.geometry import Box, Lattice
from napari_breastpath.results.files import whole, written

Cells: TypeAlias = NDArray[np.uint8]
CELL_UM = 32.0
OBJECTIVES = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0)
"""Powers that are told apart; at 10× a pixel of the screen is 1 µm."""
TOLERANCE = 1.05
"""A view at 9.6× counts as 10×: nobody turns the wheel to the exact power."""


def rank(power: float) -> int:
    """Return how many of `OBJECTIVES` a power reaches: 0 below 1.25×, 6 from 40× on."""
    return sum(power * TOLERANCE >= objective for objective in OBJECTIVES)


def nearest(power: float) -> float:
    """Return the objective nearest to a power, on a scale of doublings."""
    return min(OBJECTIVES, key=lambda objective: abs(np.log2(objective / power)))


def taken(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Return a raster (y, x) at another size: the value under the middle of each new pixel."""
    rows, columns = (
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1)
        for new, old in zip(shape, values.shape[:2], strict=True)
    )
    return values[np.ix_(rows, columns)]


@dataclass(eq=False)
class Visited:
    """How closely each cell of a slide was looked at.

    Attributes
    ----------
    lattice : Lattice
        Cells of about 32 µm over the slide.
    ranks : ndarray, uint8 (rows, columns)
        0 never on screen, k: at `OBJECTIVES[k - 1]` or more.
    """

    lattice: Lattice
    ranks: Cells

    @classmethod
    def over(cls, lattice: Lattice) -> Self:
        """Return a slide that nobody has seen yet."""
        return cls(lattice, np.zeros(lattice.shape, np.uint8))

    def see(self, box: Box, power: float) -> bool:
        """Note that `box` (level-0 px) was on screen at `power`; True when that is news.

        A cell counts when its middle was in view.
        """
        rows, columns = self._middles(box)
        seen = self.ranks[rows, columns]
        news = seen < rank(power)
        seen[news] = rank(power)
        return bool(news.any())

    def _middles(self, box: Box) -> tuple[slice, slice]:
        def first(edge: float, step: float) -> int:
            return max(0, math.ceil(edge / step - 0.5))

        step_x, step_y = self.lattice.step_x, self.lattice.step_y
        return (
            slice(first(box.y, step_y), first(box.bottom, step_y)),
            slice(first(box.x, step_x), first(box.right, step_x)),
        )

    def copy(self) -> Self:
        """Return another one that has seen the same."""
        return type(self)(self.lattice, self.ranks.copy())

    def seen_at(self, power: float) -> NDArray[np.bool_]:
        """Return which cells were on screen at `power` or more."""
        return self.ranks >= rank(power)

    def share(self, tissue: NDArray[np.bool_], power: float) -> float | None:
        """Return the share of the tissue's cells seen at `power` or more, None without tissue."""
        total = np.count_nonzero(tissue)
        return float(np.count_nonzero(self.seen_at(power) & tissue) / total) if total else None

    def save(self, path: Path, fingerprint: str) -> None:
        """Write what was seen of the slide of that fingerprint, all or nothing.

        Raises
        ------
        ResultError
            It cannot be written.
        """
        with written(path), whole(path) as draft, draft.open("wb") as file:
            np.savez_compressed(file, ranks=self.ranks, fingerprint=np.array(fingerprint))

    def load(self, path: Path, fingerprint: str) -> None:
        """Add what a file says was seen, at another time.

        Raises
        ------
        ResultError
            It is damaged, or about another slide.
        """
        advice = "remove it: what was seen is counted anew"
        try:
            with np.load(path, allow_pickle=False) as file:
                ranks, whose = file["ranks"], str(file["fingerprint"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise ResultError(path, f"is damaged ({error})", advice) from error
        if whose != fingerprint or ranks.shape != self.ranks.shape:
            raise ResultError(path, "is about another slide", advice)
        np.maximum(self.ranks, ranks.astype(np.uint8), out=self.ranks)
