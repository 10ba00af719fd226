"""Endless (toroidal) textures of breast tissue: stain concentrations and nuclei, per tissue class.

Concentrations are those of the Beer–Lambert law, RGB = I0·exp(−C·M): optical density per unit stain
vector. Lengths are in µm until the last moment, so that a texture can be made at any pixel size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import map_coordinates

Layer = NDArray[np.float32]

PERIOD_UM = 640.0


@dataclass(frozen=True, slots=True)
class Texture:
    """One tissue class, periodic in both axes; every array has the same (T, T) shape.

    Attributes
    ----------
    haematoxylin, eosin : float32
        Concentrations between the nuclei.
    nuclei : float32
        Haematoxylin inside nuclei, 0 elsewhere.
    to_centre_y, to_centre_x : int16
        From a nuclear pixel to its nucleus' centre, so that no outline cuts a nucleus.
    """

    haematoxylin: Layer
    eosin: Layer
    nuclei: Layer
    to_centre_y: NDArray[np.int16]
    to_centre_x: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Nuclei:
    """How the nuclei of one kind of cell look.

    Attributes
    ----------
    spacing_um : float
        Mean distance of neighbours.
    radius_um, radius_spread : float
        Mean long semi-axis, and its relative standard deviation (pleomorphism).
    aspect : (float, float)
        Range of long / short axis.
    density : float
        Haematoxylin concentration.
    chromatin : float
        Relative amplitude of the clumps.
    nucleoli : float
        Probability of a prominent nucleolus.
    """

    spacing_um: float
    radius_um: float
    radius_spread: float
    aspect: tuple[float, float]
    density: float
    chromatin: float
    nucleoli: float = 0.0


TUMOUR = Nuclei(11.0, 5.8, 0.20, (1.0, 1.5), 0.95, 0.35, 0.6)
DUCT = Nuclei(9.0, 3.9, 0.08, (1.0, 1.35), 1.0, 0.12)
LYMPHOCYTE = Nuclei(8.5, 3.2, 0.08, (1.0, 1.12), 1.7, 0.12)
FIBROBLAST = Nuclei(27.0, 6.0, 0.30, (2.6, 6.0), 1.15, 0.12)
ROAMING = Nuclei(58.0, 3.2, 0.10, (1.0, 1.15), 1.7, 0.12)
FAT_CELL = Nuclei(80.0, 4.5, 0.15, (2.5, 4.0), 1.1, 0.1)


def smooth_noise(
    rng: np.random.Generator, size: int, sigma_px: float | tuple[float, float]
) -> Layer:
    """Return periodic Gaussian noise of unit variance, smooth over `sigma_px` (y, x)."""
    sigma_y, sigma_x = (sigma_px, sigma_px) if isinstance(sigma_px, float) else sigma_px
    down, across = np.fft.fftfreq(size)[:, None] * sigma_y, np.fft.rfftfreq(size) * sigma_x
    blur = np.exp(-2 * math.pi**2 * (down**2 + across**2))
    noise = irfft2(rfft2(rng.standard_normal((size, size))) * blur, s=(size, size))
    scaled: Layer = (noise / noise.std()).astype(np.float32)
    return scaled


def centres(rng: np.random.Generator, size: int, spacing_px: float) -> NDArray[np.float64]:
    """Return (n, 2) y, x of a jittered, staggered periodic grid."""
    count = max(1, round(size / spacing_px))
    cell = size / count
    grid = np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij"), -1) + 0.5
    grid[1::2, :, 1] += 0.5
    jitter = rng.uniform(-0.32, 0.32, grid.shape)
    return ((grid + jitter) * cell).reshape(-1, 2) % size


class NuclearLayer:
    """The nuclei of one texture while they are being drawn."""

    def __init__(self, rng: np.random.Generator, size: int, mpp: float) -> None:
        self.rng, self.size, self.mpp = rng, size, mpp
        self.density = np.zeros((size, size), np.float32)
        self.to_y = np.zeros((size, size), np.int16)
        self.to_x = np.zeros((size, size), np.int16)
        self.clumps = smooth_noise(rng, size, 0.55 / mpp)

    def draw(self, kind: Nuclei, direction: Layer | None = None, keep: float = 1.0) -> None:
        """Draw one kind of nucleus all over; `direction` gives the long axis' angle in radians."""
        for y, x in centres(self.rng, self.size, kind.spacing_um / self.mpp):
            if self.rng.random() < keep:
                turn = self.rng.uniform(0, math.pi) if direction is None else 0.0
                along = 0.0 if direction is None else float(direction[int(y), int(x)])
                self._stamp(kind, y, x, turn + along + self.rng.normal(0, 0.12))

    def _stamp(self, kind: Nuclei, y: float, x: float, angle: float) -> None:
        spread = float(np.clip(self.rng.normal(1, kind.radius_spread), 0.55, 1.7))
        long = kind.radius_um * spread / self.mpp
        short = long / self.rng.uniform(*kind.aspect)
        reach = math.ceil(long * 1.3) + 1
        rows, columns = np.arange(-reach, reach + 1) + int(y), np.arange(-reach, reach + 1) + int(x)
        dy, dx = (rows - y)[:, None], (columns - x)[None, :]
        u = (dx * math.cos(angle) + dy * math.sin(angle)) / long
        v = (dy * math.cos(angle) - dx * math.sin(angle)) / short
        phase, dent = self.rng.uniform(0, 2 * math.pi), kind.chromatin * 0.25
        rho = np.hypot(u, v) * (1 + dent * np.cos(3 * np.arctan2(v, u) + phase))
        cover = np.clip((1 - rho) * short * 0.8 + 0.5, 0, 1)
        where = np.ix_(rows % self.size, columns % self.size)
        body = 0.82 + 0.30 * np.clip(rho, 0, 1) ** 3 + kind.chromatin * 0.45 * self.clumps[where]
        value = kind.density * self.rng.normal(1, 0.12) * np.clip(body, 0.35, 1.9)
        if self.rng.random() < kind.nucleoli:
            spot = np.hypot(u - self.rng.uniform(-0.3, 0.3), v - self.rng.uniform(-0.3, 0.3))
            value = value + kind.density * 0.8 * (spot * long * self.mpp < 1.1)
        self._merge(where, (cover * value).astype(np.float32), rows - int(y), columns - int(x))

    def _merge(
        self,
        where: tuple[NDArray[np.intp], ...],
        value: Layer,
        dy: NDArray[np.int_],
        dx: NDArray[np.int_],
    ) -> None:
        wins = value > self.density[where]
        self.density[where] = np.where(wins, value, self.density[where])
        self.to_y[where] = np.where(wins, -dy[:, None], self.to_y[where])
        self.to_x[where] = np.where(wins, -dx[None, :], self.to_x[where])


