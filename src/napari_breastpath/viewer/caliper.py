"""The caliper: the longest extent drawn on the slide, and dragged by an end to measure by hand.

A dragged end makes a manual measurement. It goes into the journal, is drawn in a colour of its own
and called manual; the automatic one stays beside it. Lengths are world µm, so µm/px may differ in x
and y.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from weakref import ref

import numpy as np
from psygnal import Signal

from napari_breastpath.report.wording import length_mm
from napari_breastpath.viewer.caliper_drawing import (
    BY_HAND,
    CHARACTER_PX,
    DARK,
    GAP_PX,
    HALO_PX,
    HANDLE_PX,
    LIGHT,
    LINE_HEIGHT_PX,
    LINE_PX,
    TEXT_PT,
    TICK_PX,
    Extent,
    Points,
    Shape,
    drawing,
    drawn_once,
    extent_colour,
    nearest_end,
    plate,
    refill,
    same,
    unit_across,
    with_ticks,
)
from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.coordinates import to_level0, to_world, world_placement
from napari_breastpath.viewer.layers import TAG
from napari_breastpath.viewer.navigate import feret_world

if TYPE_CHECKING:
    import pandas as pd
    from napari.layers import Layer, Shapes

    from napari_breastpath.core.geometry import PixelSize
    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session

__all__ = [
    "CHARACTER_PX", "DARK", "GAP_PX", "HALO_PX", "LIGHT", "LINE_HEIGHT_PX", "LINE_PX", "TEXT_PT",
    "TICK_PX", "Caliper", "Extent", "drawing", "extents_of", "longest_row", "plate", "unit_across",
    "with_ticks",
]  # fmt: skip
ROLE = "caliper"
GRAB_PX = HANDLE_PX + 4.0
MANUAL_FERET = [f"manual_feret_{name}" for name in ("x1", "y1", "x2", "y2")]
HELP = "Drag to measure the extent by hand"
DRAGGABLE_MODES = ("pan_zoom", "transform")


def longest_row(regions: pd.DataFrame, summary: Mapping[str, Any]) -> Any:
    """Return the row of the region with the longest extent, None where nothing was measured."""
    rows = regions[regions["region_id"] == summary.get("longest_feret_region")]
    return rows.iloc[0] if len(rows) else None


def extents_of(
    regions: pd.DataFrame, summary: Mapping[str, Any], mpp: PixelSize
) -> tuple[Extent, ...]:
    """Return what to draw: the manual extent over the automatic one, or that alone.

    Parameters
    ----------
    regions : DataFrame
        As regions.csv.
    summary : mapping
        As `regions` of result.json.
    mpp : PixelSize
        Of the slide.
    """
    row, drawn = longest_row(regions, summary), []
    by_hand = summary.get("manual_longest_feret_mm")
    if row is not None:
        text = length_mm(float(row["feret_max_mm"]))
        words = text if by_hand is None else f"{text} automatic"
        drawn.append(Extent(feret_world(row, mpp), words, is_main=by_hand is None))
    if by_hand is not None:
        ends = to_world([summary[name] for name in MANUAL_FERET], mpp)
        drawn.append(Extent(ends, _manual_text(ends), BY_HAND))
    return tuple(drawn)


def _manual_text(ends: Points) -> str:
    return f"{length_mm(length_um(ends) / 1e3)} manual"


def length_um(ends: Points) -> float:
    """Return the length of a line in world µm."""
    return float(np.hypot(*(ends[1] - ends[0])))


class Caliper(Companion):
    """Draws extents on a session's slide, keeps their width on screen, and lets ends be dragged.

    Attributes
    ----------
    may_drag : bool
        Whether hands may measure now.
    dragged : Signal
        Emitted with the detail of a journal's `extent` (ends in level-0 px, `length_mm`) when an
        end was let go.
    """

    dragged = Signal(object)

    def __init__(self, session: Session) -> None:
        from superqt.utils import qdebounced

        self._session = session
        self._extents: tuple[Extent, ...] = ()
        self._kinds: list[str] = []
        self.may_drag = False
        self._is_near = False
        viewer = session.viewer
        self._viewer = ref(viewer)
        self._fit_soon = qdebounced(self._fit, timeout=80)
        viewer.scene.camera.events.zoom.connect(self._on_zoom)
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_drag_callbacks.append(self._on_drag)

    def show(
        self,
        result: Result | None,
        regions: pd.DataFrame | None = None,
        summary: Mapping[str, Any] | None = None,
    ) -> None:
        """Draw the longest extent of a result; without one, take the caliper away.

        `regions` and `summary` are those to show where they are not the result's own.
        """
        slide = self._session.slide
        if result is None or slide is None:
            self.remove()
            return
        table = result.regions if regions is None else regions
        figures = (result.record.get("regions") or {}) if summary is None else summary
        extents = extents_of(table, figures, slide.mpp)
        self._draw(_with_handles(extents, self.may_drag), result)

    def remove(self) -> None:
        """Take the caliper off the slide."""
        layer = self._session.layer(ROLE)
        self._extents = ()
        if layer is not None:
            self._session.viewer.layers.remove(layer)

    def plates(self) -> list[Points]:
        """Return the corners of the plates that are drawn, (y, x) in world µm."""
        shapes = drawing(self._extents, self._pixel_um)
        return [shape.points for shape in shapes if shape.text]

    # ------------------------------------------------------------------ drawing
    def _draw(self, extents: tuple[Extent, ...], result: Result) -> None:
        if not extents:
            self.remove()
            return
        before, self._extents = self._extents, extents
        layer, layers = self._session.layer(ROLE), self._session.viewer.layers
        if layer is not None:
            if not same(before, extents):
                self._fit()
            return
        active = layers.selection.active
        self._session.viewer.add_layer(self._layer(result))
        if active is not None and active in layers:
            layers.selection.active = active

    @property
    def _pixel_um(self) -> float:
        """µm per pixel of the screen."""
        return 1 / self._session.viewer.scene.camera.zoom

    def _layer(self, result: Result) -> Layer:
        from napari.layers import Shapes

        layer = Shapes(
            ndim=2,
            opacity=1.0,
            name="Longest extent",
            metadata={TAG: {"role": ROLE, "result": result.path}},
            **world_placement(),
        )
        self._fill(layer, drawing(self._extents, self._pixel_um))
        layer.editable = False
        return layer

    def _fill(self, layer: Shapes, shapes: list[Shape]) -> None:
        """Put shapes into the layer; the same ones at other places only move."""
        kinds = [f"{shape.kind} {shape.edge} {shape.face}" for shape in shapes]
        with drawn_once(layer):
            if kinds == self._kinds and len(layer.data) == len(shapes):
                layer.data = [shape.points for shape in shapes]
                layer.edge_width = [shape.width for shape in shapes]
            else:
                refill(layer, shapes)
            layer.features = {
                "length": [shape.text for shape in shapes],
                "colour": [extent_colour(shape, self._extents) for shape in shapes],
            }
        self._kinds = kinds

    def _on_zoom(self, event: Any = None) -> None:
        self._fit_soon()

    def _fit(self) -> None:
        """Give lines, ticks and text their size on screen back after zooming."""
        if self._viewer() is None:  # closed since the zoom
            return
        layer = self._session.layer(ROLE)
        if layer is not None and self._extents:
            self._fill(cast("Shapes", layer), drawing(self._extents, self._pixel_um))

    # ------------------------------------------------------------------ dragging
    def _end_at(self, position: Any) -> int | None:
        """Return which end of the extent on top the mouse is at, while it may be dragged."""
        layer, viewer = self._session.layer(ROLE), self._session.viewer
        active = viewer.layers.selection.active
        busy = (
            active is not None and str(getattr(active, "mode", "pan_zoom")) not in DRAGGABLE_MODES
        )
        if not self.may_drag or not self._extents or busy or layer is None or not layer.visible:
            return None
        place = np.asarray(position, float)[-2:]
        return nearest_end(self._extents[-1], place, GRAB_PX * self._pixel_um)

    def _on_move(self, viewer: Any, event: Any) -> None:
        """Show by the cursor that an end can be dragged."""
        is_near = self._end_at(event.position) is not None
        if is_near != self._is_near:
            self._is_near = is_near
            viewer.cursor.style = "pointing" if is_near else "standard"
            viewer.help = HELP if is_near else ""

    def _on_drag(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        end = self._end_at(event.position)
        if end is None:
            return
        event.handled = True  # so that the view stays
        before, moved = self._extents, False
        yield
        while event.type == "mouse_move":
            event.handled = moved = True
            self._move_end(before, end, np.asarray(event.position, float)[-2:])
            yield
        event.handled = True
        if moved:
            self._let_go()

    def _move_end(self, before: tuple[Extent, ...], end: int, place: Points) -> None:
        """Draw the extent on top as a manual one with an end elsewhere."""
        automatic = before[0]
        ends = before[-1].ends.copy()
        ends[end] = place
        text = automatic.text if len(before) > 1 else f"{automatic.text} automatic"
        manual = Extent(ends, _manual_text(ends), BY_HAND, has_handles=True)
        others = replace(automatic, text=text, is_main=False, has_handles=False)
        self._extents = (others, manual) if self._has_automatic(before) else (manual,)
        self._fit()

    @staticmethod
    def _has_automatic(extents: tuple[Extent, ...]) -> bool:
        return extents[0].colour != BY_HAND

    def _let_go(self) -> None:
        slide, ends = self._session.slide, self._extents[-1].ends
        if slide is None:
            return
        (x1, y1), (x2, y2) = to_level0(ends, slide.mpp).tolist()
        detail = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "length_mm": length_um(ends) / 1e3}
        self.dragged.emit(detail)


def _with_handles(extents: tuple[Extent, ...], may_drag: bool) -> tuple[Extent, ...]:
    return (*extents[:-1], *(replace(last, has_handles=may_drag) for last in extents[-1:]))
