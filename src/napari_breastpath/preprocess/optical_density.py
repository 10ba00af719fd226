"""Optical density of 8-bit RGB, and which pixels are dark enough to tell a stain from."""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from napari_breastpath.core.errors import UsageError

Rgb: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

MIN_DENSITY = 1e-6
# StainTools asks for CIE L* below 0.8 of its 8-bit range: 203 and less, that is L* < 203.5 / 2.55.
STAINED_LIGHTNESS = 203.5 / 2.55


@cache
def density_table() -> Floats:
    """Return the natural optical density of each 8-bit value, (256,): max(−ln(v/255), 1e-6).

    Zero counts as one, as in StainTools' `convert_RGB_to_OD`.
    """
    values = np.maximum(np.arange(256), 1) / 255
    table: Floats = np.maximum(-np.log(values), MIN_DENSITY)
    table.flags.writeable = False
    return table


def optical_density(rgb: Rgb) -> Floats:
    """Return the optical density of (…, 3) uint8, same shape, natural logarithm."""
    density: Floats = density_table()[rgb]
    return density


def require_rgb(rgb: Rgb) -> None:
    """Raise `UsageError` unless `rgb` is (…, 3) uint8."""
    if rgb.dtype != np.uint8 or rgb.ndim == 0 or rgb.shape[-1] != 3:
        raise UsageError(
            "RGB pixels",
            f"expected uint8 with a last axis of 3, got {rgb.dtype} {rgb.shape}",
            "convert them to 8-bit RGB first",
        )


@cache
def _linear_light() -> Floats:
    """Return the linear light of each 8-bit sRGB value, (256,) (IEC 61966-2-1)."""
    values = np.arange(256) / 255
    linear: Floats = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear


def is_stained(rgb: Rgb) -> Mask:
    """Return which pixels of (…, 3) uint8 are darker than CIE L* 79.8, (…,) bool.

    The rule of StainTools' `LuminosityThresholdTissueLocator` (0.8), without OpenCV.
    """
    luminance = _linear_light()[rgb] @ np.array([0.2126, 0.7152, 0.0722])
    limit = ((STAINED_LIGHTNESS + 16) / 116) ** 3
    stained: Mask = luminance < limit
    return stained
