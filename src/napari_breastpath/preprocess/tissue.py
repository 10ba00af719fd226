"""Where the tissue is: a threshold on how much more one colour is absorbed than the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_breastpath.core.errors import UsageError
from napari_breastpath.preprocess.morphology import drop_specks, grow
from napari_breastpath.preprocess.optical_density import Floats, Mask, Rgb, require_rgb

if TYPE_CHECKING:
    from napari_breastpath.slides import Slide

METHODS = ("otsu", "yen", "none")
MIN_SPECK_UM2 = 2000.0
# The method's threshold is kept between these optical densities. A histogram with one class (blank
# glass, or tissue to every edge) has no valley: between noise and the palest tissue any will do.
MIN_THRESHOLD, MAX_THRESHOLD = 0.07, 0.12
NEUTRAL_WEIGHT = 0.5
SMOOTHING_UM = 4.0
BLACK = 25
MIN_BLACK_UM2 = 20_000.0
BLACK_RIM_UM = 24.0
# Glass: bright, smooth, nearly neutral and not pink as pale eosin is; pure white is padding.
GLASS_MIN, GLASS_MAX_CHROMA, GLASS_MAX_PINK, GLASS_MAX_RANGE = 195, 30, 8, 6
MIN_GLASS_FRACTION, MIN_GLASS_PIXELS = 0.002, 16
DEFAULT_GLASS = np.array([243.0, 243.0, 243.0])
PIXELS_PER_BAND = 4_000_000
ROWS_AT_ONCE = 64


def tissue_mask(slide: Slide, mpp: float = 8.0, method: str = "otsu") -> Mask:
    """Return where a slide holds tissue.

    Parameters
    ----------
    slide : Slide
    mpp : float
        µm per mask pixel.
    method : {"otsu", "yen", "none"}
        How the threshold is found; "none" takes the whole slide.

    Returns
    -------
    (y, x) bool
        On `slide.lattice(mpp)`. Holes are not filled, specks under 2 000 µm² are dropped.

    Raises
    ------
    SlideError
        When the slide cannot be read.
    """
    _require_method(method)
    lattice = slide.lattice(mpp)
    if method == "none":
        return np.ones(lattice.shape, bool)
    return tissue_from_thumbnail(_thumbnail(slide, mpp), method, mpp)


def _thumbnail(slide: Slide, mpp: float) -> Rgb:
    """Return the whole slide at `mpp` as (y, x, 3) uint8, read in bands of rows."""
    lattice = slide.lattice(mpp)
    thumbnail = np.empty((*lattice.shape, 3), np.uint8)
    rows_per_band = max(1, PIXELS_PER_BAND // lattice.width)
    for top in range(0, lattice.height, rows_per_band):
        rows = min(rows_per_band, lattice.height - top)
        box = lattice.box(top, 0, rows, lattice.width)
        thumbnail[top : top + rows] = slide.read(box.x, box.y, box.width, box.height, mpp=mpp)
    return thumbnail


def tissue_from_thumbnail(rgb: Rgb, method: str = "otsu", mpp: float = 8.0) -> Mask:
    """Return which pixels of an image are tissue.

    What is thresholded is the strongest channel's optical density over glass less half of the
    weakest one's: dyes absorb one colour most, while dust, shadows and the coverslip's edge absorb
    all alike. Otsu's or Yen's threshold is kept between 0.07 and 0.12 (natural) and is 0.07 without
    glass, so that a blank image has no tissue, an image without glass is all tissue, and neither
    pen marks nor dense nuclei push pale stroma out. Large black areas (padding, missing tiles) and
    their grey rims are not tissue. Pen ink is not told from tissue here.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
    method : {"otsu", "yen", "none"}
    mpp : float
        µm per pixel.

    Returns
    -------
    (y, x) bool

    References
    ----------
    Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979), 62;
    Yen et al., IEEE Trans. Image Process. 4 (1995), 370.
    """
    _require_method(method)
    require_rgb(rgb)
    if method == "none" or rgb.size == 0:
        return np.ones(rgb.shape[:2], bool)
    glass = glass_colour(rgb)
    absorption = _absorption(rgb, DEFAULT_GLASS if glass is None else glass, mpp)
    threshold = MIN_THRESHOLD if glass is None else _threshold(absorption, method)
    tissue: Mask = absorption > threshold
    tissue &= ~_black(rgb, mpp)
    return drop_specks(tissue, MIN_SPECK_UM2, mpp)


def _require_method(method: str) -> None:
    if method not in METHODS:
        raise UsageError(method, "no such tissue method", f"use one of {', '.join(METHODS)}")


def glass_colour(rgb: Rgb) -> Floats | None:
    """Return the colour of bare glass in (y, x, 3) uint8, (3,) float64.

    The median of what is bright, smooth and nearly neutral, but neither pink nor pure white; None
    where less than 0.2 % of the image is.
    """
    red, green, blue = np.ascontiguousarray(np.moveaxis(rgb, -1, 0))
    lowest = np.minimum(np.minimum(red, green), blue)
    chroma = np.maximum(np.maximum(red, green), blue) - lowest
    glass = _extreme_3x3(np.maximum, green) - _extreme_3x3(np.minimum, green) <= GLASS_MAX_RANGE
    glass &= np.minimum(red, blue) <= green + np.minimum(GLASS_MAX_PINK, 255 - green)
    glass &= (lowest > GLASS_MIN) & (lowest < 255) & (chroma < GLASS_MAX_CHROMA)
    if np.count_nonzero(glass) < max(MIN_GLASS_PIXELS, MIN_GLASS_FRACTION * lowest.size):
        return None
    return np.array([np.median(channel[glass]) for channel in (red, green, blue)])


def _extreme_3x3(choose: np.ufunc, plane: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the highest or lowest value of every pixel's 3 × 3, within the plane."""
    padded = np.pad(plane, 1, mode="edge")
    rows = choose(choose(padded[:-2], padded[1:-1]), padded[2:])
    extreme: npt.NDArray[np.uint8] = choose(choose(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    return extreme


def _absorption(rgb: Rgb, glass: Floats, mpp: float) -> npt.NDArray[np.float32]:
    """Return the strongest channel's density over glass less half the weakest's, smoothed."""
    from scipy.ndimage import gaussian_filter

    values = np.maximum(np.arange(256), 1)
    tables = np.maximum(-np.log(values / glass[:, None]), 0).astype(np.float32)
    difference = np.empty(rgb.shape[:2], np.float32)
    for top in range(0, len(rgb), ROWS_AT_ONCE):  # planes of a gigapixel slide are large
        rows = slice(top, top + ROWS_AT_ONCE)
        red, green, blue = (tables[k][rgb[rows, :, k]] for k in range(3))
        strongest = np.maximum(np.maximum(red, green), blue)
        weakest = np.minimum(np.minimum(red, green), blue)
        difference[rows] = strongest - np.float32(NEUTRAL_WEIGHT) * weakest
    gaussian_filter(difference, SMOOTHING_UM / mpp, output=difference)
    return difference


def _threshold(absorption: npt.NDArray[np.float32], method: str) -> float:
    """Return the method's threshold, kept within what can be the edge of tissue."""
    from skimage.filters import threshold_otsu, threshold_yen

    if absorption.min() == absorption.max():
        return MAX_THRESHOLD
    rule: Callable[..., float] = {"otsu": threshold_otsu, "yen": threshold_yen}[method]
    return float(np.clip(rule(absorption), MIN_THRESHOLD, MAX_THRESHOLD))


def _black(rgb: Rgb, mpp: float) -> Mask:
    """Return large black areas and the grey rim that averaging and smoothing give them."""
    highest = np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])
    black = drop_specks(highest < BLACK, MIN_BLACK_UM2, mpp)
    if not black.any():
        return black
    rim: Mask = grow(black, BLACK_RIM_UM, mpp) & (highest - rgb.min(axis=-1) < GLASS_MAX_CHROMA)
    return black | rim
