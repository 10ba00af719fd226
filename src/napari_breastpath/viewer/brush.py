"""The brush on the edit layer: its size in µm, its class, and the strokes it makes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from napari_breastpath.edits import Change
from napari_breastpath.viewer.edit_canvas import EditCanvas
from napari_breastpath.viewer.edit_window import stroke_change
from napari_breastpath.viewer.edit_words import MODE_TOOLS
from napari_breastpath.viewer.palette import paintable

if TYPE_CHECKING:
    from napari.layers import Labels

BRUSH_UM = 100.0
Stroked = Callable[[Change, str, float], None]


class Brush:
    """Listens to the edit layer of a canvas.

    Parameters
    ----------
    canvas : EditCanvas
    stroked : callable
        Gets each stroke: what changed, the tool's name, seconds from pressing to letting go.
    released : callable
        Called when the mouse was let go.
    changed : callable
        Called when tool, class or size changed, by us or by napari's controls.

    Attributes
    ----------
    value : int
        Label value that is painted: class k, 0 erases.
    pressed : bool
        A stroke is being drawn.
    """

    def __init__(
        self,
        canvas: EditCanvas,
        stroked: Stroked,
        released: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._canvas, self._stroked = canvas, stroked
        self._released, self._changed = released, changed
        self.value, self.pressed = 1, False
        self._size_um = BRUSH_UM
        self._began: float | None = None

    def dress(self, layer: Labels) -> None:
        """Give the edit layer class and size, and listen to it."""
        layer.selected_label = self.value
        layer.brush_size = self._size_px()
        hide_box(self._canvas.session.viewer)
        if self._on_press in layer.mouse_drag_callbacks:
            return
        layer.mouse_drag_callbacks.append(self._on_press)
        layer.events.paint.connect(self._on_paint)
        layer.events.mode.connect(self._on_mode)
        layer.events.selected_label.connect(self._on_label)
        layer.events.brush_size.connect(self._on_size)

    def put_away(self) -> None:
        """Take note that the layer is gone."""
        self._began, self.pressed = None, False

    def choose(self, value: int) -> None:
        """Choose what is painted: class k, 0 erases."""
        self.value = value
        if self._canvas.layer is not None:
            self._canvas.layer.selected_label = value

    @property
    def size_um(self) -> float:
        """Diameter in µm (mean of both axes)."""
        return self._size_um

    @size_um.setter
    def size_um(self, value: float) -> None:
        self._size_um = value
        if self._canvas.layer is not None:
            self._canvas.layer.brush_size = self._size_px()

    def _pixel_um(self) -> float:
        result = self._canvas.session.result
        return float(sum(result.lattice.mpp) / 2) if result is not None else 1.0

    def _size_px(self) -> int:
        return max(1, round(self._size_um / self._pixel_um()))

    def _on_size(self, event: Any = None) -> None:
        layer = self._canvas.layer
        if layer is not None and layer.brush_size != self._size_px():
            self._size_um = float(layer.brush_size * self._pixel_um())
            self._changed()

    def _on_label(self, event: Any = None) -> None:
        """Keep to the model's classes: napari's keys count on without end."""
        layer, result = self._canvas.layer, self._canvas.session.result
        if layer is None or result is None:
            return
        if layer.selected_label in (0, *paintable(result.classes)):
            self.value = layer.selected_label
            self._changed()
        else:
            layer.selected_label = self.value

    def _on_mode(self, event: Any = None) -> None:
        canvas = self._canvas
        if canvas.layer is None or canvas.moving or canvas.suspended:
            return
        canvas.mode, self._began = str(canvas.layer.mode), None
        self._changed()

    def _on_press(self, layer: Labels, event: Any) -> Iterator[None]:
        """Take the time of a stroke; a polygon's goes on over its clicks."""
        if self._began is None or self._canvas.mode != "polygon":
            self._began = time.monotonic()
        self.pressed = True
        yield
        while event.type == "mouse_move":
            yield
        self.pressed = False
        self._released()

    def _on_paint(self, event: Any) -> None:
        window = self._canvas.window
        change = stroke_change(event.value, window) if window is not None else None
        began, self._began = self._began, None
        if change is None:
            return
        mode = self._canvas.mode
        tool = "eraser" if mode == "paint" and self.value == 0 else MODE_TOOLS.get(mode, "brush")
        self._stroked(change, tool, time.monotonic() - began if began is not None else 0.0)


def hide_box(viewer: Any) -> None:
    """Take napari's box from behind the brush's circle.

    napari 0.9 draws a box behind every overlay of the canvas: behind this one a black square of
    8 px, which covers what is painted and stays where the brush was put away.
    """
    circle = getattr(viewer.canvas.overlays, "_brush_circle", None)
    if circle is not None:
        circle.box = False
