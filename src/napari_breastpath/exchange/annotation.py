"""What people draw on slides, whatever the program they drew it with: one noun, `Annotation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vertices: TypeAlias = NDArray[np.float64]
Part: TypeAlias = tuple[Vertices, ...]

AREAS: Final = ("polygon", "rectangle", "ellipse")
KINDS: Final = (*AREAS, "line", "point")
MAX_COORDINATE_PX: Final = 1e8
"""Beyond any slide; a number greater than this is a mistake in the file."""
ELLIPSE_CORNERS: Final = 180


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """One object of an annotation file.

    Attributes
    ----------
    kind : str
        `polygon`, `rectangle` or `ellipse` (areas), `line` or `point`.
    parts : tuple of tuple of ndarray, float64 (n, 2)
        Level-0 (x, y) in px. A part of an area is its rings, exterior first, then its holes, closed
        or not; an ellipse is given as a ring of `ELLIPSE_CORNERS` corners. A part of a line or
        point is one array of its vertices.
    class_name : str
        Class or group as the file names it; empty where it names none.
    name, id : str
        As in the file; may be empty.
    exclusion : bool
        The file says that this area is cut out of others (ImageScope's negative regions,
        CAMELYON's `negative`).
    object_type : str
        QuPath's: `annotation`, `detection`, `cell`, `tile`, `tmaCore` or `root`.
    measurements : mapping of str to float
    color : (r, g, b), optional
    place : str
        Where in the file: `feature 3`, `line 17`.
    """

    kind: str
    parts: tuple[Part, ...]
    class_name: str = ""
    name: str = ""
    id: str = ""
    exclusion: bool = False
    object_type: str = "annotation"
    measurements: Mapping[str, float] = field(default_factory=dict)
    color: tuple[int, int, int] | None = None
    place: str = ""

    @property
    def is_area(self) -> bool:
        """It encloses pixels."""
        return self.kind in AREAS

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest and largest level-0 coordinates: x0, y0, x1, y1."""
        outer = np.concatenate([part[0] for part in self.parts])
        (x0, y0), (x1, y1) = outer.min(axis=0), outer.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)

    def shifted(self, dx: float, dy: float) -> Annotation:
        """Return the same annotation moved by level-0 pixels."""
        by = np.array((dx, dy))
        return replace(self, parts=tuple(tuple(ring + by for ring in part) for part in self.parts))


def vertices(values: object) -> Vertices:
    """Return positions as an array of (x, y); a third coordinate is left out.

    Raises
    ------
    ValueError
        Not numbers, not finite, or beyond any slide.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError("coordinates are not pairs of numbers") from None
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "iuf":
        raise ValueError("coordinates are not pairs of numbers")
    points = array[:, :2].astype(np.float64)
    if not (np.abs(points) <= MAX_COORDINATE_PX).all():
        raise ValueError("a coordinate is NaN, infinite or beyond any slide")
    return points


def rectangle_ring(points: Vertices) -> Vertices:
    """Return the corners of a rectangle given by four corners in order, or by two opposite ones."""
    if len(points) != 2:
        return points
    (x0, y0), (x1, y1) = points
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def ellipse_ring(points: Vertices) -> Vertices:
    """Return the ellipse that fills the upright bounding box of some points, as a ring."""
    low, high = points.min(axis=0), points.max(axis=0)
    angle = np.arange(ELLIPSE_CORNERS) * (2 * np.pi / ELLIPSE_CORNERS)
    circle = np.column_stack((np.cos(angle), np.sin(angle)))
    ring: Vertices = (low + high) / 2 + circle * (high - low) / 2
    return ring
