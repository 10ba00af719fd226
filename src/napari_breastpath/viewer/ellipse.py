"""The moment axis as an ellipse on the slide: the challenge's major axis, told from the extent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from weakref import ref

import numpy as np
from psygnal import Signal
from superqt.utils import qdebounced

from napari_breastpath.report.wording import length_mm
from napari_breastpath.viewer.caliper import Caliper
from napari_breastpath.viewer.caliper_drawing import (
    CHARACTER_PX,
    DARK,
    GAP_PX,
    HALO_PX,
    LINE_HEIGHT_PX,
    LINE_PX,
    SQUARE,
    THIN_PX,
    Points,
    Shape,
    refill,
)
from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.coordinates import to_world, world_placement
from napari_breastpath.viewer.layers import TAG
from napari_breastpath.viewer.live_numbers import LiveNumbers

if TYPE_CHECKING:
    from napari.layers import Shapes

    from napari_breastpath.core.geometry import PixelSize
    from napari_breastpath.measure import Ellipse
    from napari_breastpath.viewer.session import Session

ROLE = "ellipse"
WHITE = "#ffffff"
FIT_MS = 80
NOT_YET = "No axis to show: it comes with measured regions, some seconds after they are opened."


def axes_world(ellipse: Ellipse, mpp: PixelSize) -> tuple[Points, Points, Points]:
    """Return centre, half the major and half the minor axis, as (y, x) in world µm.

    Parameters
    ----------
    ellipse : Ellipse
        Centre in level-0 px, axes in mm.
    mpp : PixelSize
        Of the slide.
    """
    along = np.array([np.sin(ellipse.angle), np.cos(ellipse.angle)])
    across = np.array([along[1], -along[0]])
    (centre,) = to_world([(ellipse.x, ellipse.y)], mpp)
    return centre, along * ellipse.major * 500, across * ellipse.minor * 500


def label_text(ellipse: Ellipse) -> str:
    """Return the words beside the ellipse."""
    return f"challenge major axis {length_mm(ellipse.major)}"


def drawing(
    ellipse: Ellipse, mpp: PixelSize, pixel_um: float, taken: list[Points] | None = None
) -> list[Shape]:
    """Return the shapes of an ellipse, dark under white, at `pixel_um` µm per screen pixel.

    Parameters
    ----------
    ellipse, mpp
        As for `axes_world`.
    pixel_um : float
    taken : list of ndarray, optional
        Corners of plates that the ellipse's own must not cover.
    """
    centre, a, b = axes_world(ellipse, mpp)
    corners = np.stack([centre - a - b, centre + a - b, centre + a + b, centre - a + b])
    axis, halo = np.stack([centre - a, centre + a]), HALO_PX - LINE_PX
    text = label_text(ellipse)
    plate = label_plate((centre, a, b), text, pixel_um, taken or [])
    return [
        Shape("ellipse", corners, (LINE_PX + halo) * pixel_um, DARK, "transparent"),
        Shape("line", axis, (THIN_PX + halo) * pixel_um, DARK),
        Shape("ellipse", corners, LINE_PX * pixel_um, WHITE, "transparent"),
        Shape("line", axis, THIN_PX * pixel_um, WHITE),
        Shape("rectangle", plate, LINE_PX * pixel_um, DARK, text=text),
    ]


def label_plate(
    axes: tuple[Points, Points, Points], text: str, pixel_um: float, taken: list[Points]
) -> Points:
    """Return the corners of the plate for the text: outside the ellipse, and clear of others.

    Above or below, as text is wide and low, else beside, else as far out as it takes.
    """
    centre, a, b = axes
    half = np.array([LINE_HEIGHT_PX, CHARACTER_PX * (len(text) + 1)]) / 2 * pixel_um
    ends = [(end, end / max(float(np.hypot(*end)), 1e-9)) for end in (a, -a, b, -b)]
    ends.sort(key=lambda each: -abs(each[1][0]))
    for further in range(4):
        gap = (GAP_PX + 2 * LINE_HEIGHT_PX * further) * pixel_um
        for end, unit in ends:
            middle = centre + end + unit * (float(np.abs(unit) @ half) + gap)
            plate: Points = middle + half * SQUARE
            if not any(overlap(plate, other) for other in taken):
                return plate
    return plate


def overlap(a: Points, b: Points) -> bool:
    """Tell whether two upright rectangles, given by their corners, share area."""
    return bool((a.min(axis=0) < b.max(axis=0)).all() and (b.min(axis=0) < a.max(axis=0)).all())


class MomentAxis(Companion):
    """Draws the ellipse of the slide's longest moment axis, while it is asked for.

    Attributes
    ----------
    is_on : bool
        Asked for; drawn as soon as the numbers are ready.
    changed : Signal
        Emitted with this when it was switched, or there is (no) ellipse to draw any more.
    """

    changed = Signal(object)

    def __init__(self, session: Session) -> None:
        self._session, self._viewer = ref(session), ref(session.viewer)
        self._live, self.is_on = LiveNumbers.of(session), False
        self._drawn: tuple[Ellipse, float] | None = None
        self._draw_soon = qdebounced(self.draw, timeout=FIT_MS)
        session.viewer.scene.camera.events.zoom.connect(self._on_zoom)
        session.numbers.connect(self._on_change)
        session.result_changed.connect(self._on_change)
        self._live.advised.connect(self._on_change)

    @property
    def ellipse(self) -> Ellipse | None:
        """What there is to draw; None before the numbers are ready, or without a region."""
        return self._live.ellipse

    def toggle(self) -> bool:
        """Switch it on or off; False where there is nothing to draw."""
        self.is_on = not self.is_on and self.ellipse is not None
        self._on_change()
        return self.ellipse is not None

    def _on_zoom(self, event: Any = None) -> None:
        if self.is_on:
            self._draw_soon()

    def _on_change(self, _: object = None) -> None:
        self.draw()
        self.changed.emit(self)

    def draw(self) -> None:
        """Bring the layer up to date."""
        session = self._session() if self._viewer() is not None else None
        if session is None:
            return
        layer, ellipse = session.layer(ROLE), self.ellipse
        if not self.is_on or ellipse is None or session.slide is None:
            self._drawn = None
            if layer is not None:
                session.viewer.layers.remove(layer)
            return
        pixel_um = 1 / session.viewer.scene.camera.zoom
        if layer is not None and self._drawn == (ellipse, pixel_um):
            return
        self._drawn = ellipse, pixel_um
        taken = Caliper.of(session).plates()
        shapes = drawing(ellipse, session.slide.mpp, pixel_um, taken)
        refill(cast("Shapes", layer) or self._add(session), shapes, WHITE)

    @staticmethod
    def _add(session: Session) -> Shapes:
        from napari.layers import Shapes

        layers = session.viewer.layers
        active = layers.selection.active
        whose = {"role": ROLE, "result": session.result and session.result.path}
        layer = Shapes(
            ndim=2,
            opacity=1.0,
            name="Challenge major axis",
            metadata={TAG: whose},
            **world_placement(),
        )
        session.viewer.add_layer(layer)
        layer.editable = False
        caliper = session.layer("caliper")
        if caliper is not None:  # whose words must stay legible
            layers.move(layers.index(layer), layers.index(caliper))
        if active is not None and active in layers:
            layers.selection.active = active
        return layer
