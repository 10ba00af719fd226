"""From whatever samples a file stores to what a `Slide` gives: RGB uint8 or grey uint16."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.slides.backend import Pixels

WHITE = 255


def channels_of(dtype: np.dtype[Any], samples: int) -> int:
    """Return 1 for grey uint16 (mammograms), 3 for everything else that can be shown in colour.

    Raises
    ------
    ValueError
        For samples that are no bright-field picture.
    """
    if dtype not in (np.uint8, np.uint16) or samples not in (1, 2, 3, 4):
        raise ValueError(f"{samples} samples of {dtype} per pixel are neither RGB nor grey")
    return 1 if dtype == np.uint16 and samples == 1 else 3


def as_pixels(
    samples: NDArray[Any], *, premultiplied: bool = False, white_is_zero: bool = False
) -> Pixels:
    """Return (h, w, 3) uint8 or (h, w, 1) uint16 from (h, w, samples) uint8 or uint16.

    A second or fourth sample is opacity; what shows through it is white.
    """
    if white_is_zero:
        samples = np.invert(samples)
    if samples.dtype == np.uint16:
        if samples.shape[2] == 1:
            return samples
        samples = to_uint8(samples)
    if samples.shape[2] in (2, 4):
        samples = over_white(samples[..., :-1], samples[..., -1:], premultiplied)
    if samples.shape[2] == 1:
        samples = np.repeat(samples, 3, axis=2)
    return np.ascontiguousarray(samples)


def as_rgb(pixels: Pixels) -> NDArray[np.uint8]:
    """Return (h, w, 3) uint8 of either kind of pixels."""
    if pixels.dtype == np.uint16:
        pixels = np.repeat(to_uint8(pixels), 3, axis=2)
    return pixels.astype(np.uint8, copy=False)


def to_uint8(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the full 16-bit range scaled to the full 8-bit range, rounded."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def over_white(
    colour: NDArray[np.uint8], opacity: NDArray[np.uint8], premultiplied: bool
) -> NDArray[np.uint8]:
    """Return `colour` laid over white by its `opacity` (0 = clear, 255 = opaque)."""
    opaque = int(opacity.min()) == WHITE
    if opaque:
        return colour
    light = opacity.astype(np.uint16)
    tint = colour.astype(np.uint16) * (WHITE if premultiplied else light)
    blended = (tint + WHITE * (WHITE - light) + WHITE // 2) // WHITE
    clipped: NDArray[np.uint8] = np.minimum(blended, WHITE).astype(np.uint8)
    return clipped
