"""The layer that hands paint in: opened over the view, moved along with it, read anew."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from qtpy.QtCore import QTimer

from napari_breastpath.core.geometry import Box
from napari_breastpath.edits import Corrections
from napari_breastpath.viewer.coordinates import to_level0
from napari_breastpath.viewer.edit_window import (
    EditWindow,
    UInt8Array,
    edit_layer,
    seen_window,
    window_placement,
)
from napari_breastpath.viewer.layers import make_layer
from napari_breastpath.viewer.where import view_corners

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_breastpath.viewer.session import Session

PAN = "pan_zoom"
NOTHING = np.zeros((1, 1), np.uint8)


class EditCanvas:
    """The edit layer of a session; it hides the mask, which it shows itself.

    napari takes a third of a second to make a layer: it is made once a result, and put aside.

    Parameters
    ----------
    session : Session
    dress : callable
        Gets the layer each time it is taken up, to listen to it.

    Attributes
    ----------
    layer : Labels or None
    window : EditWindow or None
        What part of the map it holds.
    mode : str
        napari's mode that the layer has, or shall have once it is back in sight.
    suspended : bool
        More is in view than the layer may hold: the mask is shown instead.
    moving : bool
        Its mode is none that anybody chose just now.
    """

    def __init__(self, session: Session, dress: Callable[[Labels], None]) -> None:
        self._session = ref(session)
        self._dress = dress
        self.layer: Labels | None = None
        self.window: EditWindow | None = None
        self.mode, self.suspended, self.moving = PAN, False, False
        self._mask_visible = True
        self._spare: Labels | None = None
        self._made_for: tuple[Any, Any] | None = None

    @property
    def session(self) -> Session:
        """The session; it outlives this."""
        session = self._session()
        if session is None:
            raise ReferenceError("the viewer is closed")
        return session

    @property
    def is_alive(self) -> bool:
        """Whether the session is still there."""
        return self._session() is not None

    def seen(self) -> EditWindow | None:
        """Return the map pixels in view, None where the view shows none."""
        session = self.session
        if session.result is None:
            return None
        viewer = session.viewer
        camera = viewer.scene.camera
        corners = view_corners(camera.center, camera.zoom, viewer.canvas.size)
        (left, top), (right, bottom) = to_level0(corners, session.result.slide_mpp)
        return seen_window(Box(left, top, right - left, bottom - top), session.result.lattice)

    def show(self, corrections: Corrections, window: EditWindow, mask: UInt8Array) -> None:
        """Show a window's corrected mask."""
        self.window = window
        layer = self.layer or self.prepare(corrections)
        self._move(layer, corrections, window, mask)
        if self.layer is None:
            self._take_up(layer)
        self.resume()

    def prepare(self, corrections: Corrections) -> Labels:
        """Return the layer put aside, made where there is none for this map and its classes."""
        result, layers = corrections.result, self.session.viewer.layers
        wanted, spare = (result.lattice, result.classes), self._spare
        if spare is not None and spare in layers:
            if self._made_for == wanted:
                return spare
            layers.remove(spare)
        self._made_for = wanted
        layer: Any = make_layer(edit_layer(result, EditWindow(0, 0, 1, 1), NOTHING))
        layer.visible = False
        mask, active = self.session.layer("mask"), layers.selection.active
        with layers.selection.events.blocker_all():  # napari selects what comes in
            layers.insert(len(layers) if mask is None else layers.index(mask) + 1, layer)
            layers.selection.active = active
        self._spare = layer
        return self._spare

    def warm_up(self) -> None:
        """Have napari make the circle of its brush, which takes it a while the first time."""
        cursor = self.session.viewer.cursor
        before = cursor.style
        cursor.style = "circle_frozen"
        cursor.style = before

    def _take_up(self, layer: Labels) -> None:
        self.layer, self._spare = layer, None
        self._dress(layer)
        layer.visible = True
        self._hide_mask()
        self.session.viewer.layers.selection.active = layer

    def _move(
        self, layer: Labels, corrections: Corrections, window: EditWindow, mask: UInt8Array
    ) -> None:
        self.moving = True
        layer.editable = False  # forgets napari's own history, which belongs to the old place
        layer.data = mask
        layer.translate = window_placement(corrections.result, window)["translate"]
        layer.editable = True
        self.moving = False

    def paste(self, window: EditWindow, mask: UInt8Array) -> None:
        """Show what a part of the window is on disk now."""
        if self.layer is None or self.window is None:
            return
        top, left = window.row - self.window.row, window.column - self.window.column
        self.layer.data[top : top + window.height, left : left + window.width] = mask
        self.layer.refresh(extent=False)

    def set_mode(self, mode: str) -> None:
        """Set napari's mode, at once or when the layer is back in sight."""
        self.mode = mode
        if self.layer is not None and not self.suspended:
            self.layer.mode = mode

    def suspend(self) -> None:
        """Show the mask instead: more is in view than the layer may hold."""
        if self.layer is not None and not self.suspended:
            self.suspended = True  # first, for who listens to the mode
            self.layer.mode = PAN
            self.layer.visible = False
            self._show_mask()

    def resume(self) -> None:
        """Show the layer, with the mode that is wanted."""
        if self.layer is None:
            return
        if self.suspended:
            self.suspended, self.layer.visible = False, True
            self._hide_mask()
        self.layer.mode = self.mode

    def _hide_mask(self) -> None:
        mask = self.session.layer("mask")
        if mask is not None:
            self._mask_visible, mask.visible = mask.visible, False

    def _show_mask(self) -> None:
        with suppress(ReferenceError):  # the viewer is closed
            mask = self.session.layer("mask")
            if mask is not None:
                mask.visible = self._mask_visible

    def remove(self) -> None:
        """Put the layer aside; the mask shows again."""
        layer, layers = self.layer, self.session.viewer.layers
        if layer is not None and layer in layers:
            if layers.selection.active is layer:
                layers.selection.active = self.session.layer("mask")
            self.moving = True
            layer.mode, layer.visible = PAN, False
            layer.data, layer.editable = NOTHING, False
            self.moving, self._spare = False, layer
        self.forget()

    def forget(self) -> None:
        """Take note that the layer is gone."""
        if self.layer is not None and not self.suspended:
            # Not at once: when the viewer closes, all layers go and none may be drawn any more.
            QTimer.singleShot(0, self._show_mask)
        self.layer = self.window = None
        self.mode, self.suspended = PAN, False

    def map_points(self, points: Any) -> list[tuple[float, float]]:
        """Return world points (y, x) in µm as (row, column) map px, pixel i covering [i, i+1)."""
        if self.layer is None or self.window is None:
            return []
        corner = np.array([self.window.row, self.window.column]) + 0.5
        inside = [np.asarray(self.layer.world_to_data(p))[-2:] + corner for p in points]
        return [(float(row), float(column)) for row, column in inside]
