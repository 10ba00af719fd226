"""What a hand draws before it lets go: a line over the slide, gone when the tool has acted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.viewer.coordinates import world_placement
from napari_breastpath.viewer.layers import TAG

if TYPE_CHECKING:
    from napari.layers import Vectors

    from napari_breastpath.viewer.session import Session

ROLE = "sketch"
LINE_PX, FRAME_S, MOST_POINTS = 3.0, 0.03, 200
LINE_COLOUR, BRUSH_OPACITY = "#ffe14d", 0.4
NOTHING = np.zeros((MOST_POINTS + 1, 2, 2))
"""As many vectors as the longest line has: napari's background slicing stumbles over fewer."""


class Sketch:
    """A line being drawn on a session's slide.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = ref(session)
        self._drawn = 0.0

    def draw(
        self, points: NDArray[np.float64], width_um: float = 0.0, closed: bool = False
    ) -> None:
        """Show a line, 33 times a second at most.

        Parameters
        ----------
        points : ndarray, float (n, 2)
            World (y, x) in µm.
        width_um : float
            Of a brush; 0 draws a thin line.
        closed : bool
            Join the end with the beginning.
        """
        now = time.monotonic()
        session = self._session()
        if session is None or len(points) < 2 or now - self._drawn < FRAME_S:
            return
        path = points[:: -(-len(points) // MOST_POINTS)]
        path = np.concatenate((path, points[:1] if closed else points[-1:]))
        layer, width = self._layer(session), width_um or LINE_PX / session.viewer.scene.camera.zoom
        if layer.edge_width != width:
            layer.edge_width = width
        layer.opacity = BRUSH_OPACITY if width_um else 1.0
        lines = np.stack([path[:-1], np.diff(path, axis=0)], axis=1)
        layer.data = np.concatenate((lines, NOTHING))[: len(NOTHING)]
        self._drawn = time.monotonic()

    def _layer(self, session: Session) -> Vectors:
        """Return the layer of lines: Vectors, which take a tenth of the time of Shapes."""
        layer = session.layer(ROLE)
        if layer is None:
            from napari.layers import Vectors

            layer = Vectors(
                NOTHING,
                ndim=2,
                name="Drawing",
                metadata={TAG: {"role": ROLE}},
                vector_style="line",
                edge_color=LINE_COLOUR,
                **world_placement(),
            )
            layers = session.viewer.layers
            active = layers.selection.active
            layers.append(layer)
            layers.selection.active = active
        return layer

    def prepare(self) -> None:
        """Make the layer, which takes a moment that a drag should not wait for."""
        session = self._session()
        if session is not None:
            self._layer(session)

    def clear(self) -> None:
        """Take the line off the slide."""
        session = self._session()
        layer = session.layer(ROLE) if session is not None else None
        if layer is not None:
            layer.data = NOTHING

    def remove(self) -> None:
        """Take the layer away: the tool is put down."""
        session = self._session()
        layer = session.layer(ROLE) if session is not None else None
        if session is not None and layer is not None:
            session.viewer.layers.remove(layer)
