"""Where tissue, tumour nests, ducts, fat and lymphocytes lie on a synthetic slide: outlines only.

All outlines are closed polygons, (n, 2) float64, x then y in level-0 pixels, rounded to a quarter
of a pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

Polygon = NDArray[np.float64]
Mask = NDArray[np.bool_]

CANVAS_UM = 8.0
NEST_GAP_UM = 40.0
SMALLEST_NEST_UM = 70.0
PIECE_MM2 = 14.0


@dataclass(frozen=True, slots=True)
class Layout:
    """The outlines of one slide, in the order in which they cover each other."""

    tissue: tuple[Polygon, ...]
    fat: tuple[Polygon, ...]
    lymphoid: tuple[Polygon, ...]
    ducts: tuple[Polygon, ...]
    lumina: tuple[Polygon, ...]
    nests: tuple[Polygon, ...]


def polygon_mask(
    polygon: Polygon,
    x: int,
    y: int,
    width: int,
    height: int,
    step_x: float = 1.0,
    step_y: float = 1.0,
) -> Mask:
    """Return which pixels of a window have their centre inside a polygon (even-odd rule).

    Parameters
    ----------
    polygon : (n, 2) float array
        x, y in level-0 pixels.
    x, y, width, height : int
        The window, in pixels of `step_x` × `step_y` level-0 pixels.

    Returns
    -------
    (height, width) bool array
        A function of absolute coordinates: any two windows agree where they overlap.
    """
    centres = (y + np.arange(height) + 0.5) * step_y
    start, end = polygon, np.roll(polygon, -1, axis=0)
    above = (start[:, 1] <= centres[:, None]) != (end[:, 1] <= centres[:, None])
    rows, edges = np.nonzero(above)
    slope = (end[edges, 0] - start[edges, 0]) / (end[edges, 1] - start[edges, 1])
    crossing = start[edges, 0] + (centres[rows] - start[edges, 1]) * slope
    columns = np.clip(np.ceil(crossing / step_x - 0.5) - x, 0, width).astype(np.intp)
    toggles = np.zeros((height, width + 1), np.uint8)
    np.add.at(toggles, (rows, columns), 1)
    return (np.cumsum(toggles[:, :-1], axis=1, dtype=np.uint8) & 1).astype(bool)


def paint(
    target: NDArray[Any],
    polygon: Polygon,
    value: int,
    x: int = 0,
    y: int = 0,
    step_x: float = 1.0,
    step_y: float = 1.0,
) -> None:
    """Set those pixels of a window to `value` whose centre lies in the polygon.

    `target` is the (height, width) window at x, y, in pixels of `step_x` × `step_y`.
    """
    step = np.array([step_x, step_y])
    low = np.maximum(np.floor(polygon.min(axis=0) / step).astype(int) - (x, y), 0)
    high = np.ceil(polygon.max(axis=0) / step).astype(int) - (x, y)
    width, height = np.minimum(high, target.shape[::-1]) - low
    if width > 0 and height > 0:
        mask = polygon_mask(polygon, x + low[0], y + low[1], width, height, step_x, step_y)
        target[low[1] : low[1] + height, low[0] : low[0] + width][mask] = value


def feret_px(polygon: Polygon) -> float:
    """Return the longest distance between two vertices, in level-0 pixels."""
    return float(pdist(polygon[ConvexHull(polygon).vertices]).max())


def _on_grid(points: Polygon) -> Polygon:
    rounded: Polygon = np.round(points * 4) / 4
    return rounded


def blob(
    rng: np.random.Generator,
    centre: tuple[float, float],
    radii: tuple[float, float],
    angle: float,
    wobble: float,
) -> Polygon:
    """Return a smooth, wavy, closed outline around `centre`, with semi-axes `radii` in pixels."""
    count = int(np.clip(2 * math.pi * max(radii) / 8, 48, 480))
    theta = np.linspace(0, 2 * math.pi, count, endpoint=False)
    orders = np.arange(2, 7)[:, None]
    waves = np.cos(orders * theta + rng.uniform(0, 2 * math.pi, (5, 1))) * rng.uniform(0, 1, (5, 1))
    radius = 1 + wobble * (waves / orders**0.7).sum(axis=0)
    u, v = radii[0] * radius * np.cos(theta), radii[1] * radius * np.sin(theta)
    x = centre[0] + u * math.cos(angle) - v * math.sin(angle)
    y = centre[1] + u * math.sin(angle) + v * math.cos(angle)
    return _on_grid(np.stack([x, y], axis=1))


def scaled(polygon: Polygon, factor: float) -> Polygon:
    """Return the polygon grown or shrunk about its mean vertex."""
    centre = polygon.mean(axis=0)
    return _on_grid(centre + (polygon - centre) * factor)


def split(
    rng: np.random.Generator, box: tuple[float, float, float, float], pieces: int
) -> list[tuple[float, float, float, float]]:
    """Return `pieces` boxes (x, y, width, height) that fill `box`, the first the largest."""
    if pieces == 1:
        return [box]
    x, y, width, height = box
    first = (pieces + 1) // 2
    share = rng.uniform(0.62, 0.68) if pieces == 2 else first / pieces
    if width >= height:
        one, two = (
            (x, y, width * share, height),
            (x + width * share, y, width * (1 - share), height),
        )
    else:
        one, two = (
            (x, y, width, height * share),
            (x, y + height * share, width, height * (1 - share)),
        )
    return split(rng, one, first) + split(rng, two, pieces - first)


@dataclass(slots=True)
class Ground:
    """Which 8 µm squares of the slide are still free, to keep structures apart."""

    rng: np.random.Generator
    width: int
    height: int
    mpp: float
    free: Mask = field(init=False)

    def __post_init__(self) -> None:
        shape = (math.ceil(self.height / self.step), math.ceil(self.width / self.step))
        self.free = np.zeros(shape, bool)

    @property
    def step(self) -> float:
        """Level-0 pixels per square."""
        return CANVAS_UM / self.mpp

    def _squares(self, polygon: Polygon) -> tuple[tuple[slice, slice], Mask]:
        low = np.clip(np.floor(polygon.min(axis=0) / self.step), 0, None).astype(int)
        high = np.ceil(polygon.max(axis=0) / self.step).astype(int)
        high = np.minimum(high, self.free.shape[::-1])
        size = np.maximum(high - low, 0)
        mask = polygon_mask(polygon, low[0], low[1], size[0], size[1], self.step, self.step)
        return (slice(low[1], high[1]), slice(low[0], high[0])), mask

    def open(self, polygon: Polygon) -> None:
        """Mark the inside of a tissue outline as free."""
        window, mask = self._squares(polygon)
        self.free[window] |= mask

    def take(self, polygon: Polygon, gap_um: float) -> bool:
        """Occupy a polygon and `gap_um` around it; False, and nothing done, if not all is free."""
        extent = float(np.ptp(polygon, axis=0).min()) * self.mpp / 2
        window, mask = self._squares(scaled(polygon, 1 + gap_um / extent))
        if not mask.any() or not self.free[window][mask].all():
            return False
        self.free[window] &= ~mask
        return True

    def place(
        self,
        piece: tuple[float, float, float, float],
        length_um: float,
        aspect: float,
        wobble: float,
        tries: int = 12,
    ) -> Polygon | None:
        """Return a blob of about that length put somewhere free in `piece`, None if none fits."""
        major = length_um / self.mpp / 2
        for _ in range(tries):
            centre = (
                piece[0] + self.rng.uniform(0.05, 0.95) * piece[2],
                piece[1] + self.rng.uniform(0.05, 0.95) * piece[3],
            )
            angle = self.rng.uniform(0, math.pi)
            polygon = blob(self.rng, centre, (major, major / aspect), angle, wobble)
            if self.take(polygon, NEST_GAP_UM):
                return polygon
        return None

    def scatter(
        self,
        piece: tuple[float, float, float, float],
        count: int,
        length_um: tuple[float, float],
        aspect: tuple[float, float],
        wobble: float,
    ) -> list[Polygon]:
        """Return up to `count` blobs of log-uniform length, shrunk where there is no room."""
        found, (shortest, longest) = [], length_um
        for length in shortest * (longest / shortest) ** self.rng.random(count):
            while length >= shortest:
                polygon = self.place(piece, length, self.rng.uniform(*aspect), wobble)
                if polygon is not None:
                    found.append(polygon)
                    break
                length *= 0.7
        return found

    def largest_nest(self, piece: tuple[float, float, float, float]) -> list[Polygon]:
        """Return one long nest, as long as the piece carries."""
        length = 0.8 * min(piece[2], piece[3]) * self.mpp
        while length > SMALLEST_NEST_UM:
            polygon = self.place(piece, length, self.rng.uniform(2.0, 2.8), 0.13, tries=40)
            if polygon is not None:
                return [polygon]
            length *= 0.92
        return []


def piece_outline(rng: np.random.Generator, piece: tuple[float, float, float, float]) -> Polygon:
    """Return a wavy tissue outline that fills a box."""
    x, y, width, height = piece
    centre = (x + width / 2, y + height / 2)
    return blob(rng, centre, (0.44 * width, 0.44 * height), 0.0, 0.05)


def make_layout(seed: int, width: int, height: int, mpp: float) -> Layout:
    """Return the outlines of a slide; the last tissue piece holds no tumour."""
    rng = np.random.default_rng([seed, 1])
    area_mm2 = width * height * (mpp / 1000) ** 2
    pieces = split(rng, (0, 0, width, height), int(np.clip(round(area_mm2 / PIECE_MM2), 2, 24)))
    ground = Ground(rng, width, height, mpp)
    tissue = [piece_outline(rng, piece) for piece in pieces]
    nests: list[Polygon] = []
    others: dict[str, list[Polygon]] = {"fat": [], "lymphoid": [], "ducts": []}
    for number, piece in enumerate(pieces):
        ground.open(scaled(tissue[number], 0.94))
        area = piece[2] * piece[3] * (mpp / 1000) ** 2
        if number < len(pieces) - 1:
            nests += ground.largest_nest(piece)
            nests += ground.scatter(piece, 2, (250, 600), (1.2, 2.5), 0.13)
        others["fat"] += ground.scatter(piece, 1 + int(area), (200, 600), (1, 2), 0.12)
        others["ducts"] += ground.scatter(piece, 2 + int(2 * area), (70, 170), (1, 1.6), 0.06)
        others["lymphoid"] += ground.scatter(piece, 2 + int(2 * area), (80, 300), (1, 2.5), 0.15)
        if number < len(pieces) - 1:
            nests += ground.scatter(
                piece, 2 + int(5 * area), (SMALLEST_NEST_UM, 420), (1, 2.5), 0.12
            )
    lumina = tuple(scaled(duct, rng.uniform(0.3, 0.5)) for duct in others["ducts"])
    return Layout(
        tuple(tissue),
        tuple(others["fat"]),
        tuple(others["lymphoid"]),
        tuple(others["ducts"]),
        lumina,
        tuple(nests),
    )