def _finish(layer: NuclearLayer, haematoxylin: Layer, eosin: Layer) -> Texture:
    return Texture(
        np.clip(haematoxylin, 0, None).astype(np.float32),
        np.clip(eosin, 0, None).astype(np.float32),
        layer.density,
        layer.to_y,
        layer.to_x,
    )


def stroma(rng: np.random.Generator, size: int, mpp: float) -> Texture:
    """Return wavy collagen with clefts, fibroblasts along it and a few roaming lymphocytes."""
    bend = smooth_noise(rng, size, 45 / mpp) * 22 / mpp
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    bent = [rows + bend, columns]
    fine = smooth_noise(rng, size, (0.8 / mpp, 18 / mpp))
    broad = smooth_noise(rng, size, (5 / mpp, 50 / mpp))
    fine, broad = (map_coordinates(n, bent, order=1, mode="grid-wrap") for n in (fine, broad))
    eosin = 0.52 + 0.09 * fine + 0.14 * broad
    clefts = np.clip((-(fine * 0.5 + broad) - 1.25) * 2.2, 0, 1)
    layer = NuclearLayer(rng, size, mpp)
    layer.draw(FIBROBLAST, direction=np.arctan(-np.gradient(bend, axis=1)).astype(np.float32))
    layer.draw(ROAMING, keep=0.6)
    return _finish(layer, 0.05 + 0.02 * broad, eosin * (1 - 0.9 * clefts))


def _cells(
    rng: np.random.Generator, size: int, mpp: float, kind: Nuclei, keep: float
) -> NuclearLayer:
    layer = NuclearLayer(rng, size, mpp)
    layer.draw(kind, keep=keep)
    return layer


def tumour(rng: np.random.Generator, size: int, mpp: float) -> Texture:
    """Return cohesive sheets of large, pleomorphic nuclei in amphophilic cytoplasm."""
    layer = _cells(rng, size, mpp, TUMOUR, 0.97)
    grain, shade = smooth_noise(rng, size, 0.7 / mpp), smooth_noise(rng, size, 14 / mpp)
    gaps = np.clip(-smooth_noise(rng, size, 2.2 / mpp) - 2.1, 0, 1)
    haematoxylin = 0.24 + 0.04 * shade + 0.03 * grain
    return _finish(
        layer, haematoxylin * (1 - gaps), (0.42 + 0.05 * grain + 0.05 * shade) * (1 - gaps)
    )


def duct(rng: np.random.Generator, size: int, mpp: float) -> Texture:
    """Return benign epithelium: small, even nuclei in pale cytoplasm."""
    layer = _cells(rng, size, mpp, DUCT, 1.0)
    grain = smooth_noise(rng, size, 0.7 / mpp)
    return _finish(layer, 0.10 + 0.02 * grain, 0.34 + 0.04 * grain)


def lymphoid(rng: np.random.Generator, size: int, mpp: float) -> Texture:
    """Return an aggregate of lymphocytes: small, round, dark nuclei, hardly any cytoplasm."""
    layer = _cells(rng, size, mpp, LYMPHOCYTE, 0.9)
    grain = smooth_noise(rng, size, 1.2 / mpp)
    return _finish(layer, 0.06 + 0.02 * grain, 0.26 + 0.06 * grain)


def fat(rng: np.random.Generator, size: int, mpp: float) -> Texture:
    """Return empty fat cells between thin eosinophilic walls."""
    from scipy.spatial import cKDTree

    points = centres(rng, size, 62 / mpp)
    rows, columns = np.mgrid[:size, :size]
    wobble = smooth_noise(rng, size, 9 / mpp) * 2.5 / mpp
    pixels = np.stack([rows + wobble, columns + wobble.T], -1).reshape(-1, 2) % size
    tree = cKDTree(points, boxsize=np.array([size, size], np.float64))
    near = np.asarray(tree.query(pixels, k=2)[0]).reshape(size, size, 2)
    wall = np.clip(1.6 - (near[..., 1] - near[..., 0]) * mpp / 2, 0, 1).astype(np.float32)
    layer = _cells(rng, size, mpp, FAT_CELL, 0.7)
    layer.density *= wall > 0
    return _finish(layer, 0.02 * wall, 0.45 * wall + 0.01)
