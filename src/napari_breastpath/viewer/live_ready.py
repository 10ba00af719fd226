"""A result made ready: its map in memory, and the mask's preview, for numbers that follow."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_breastpath.analyses.effects import category_warning, effects
from napari_breastpath.viewer.layers import reload
from napari_breastpath.viewer.outlines import Outlines, outlines
from napari_breastpath.viewer.preview import Peaks, Window

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Layer

    from napari_breastpath.analyses.live import LiveMeasurement
    from napari_breastpath.analyses.numbers import Numbers
    from napari_breastpath.edits import Corrections
    from napari_breastpath.measure import Ellipse
    from napari_breastpath.viewer.session import Session


class Advice(NamedTuple):
    """Where to look next, a doubt about the category ("" without one), the longest moment axis."""

    effects: pd.DataFrame
    warning: str
    ellipse: Ellipse | None


@dataclass(frozen=True, slots=True)
class Ready:
    """A result made ready: its numbers, and the mask's preview for models of one class."""

    live: LiveMeasurement
    corrections: Corrections
    peaks: Peaks | None

    def numbers(self, asked: dict[str, Any], windows: list[Window]) -> Numbers | None:
        """Bring the numbers up to edited windows, threshold and specimen; for a worker."""
        numbers = None
        for row, column, height, width in windows:
            rows, columns = slice(row, row + height), slice(column, column + width)
            numbers = self.live.edited(row, column, self.corrections.edits(rows, columns))
            if self.peaks is not None:
                self.peaks.refresh((row, column, height, width))
        if "specimen" in asked:
            numbers = self.live.with_specimen(asked["specimen"])
        if "threshold" in asked:
            numbers = self.live.at(asked["threshold"])
        return numbers

    def advice(self, stop: threading.Event) -> Advice | None:
        """Return what correcting each region would change, what the category hangs on, the axis.

        None when stopped; it is asked between the two, which take as long as a threshold each.
        """
        numbers = self.live.peek(self.live.threshold)
        warning = "" if stop.is_set() else category_warning(self.live)
        if stop.is_set():
            return None
        return Advice(effects(self.live, numbers), warning, numbers.ellipse)


def prepare(corrections: Corrections, stop: threading.Event) -> Ready | None:
    """Make a result ready, in a worker; None when stopped."""
    from napari_breastpath.analyses.live import LiveMeasurement

    live = LiveMeasurement.prepare(corrections.result, stop=stop)
    if live is None:
        return None
    one_class = len(corrections.result.classes) == 1
    return Ready(live, corrections, Peaks.read(corrections, stop) if one_class else None)


def show_mask(session: Session, levels: Sequence[Any]) -> None:
    """Show a mask in its layers; what shows through the same kind of levels is only drawn again."""
    for role, shown in (("mask", levels), ("regions", outlines(levels))):
        layer = session.layer(role)
        if layer is not None:
            _show(layer, shown)


def _show(layer: Layer, levels: Sequence[Any]) -> None:
    is_same = _kind(layer.data[0]) is _kind(levels[0])
    # Setting the data shows the coarsest level for a moment; napari holds that one in memory.
    if is_same and layer.data_level < len(levels) - 1:
        layer.refresh(extent=False, thumbnail=False, highlight=False)
    elif is_same:
        reload(layer)
    else:
        layer.data = list(levels)


def _kind(level: Any) -> type:
    """Return what a level of a mask, or of its outlines, is made of."""
    return type(level.mask if isinstance(level, Outlines) else level)
