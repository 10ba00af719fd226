"""How an extent is drawn: a line with ticks, handles to drag it by, and its length on a plate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari.layers import Shapes

Points: TypeAlias = NDArray[np.float64]
Kind: TypeAlias = Literal["line", "rectangle", "ellipse"]
TICK_PX, HALO_PX, LINE_PX, THIN_PX, GAP_PX, HANDLE_PX = 10.0, 6.0, 3.0, 1.5, 8.0, 7.0
TEXT_PT, CHARACTER_PX, LINE_HEIGHT_PX = 12, 12.0, 24.0
DARK, LIGHT, BY_HAND = "#101018", "#ffe14d", "#7fe3ff"
SQUARE = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])


@dataclass(frozen=True, slots=True)
class Extent:
    """A length on the slide.

    Attributes
    ----------
    ends : ndarray, float (2, 2)
        (y, x) in world µm.
    text : str
        The length with its unit.
    colour : str
        Of line and text.
    is_main : bool
        False for one that is only shown for comparison: thin, without ticks.
    has_handles : bool
        Its ends can be dragged.
    """

    ends: Points
    text: str
    colour: str = LIGHT
    is_main: bool = True
    has_handles: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape of a Shapes layer: points (y, x) in world µm, width in µm."""

    kind: Kind
    points: Points
    width: float
    edge: str
    face: str = DARK
    text: str = ""


def unit_across(ends: Points) -> Points:
    """Return the unit vector (y, x) at right angles to a line, pointing down or right."""
    along = ends[1] - ends[0]
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
    return -across if tuple(across) < (0.0, 0.0) else across


def with_ticks(ends: Points, pixel_um: float) -> list[Points]:
    """Return a line and a tick across each of its ends, at `pixel_um` µm per screen pixel."""
    tick = unit_across(ends) * TICK_PX * pixel_um
    return [ends, *(np.stack([end - tick, end + tick]) for end in ends)]


def plate(ends: Points, text: str, pixel_um: float, other: Points | None = None) -> Points:
    """Return the corners of the plate for the text: beside the line's middle, clear of it.

    With another line, on the side away from that one's middle.
    """
    half = np.array([LINE_HEIGHT_PX, CHARACTER_PX * (len(text) + 1)]) / 2 * pixel_um
    across = unit_across(ends)
    if other is not None and across @ (other.mean(axis=0) - ends.mean(axis=0)) > 0:
        across = -across
    away = float(np.abs(across) @ half) + GAP_PX * pixel_um
    return ends.mean(axis=0) + across * away + half * SQUARE


def drawing(extents: tuple[Extent, ...], pixel_um: float) -> list[Shape]:
    """Return the shapes of some extents from the bottom up, each dark under its colour."""
    others = [extent.ends for extent in extents[::-1]] if len(extents) == 2 else [None]
    return [
        shape
        for extent, other in zip(extents, others, strict=True)
        for shape in _shapes(extent, other, pixel_um)
    ]


def _shapes(extent: Extent, other: Points | None, px: float) -> list[Shape]:
    lines = with_ticks(extent.ends, px) if extent.is_main else [extent.ends]
    width = LINE_PX if extent.is_main else THIN_PX
    label = plate(extent.ends, extent.text, px, other)
    return [
        *(Shape("line", line, (width + HALO_PX - LINE_PX) * px, DARK) for line in lines),
        *(Shape("line", line, width * px, extent.colour) for line in lines),
        *(_handle(end, extent.colour, px) for end in extent.ends if extent.has_handles),
        Shape("rectangle", label, LINE_PX * px, DARK, text=extent.text),
    ]


def _handle(end: Points, colour: str, px: float) -> Shape:
    return Shape("ellipse", end + HANDLE_PX * px * SQUARE, LINE_PX / 2 * px, DARK, colour)


def nearest_end(extent: Extent, place: Points, within_um: float) -> int | None:
    """Return which end lies at a place (y, x) in world µm, None where neither does."""
    distances = np.hypot(*(extent.ends - place).T)
    nearest = int(distances.argmin())
    return nearest if distances[nearest] <= within_um else None


def same(before: tuple[Extent, ...], after: tuple[Extent, ...]) -> bool:
    """Tell whether two drawings are the same."""
    return len(before) == len(after) and all(
        np.array_equal(a.ends, b.ends) and replace(a, ends=b.ends) == b
        for a, b in zip(before, after, strict=True)
    )


def extent_colour(shape: Shape, extents: tuple[Extent, ...]) -> str:
    """Return the colour of a plate's text: its extent's."""
    return next((extent.colour for extent in extents if extent.text == shape.text), LIGHT)


@contextmanager
def drawn_once(layer: Shapes) -> Iterator[None]:
    """Have several changes of a layer drawn together; each alone would take as long as all.

    Its thumbnail, and what napari knows of its extent, stay as they are.
    """
    with layer.events.blocker_all():
        yield
    layer.events.set_data()


def refill(layer: Shapes, shapes: list[Shape], colour: str = LIGHT) -> None:
    """Draw these shapes with their texts in a layer, and nothing else."""
    with drawn_once(layer):
        layer.data = []
        layer.add(
            [shape.points for shape in shapes],
            shape_type=[shape.kind for shape in shapes],
            edge_width=[shape.width for shape in shapes],
            edge_color=[shape.edge for shape in shapes],
            face_color=[shape.face for shape in shapes],
        )
        layer.features = {
            "length": [shape.text for shape in shapes],
            "colour": [colour] * len(shapes),
        }
        layer.text = {
            "string": "{length}",
            "size": TEXT_PT,
            "color": {"feature": "colour"},
            "anchor": "center",
        }
