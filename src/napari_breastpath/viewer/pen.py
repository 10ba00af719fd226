"""Drawing a ruler (two clicks or a drag) or an area (freehand or corner by corner) on a slide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.ruler_shapes import AREA, RULER, Figure, Points, simplified
from napari_breastpath.viewer.rulers import Rulers

if TYPE_CHECKING:
    from napari.layers import Shapes

    from napari_breastpath.viewer.session import Session

STEP_PX = 3.0
"""The mouse moved that far on screen: a drag and no click, or the next point of an outline."""
HINTS = {
    "": "",
    RULER: "Click both ends, or drag. Esc stops.",
    AREA: "Drag around it, or click corners and double-click the last. Esc stops.",
}


class Pen(Companion):
    """Draws one figure at a time for the rulers of a session.

    Attributes
    ----------
    kind : str
        What is being drawn: `ruler`, `area`, or "" for nothing.
    changed : Signal
        Emitted with `kind` when it changes.
    """

    changed = Signal(str)

    def __init__(self, session: Session) -> None:
        self.kind = ""
        self._rulers = Rulers.of(session)
        self._points: list[Points] = []
        self._layer: Shapes | None = None
        self._before: Any = None
        self._double_clicks: list[Any] = []
        session.viewer.layers.selection.events.active.connect(self._on_active)

    def take(self, kind: str) -> bool:
        """Start drawing a `ruler` or an `area`; "" puts the pen away. False without a slide."""
        self._put_away()
        layer = self._rulers.ensure_layer() if kind else None
        if layer is not None:
            self._begin(layer, kind)
        self.changed.emit(self.kind)
        return bool(layer) or not kind

    def _begin(self, layer: Shapes, kind: str) -> None:
        session = self._rulers.session
        if layer is not self._layer:
            self._listen(layer)
        self._layer = layer
        self._before = session.viewer.layers.selection.active if session else None
        if session is not None:
            session.viewer.layers.selection.active = layer
            self._double_clicks = list(session.viewer.mouse_double_click_callbacks)
            session.viewer.mouse_double_click_callbacks.clear()  # napari zooms in on them
        layer.visible = True
        layer.mode = "pan_zoom"
        layer.mouse_pan, layer.cursor, layer.help = False, "cross", HINTS[kind]
        self.kind = kind

    def _listen(self, layer: Shapes) -> None:
        layer.mouse_drag_callbacks.append(self._on_press)
        layer.mouse_move_callbacks.append(self._on_move)
        layer.mouse_double_click_callbacks.append(self._on_double_click)
        layer.bind_key("Escape", lambda _: self.take(""), overwrite=True)

    def _put_away(self) -> None:
        """Stop drawing; the layer that hands were at is active again."""
        layer, session, before = self._layer, self._rulers.session, self._before
        if not self.kind or layer is None:
            return
        self.kind, self._points, self._before = "", [], None
        layer.mouse_pan, layer.cursor, layer.help = True, "standard", ""
        self._rulers.show_draft(None)
        if session is not None:
            session.viewer.mouse_double_click_callbacks.extend(self._double_clicks)
        if session is not None and before is not None and before in session.viewer.layers:
            session.viewer.layers.selection.active = before

    def _finish(self, points: list[Points]) -> None:
        figure = self._figure(points)
        self.take("")
        self._rulers.add(figure)

    def _figure(self, points: list[Points]) -> Figure:
        return Figure(self.kind, np.array(points, float))

    def _draft(self, points: list[Points]) -> None:
        if len(points) > 1:
            self._rulers.show_draft(self._figure(points))

    def _far(self, a: Points, b: Points) -> bool:
        return float(np.linalg.norm(b - a)) >= STEP_PX * self._rulers.pixel_um

    # ------------------------------------------------------------------ the mouse
    def _on_press(self, layer: Shapes, event: Any) -> Iterator[None]:
        if not self.kind or event.button != 1:
            return
        started = len(self._points)
        self._points.append(place(event))
        if self.kind == RULER and started:
            self._finish(self._points)
            return
        yield
        while event.type == "mouse_move" and self.kind:
            if not started:
                self._drag(place(event))
            yield
        if self.kind and not started:
            self._drag(place(event))  # fast hands: the last move may be missing
            if len(self._points) > 1:
                self._release()

    def _drag(self, here: Points) -> None:
        """Take the other end of a ruler along, add a point to an outline."""
        if self.kind == RULER and (len(self._points) > 1 or self._far(self._points[0], here)):
            self._points = [self._points[0], here]
        elif self.kind == AREA and self._far(self._points[-1], here):
            self._points.append(here)
        self._draft(self._points)

    def _release(self) -> None:
        """End of a drag."""
        points = self._points
        if self.kind == AREA:
            points = list(simplified(np.array([*points, points[0]]), self._rulers.pixel_um)[:-1])
        self._finish(points)

    def _on_move(self, layer: Shapes, event: Any) -> None:
        if self.kind and self._points:
            self._draft([*self._points, place(event)])

    def _on_double_click(self, layer: Shapes, event: Any) -> None:
        if self.kind == AREA and len(self._points) > 2:
            self._finish(self._points)

    def _on_active(self, event: Any) -> None:
        """Whoever picks another layer wants to do something else."""
        if self.kind and event.value is not self._layer:
            self._before = None
            self.take("")


def place(event: Any) -> Points:
    """Return where the mouse is, (y, x) in world µm."""
    return np.array(event.position[-2:], float)
