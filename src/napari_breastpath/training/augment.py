"""Random changes of a training tile; every one from a generator that is given."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.training.config import AugmentConfig

Rgb: TypeAlias = NDArray[np.uint8]
Generator: TypeAlias = np.random.Generator
# Haematoxylin, eosin and DAB in optical density, rows of length 1 (Ruifrok and Johnston 2001).
DYES = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
DYES /= np.linalg.norm(DYES, axis=1, keepdims=True)
UNMIXING = np.linalg.inv(DYES)
# Offsets are for densities of about this size.
TYPICAL_DENSITY = 0.5


def perturb_stain(rgb: Rgb, sigma: float, rng: Generator) -> Rgb:
    """Return a tile stained more or less: each dye's amount times 1 + N(0, σ), plus N(0, σ/4).

    After Tellez et al. 2018 (IEEE Trans. Med. Imaging 37, 2126), whose uniform ranges are normal
    here; a pixel without dye stays without.
    """
    factor = 1 + rng.normal(0, sigma, 3)
    offset = rng.normal(0, sigma * TYPICAL_DENSITY / 4, 3)
    density = -np.log(np.maximum(rgb, 1) / np.float32(255))
    amounts = density @ UNMIXING.astype(np.float32)
    stained = np.clip(density.sum(axis=-1, keepdims=True), 0, 1)
    changed = (amounts * factor + offset * stained) @ DYES
    return _grey_levels(255 * np.exp(-changed))


def blur(rgb: Rgb, sigma_px: float) -> Rgb:
    """Return a tile out of focus: Gaussian of `sigma_px`."""
    from scipy.ndimage import gaussian_filter

    blurred: Rgb = gaussian_filter(rgb, (sigma_px, sigma_px, 0))
    return blurred


def add_noise(rgb: Rgb, deviation: float, rng: Generator) -> Rgb:
    """Return a tile with Gaussian noise of `deviation` grey levels."""
    return _grey_levels(rgb + rng.normal(0, deviation, rgb.shape).astype(np.float32))


def _grey_levels(values: NDArray[Any]) -> Rgb:
    levels: Rgb = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def recolour(rgb: Rgb, config: AugmentConfig, rng: Generator) -> Rgb:
    """Return a tile with another stain, focus and noise, as far as `config` lets them vary."""
    if config.stain > 0:
        rgb = perturb_stain(rgb, config.stain, rng)
    if config.blur > 0 and rng.random() < 0.5:
        rgb = blur(rgb, rng.uniform(0, config.blur))
    if config.noise > 0:
        rgb = add_noise(rgb, rng.uniform(0, config.noise), rng)
    return rgb


def random_angle(config: AugmentConfig, rng: Generator) -> float:
    """Return a rotation in degrees: 0, a quarter turn or any."""
    if config.rotation == "any":
        return float(rng.uniform(0, 360))
    return 90.0 * int(rng.integers(4)) if config.rotation == "90" else 0.0


def turned(array: NDArray[Any], angle: float, size: int, is_soft: bool) -> NDArray[Any]:
    """Return the middle `size` × `size` of an array (h, w, …) turned by degrees.

    Quarter turns move pixels; others interpolate linearly, or take the nearest label.
    """
    if angle % 90 == 0:
        return middle(np.rot90(array, int(angle // 90)), size)
    from scipy.ndimage import rotate

    order = 1 if is_soft else 0
    return middle(rotate(array, angle, reshape=False, order=order, mode="nearest"), size)


def middle(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the middle `size` × `size` of an array (h, w, …)."""
    top, left = ((n - size) // 2 for n in array.shape[:2])
    return array[top : top + size, left : left + size]
