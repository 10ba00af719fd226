"""The caliper: the longest extent drawn on the slide, with end ticks and its length in mm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.viewer.coordinates import world_placement
from napari_breastpath.viewer.layers import TAG
from napari_breastpath.viewer.navigate import feret_world
from napari_breastpath.viewer.wording import length_mm

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session

WIDTH_PX, TICK_PX, TEXT_PT = 3.0, 9.0, 14
COLOR = "#ffe14d"
ROLE = "caliper"


def with_ticks(ends: NDArray[np.float64], tick_um: float) -> list[NDArray[np.float64]]:
    """Return a line and a tick across each of its ends.

    Parameters
    ----------
    ends : ndarray, float (2, 2)
        (y, x) in world µm.
    tick_um : float
        Half the ticks' length in µm.
    """
    along = ends[1] - ends[0]
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9) * tick_um
    return [ends, *(np.stack([end - across, end + across]) for end in ends)]


def longest_region(result: Result) -> Any:
    """Return the row of the region with the longest extent, None where nothing was measured."""
    number = (result.record.get("regions") or {}).get("longest_feret_region")
    if number is None:
        return None
    regions = result.regions
    rows = regions[regions["region_id"] == number]
    return rows.iloc[0] if len(rows) else None


class Caliper:
    """Draws an extent on a session's slide and keeps its width on screen.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        from superqt.utils import qdebounced

        self._session = session
        self._ends: NDArray[np.float64] | None = None
        self._fit_soon = qdebounced(self._fit, timeout=80)
        session.viewer.scene.camera.events.zoom.connect(self._on_zoom)

    def show_longest(self, result: Result | None) -> None:
        """Draw the longest extent of a measured result; without one, take the caliper away."""
        row = longest_region(result) if result is not None else None
        if row is None or result is None or self._session.slide is None:
            self.remove()
            return
        self.show(feret_world(row, self._session.slide.mpp), float(row["feret_max_mm"]), result)

    def show(self, ends: NDArray[np.float64], length: float, result: Result) -> None:
        """Draw one extent; `ends` (2, 2) world (y, x) in µm, `length` in mm."""
        self.remove()
        self._ends = ends
        viewer = self._session.viewer
        active = viewer.layers.selection.active
        viewer.add_layer(self._layer(ends, length, result))
        if active is not None and active in viewer.layers:
            viewer.layers.selection.active = active

    def remove(self) -> None:
        """Take the caliper off the slide."""
        layer = self._session.layer(ROLE)
        if layer is not None:
            self._session.viewer.layers.remove(layer)

    def _px_um(self) -> float:
        """µm per pixel of the screen."""
        return 1 / self._session.viewer.scene.camera.zoom

    def _layer(self, ends: NDArray[np.float64], length: float, result: Result) -> Layer:
        from napari.layers import Shapes

        pixel = self._px_um()
        layer = Shapes(
            with_ticks(ends, TICK_PX * pixel),
            shape_type="line",
            edge_width=WIDTH_PX * pixel,
            edge_color=COLOR,
            name="Longest extent",
            features={"length": [length_mm(length), "", ""]},
            text={
                "string": "{length}",
                "size": TEXT_PT,
                "color": COLOR,
                "anchor": "center",
                "translation": [0.0, 0.0],
            },
            metadata={TAG: {"role": ROLE, "result": result.path}},
            **world_placement(),
        )
        layer.editable = False
        return layer

    def _on_zoom(self, event: Any = None) -> None:
        self._fit_soon()

    def _fit(self) -> None:
        """Give line and ticks their width on screen back after zooming."""
        layer = self._session.layer(ROLE)
        if layer is None or self._ends is None:
            return
        pixel = self._px_um()
        layer.data = with_ticks(self._ends, TICK_PX * pixel)
        layer.edge_width = [WIDTH_PX * pixel] * 3
