"""The caliper: the longest extent drawn on the slide, with end ticks and its length in mm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.report.wording import length_mm
from napari_breastpath.viewer.coordinates import world_placement
from napari_breastpath.viewer.layers import TAG
from napari_breastpath.viewer.navigate import feret_world

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session

Points = NDArray[np.float64]
ROLE = "caliper"
TICK_PX, HALO_PX, LINE_PX, GAP_PX = 10.0, 6.0, 3.0, 8.0
TEXT_PT, CHARACTER_PX, LINE_HEIGHT_PX = 12, 12.0, 24.0
DARK, LIGHT = "#101018", "#ffe14d"
LINES = 3
"""The line and a tick at each end; drawn twice, dark under light, to be seen on any stain."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What the caliper shows.

    Attributes
    ----------
    ends : ndarray, float (2, 2)
        (y, x) in world µm.
    text : str
        The length with its unit.
    """

    ends: Points
    text: str


def unit_across(ends: Points) -> Points:
    """Return the unit vector (y, x) at right angles to a line, pointing down or right."""
    along = ends[1] - ends[0]
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
    return -across if tuple(across) < (0.0, 0.0) else across


def with_ticks(ends: Points, pixel_um: float) -> list[Points]:
    """Return a line and a tick across each of its ends, at `pixel_um` µm per screen pixel."""
    tick = unit_across(ends) * TICK_PX * pixel_um
    return [ends, *(np.stack([end - tick, end + tick]) for end in ends)]


def plate(ends: Points, text: str, pixel_um: float) -> Points:
    """Return the corners of the plate for the text: beside the line's middle, clear of it."""
    half = np.array([LINE_HEIGHT_PX, CHARACTER_PX * (len(text) + 1)]) / 2 * pixel_um
    across = unit_across(ends)
    away = float(np.abs(across) @ half) + GAP_PX * pixel_um
    center = ends.mean(axis=0) + across * away
    return center + half * np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])


def drawing(extent: Extent, pixel_um: float) -> tuple[list[Points], list[float]]:
    """Return the shapes, (y, x) in world µm, and their edge widths in µm, from the bottom up."""
    lines = with_ticks(extent.ends, pixel_um)
    shapes = [*lines, *lines, plate(extent.ends, extent.text, pixel_um)]
    widths = [HALO_PX] * LINES + [LINE_PX] * LINES + [LINE_PX]
    return shapes, [width * pixel_um for width in widths]


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
        self._extent: Extent | None = None
        self._viewer = ref(session.viewer)
        self._fit_soon = qdebounced(self._fit, timeout=80)
        session.viewer.scene.camera.events.zoom.connect(self._on_zoom)

    def show_longest(self, result: Result | None) -> None:
        """Draw the longest extent of a measured result; without one, take the caliper away."""
        row = longest_region(result) if result is not None else None
        if row is None or result is None or self._session.slide is None:
            self.remove()
            return
        ends = feret_world(row, self._session.slide.mpp)
        self.show(Extent(ends, length_mm(float(row["feret_max_mm"]))), result)

    def show(self, extent: Extent, result: Result) -> None:
        """Draw one extent of a result; the layer that is there stays, hidden or not."""
        self._extent = extent
        layer, layers = self._session.layer(ROLE), self._session.viewer.layers
        if layer is not None:
            self._fit()
            return
        active = layers.selection.active
        self._session.viewer.add_layer(self._layer(extent, result))
        if active is not None and active in layers:
            layers.selection.active = active

    def remove(self) -> None:
        """Take the caliper off the slide."""
        layer = self._session.layer(ROLE)
        if layer is not None:
            self._session.viewer.layers.remove(layer)

    def _pixel_um(self) -> float:
        """µm per pixel of the screen."""
        return 1 / self._session.viewer.scene.camera.zoom

    def _layer(self, extent: Extent, result: Result) -> Layer:
        from napari.layers import Shapes

        shapes, widths = drawing(extent, self._pixel_um())
        layer = Shapes(
            shapes,
            shape_type=["line"] * (2 * LINES) + ["rectangle"],
            edge_width=widths,
            edge_color=[DARK] * LINES + [LIGHT] * LINES + [DARK],
            face_color=DARK,
            opacity=1.0,
            name="Longest extent",
            features={"length": texts(extent)},
            text={"string": "{length}", "size": TEXT_PT, "color": LIGHT, "anchor": "center"},
            metadata={TAG: {"role": ROLE, "result": result.path}},
            **world_placement(),
        )
        layer.editable = False
        return layer

    def _on_zoom(self, event: Any = None) -> None:
        self._fit_soon()

    def _fit(self) -> None:
        """Give lines, ticks and text their size on screen back after zooming."""
        if self._viewer() is None:  # closed since the zoom
            return
        layer = self._session.layer(ROLE)
        if layer is None or self._extent is None:
            return
        shapes, widths = drawing(self._extent, self._pixel_um())
        layer.data = shapes
        layer.edge_width = widths
        layer.features = {"length": texts(self._extent)}


def texts(extent: Extent) -> list[str]:
    """Return the text of every shape: only the plate has one."""
    return [""] * (2 * LINES) + [extent.text]
