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


class EditCanvas:
    """The edit layer of a session; it hides the mask, which it shows itself.

    Parameters
    ----------
    session : Session
    dress : callable
        Gets the layer once it is made, to listen to it.

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

    @property
    def session(self) -> Session:
        """The session; it outlives this."""
        session = self._session()
        if session is None:
            raise ReferenceError("the viewer is closed")
        return session

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
        """Show a window's corrected mask, in the layer there is or a new one."""
        self.window = window
        if self.layer is None:
            self._add(make_layer(edit_layer(corrections.result, window, mask)))
        else:
            self._move(self.layer, corrections, window, mask)
        self.resume()

    def _add(self, layer: Any) -> None:
        layers = self.session.viewer.layers
        mask = self.session.layer("mask")
        if mask is not None:
            self._mask_visible, mask.visible = mask.visible, False
        self.layer = layer
        self._dress(layer)
        layers.insert(len(layers) if mask is None else layers.index(mask) + 1, layer)
        layers.selection.active = layer

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
        """Take the layer off the slide; the mask shows again."""
        if self.layer is not None and self.layer in self.session.viewer.layers:
            self.session.viewer.layers.remove(self.layer)
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
