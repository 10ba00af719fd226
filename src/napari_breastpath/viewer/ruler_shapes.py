"""Rulers and areas as figures: points in world µm in, lengths, labels and outlines out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.report.wording import area_mm2, length_mm
from napari_breastpath.viewer.caliper import CHARACTER_PX, GAP_PX, LINE_HEIGHT_PX, plate, with_ticks
from napari_breastpath.viewer.where import ellipse_outline

Points = NDArray[np.float64]
RULER, AREA = "ruler", "area"
SHAPE_OF = {RULER: "path", AREA: "polygon"}
"""How napari's Shapes layer keeps each."""
LINES = ("line", "path")
SMALLEST_PX = 3.0
"""Shorter on screen is a slip of the hand."""
SHORT_MM = 0.1


@dataclass(frozen=True, eq=False)
class Figure:
    """One measured line or area.

    Attributes
    ----------
    kind : str
        `ruler` (its length) or `area` (what it encloses, and its perimeter).
    points : ndarray, float (n, 2)
        (y, x) in world µm; an area closes by itself.
    """

    kind: str
    points: Points

    @property
    def length_um(self) -> float:
        """Length of a ruler, perimeter of an area."""
        return float(np.linalg.norm(np.diff(closed(self), axis=0), axis=1).sum())

    @property
    def area_um2(self) -> float:
        """Area within, by the shoelace formula."""
        y, x = (self.points - self.points[0]).T
        return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)

    @property
    def text(self) -> str:
        """What the label says; an outline that crosses itself encloses no area to speak of."""
        if self.kind == RULER:
            return short_length(self.length_um)
        if crosses_itself(self.points):
            return "the outline crosses itself"
        return f"{small_area(self.area_um2)} · perimeter {short_length(self.length_um)}"

    def same_as(self, other: Figure) -> bool:
        """Tell whether nothing was moved, up to a thousandth of a µm."""
        same_size = self.kind == other.kind and self.points.shape == other.points.shape
        return same_size and bool(np.allclose(self.points, other.points, rtol=0, atol=1e-3))


def crosses_itself(points: Points) -> bool:
    """Tell whether two sides of a closed outline cross; sides that only touch do not."""
    return _crosses(np.ascontiguousarray(points, float).tobytes())


@lru_cache(maxsize=512)  # labels are drawn again at every zoom
def _crosses(outline: bytes) -> bool:
    points = np.frombuffer(outline).reshape(-1, 2)
    start, end = points, np.roll(points, -1, axis=0)

    def side(of: Points) -> Points:
        """On which side of line i (rows) each point (columns) lies."""
        along, away = (end - start)[:, None], of[None] - start[:, None]
        turn: Points = along[..., 0] * away[..., 1] - along[..., 1] * away[..., 0]
        return np.sign(turn)

    apart = side(start) * side(end) < 0
    return bool((apart & apart.T).any())


def short_length(um: float) -> str:
    """Return a length in mm, one below 0.1 mm in µm."""
    return f"{um:.1f} µm" if um < SHORT_MM * 1000 else length_mm(um / 1000)


def small_area(um2: float) -> str:
    """Return an area in mm², with three digits where the report's would leave one or two."""
    mm2 = um2 / 1e6
    return f"{mm2:.3g} mm²" if 0.001 <= mm2 < 0.1 else area_mm2(mm2)


def figure_of(shape_type: str, points: Points) -> Figure:
    """Return what a shape of napari's measures: lines their length, all others their area."""
    points = np.asarray(points, float)[:, -2:]
    if shape_type in LINES:
        return Figure(RULER, points)
    return Figure(AREA, ellipse_outline(points) if shape_type == "ellipse" else points)


def is_slip(figure: Figure, pixel_um: float) -> bool:
    """Tell whether a figure is too small to be meant, at `pixel_um` µm per screen pixel."""
    return len(figure.points) < (2 if figure.kind == RULER else 3) or (
        figure.length_um < SMALLEST_PX * pixel_um
    )


def closed(figure: Figure) -> Points:
    """Return a figure's line, that of an area back to its start."""
    if figure.kind == RULER:
        return figure.points
    return np.vstack([figure.points, figure.points[:1]])


def end_ticks(figure: Figure, pixel_um: float) -> list[Points]:
    """Return the ticks across both ends of a ruler; an area has none."""
    if figure.kind == AREA:
        return []
    first, last = with_ticks(figure.points[:2], pixel_um), with_ticks(figure.points[-2:], pixel_um)
    return [first[1], last[2]]


def label_plate(figure: Figure, pixel_um: float) -> Points:
    """Return the corners of a label's plate: beside a straight ruler, below anything else."""
    if figure.kind == RULER and len(figure.points) == 2:
        return plate(figure.points, figure.text, pixel_um)
    half = np.array([LINE_HEIGHT_PX, CHARACTER_PX * (len(figure.text) + 1)]) / 2 * pixel_um
    low, high = figure.points.min(axis=0), figure.points.max(axis=0)
    center = np.array([high[0] + GAP_PX * pixel_um + half[0], (low[1] + high[1]) / 2])
    corners: Points = center + half * np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
    return corners


def apart(plates: Sequence[Points], gap_um: float) -> list[Points]:
    """Return plates, each moved down until it covers none before it."""
    placed: list[Points] = []
    for corners in plates:
        while under := [other for other in placed if _covers(other, corners)]:
            down = max(other[:, 0].max() for other in under) - corners[:, 0].min() + gap_um
            corners = corners + np.array([down, 0.0])
        placed.append(corners)
    return placed


def _covers(one: Points, other: Points) -> bool:
    """Tell whether two upright rectangles overlap."""
    clear = (one.max(axis=0) <= other.min(axis=0)) | (other.max(axis=0) <= one.min(axis=0))
    return not clear.any()


def simplified(points: Points, pixel_um: float) -> Points:
    """Return a hand-drawn outline with the points that a third of a screen pixel cannot tell.

    Douglas & Peucker, Cartographica 10 (1973), 112.
    """
    from skimage.measure import approximate_polygon

    return np.asarray(approximate_polygon(points, pixel_um / 3), float)
