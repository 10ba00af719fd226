"""Whether a slide's colours are those of H&E, and those that a model has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_breastpath.preprocess.optical_density import (
    Floats,
    Rgb,
    is_stained,
    optical_density,
    require_rgb,
)

MIN_PIXELS = 500
# Bounds on the fractions of stained pixels that count as eosin-like, blue or green, or magenta. Of
# about 130 real H&E images (BreakHis, BCSS, TCGA, MIDOG, BreCaHAD, TNBC, frozen and paraffin) five
# that are nearly grey lie outside, as do DAB, haematoxylin alone, grey and green ink.
EOSIN_MARGIN, MIN_EOSIN_LIKE = 0.1, 0.04
BLUE_MARGIN, MAX_BLUE = 0.06, 0.3
MAGENTA_SHARE, MAX_MAGENTA = 0.75, 0.2
MAX_DEVIATIONS = 2.5


def domain_statistics(pixels: Rgb) -> dict[str, Any]:
    """Return what a model bundle keeps about the colours it was trained on, JSON-able.

    Parameters
    ----------
    pixels : (…, 3) uint8
        Tissue pixels, before stain normalisation.

    Returns
    -------
    dict
        `pixels` (how many are stained), and mean and standard deviation of R, G, B: of the natural
        optical density (`od_mean`, `od_std`) and of each channel's share in it (`share_mean`,
        `share_std`); lists of 3 floats, empty without stained pixels.
    """
    density = _stained_density(pixels)
    if not len(density):
        return {"pixels": 0, "od_mean": [], "od_std": [], "share_mean": [], "share_std": []}
    share = _share(density)
    return {
        "pixels": len(density),
        "od_mean": density.mean(axis=0).tolist(),
        "od_std": density.std(axis=0).tolist(),
        "share_mean": share.mean(axis=0).tolist(),
        "share_std": share.std(axis=0).tolist(),
    }


def domain_warning(pixels: Rgb, reference: Mapping[str, Any] | None = None) -> str | None:
    """Return one sentence where a slide's colours are far from H&E or from a model's training.

    Parameters
    ----------
    pixels : (…, 3) uint8
        A sample of the slide's tissue, before stain normalisation.
    reference : dict, optional
        `domain_statistics` of the model's training pixels.

    Returns
    -------
    str or None
        None where nothing is odd, or where too few pixels are stained to tell.
    """
    density = _stained_density(pixels)
    if len(density) < MIN_PIXELS:
        return None
    share = _share(density)
    return _far_from_he(share) or _far_from_reference(density, share, reference)


def _far_from_he(share: Floats) -> str | None:
    red, green, blue = share.T
    is_magenta = green > MAGENTA_SHARE
    is_eosin_like = (green - np.maximum(red, blue) > EOSIN_MARGIN) & ~is_magenta
    blue_green = float((red - green > BLUE_MARGIN).mean())
    eosin_like, magenta = float(is_eosin_like.mean()), float(is_magenta.mean())
    if eosin_like >= MIN_EOSIN_LIKE and blue_green <= MAX_BLUE and magenta <= MAX_MAGENTA:
        return None
    return (
        f"the slide's colours are far from H&E ({eosin_like:.0%} of the tissue is eosin-like, "
        f"{(blue > green).mean():.0%} brown or yellow, {blue_green:.0%} blue or green, "
        f"{magenta:.0%} magenta): if this is another stain, the model does not know it"
    )


def _far_from_reference(
    density: Floats, share: Floats, reference: Mapping[str, Any] | None
) -> str | None:
    if not reference or not reference.get("pixels"):
        return None
    deviations = {
        "hue": _deviation(share, reference["share_mean"], reference["share_std"]),
        "darkness": _deviation(density, reference["od_mean"], reference["od_std"]),
    }
    name, largest = max(deviations.items(), key=lambda item: item[1])
    if largest <= MAX_DEVIATIONS:
        return None
    return (
        f"the slide's {name} lies {largest:.1f} standard deviations from the model's training "
        "slides; check its results with care"
    )


def _deviation(values: Floats, mean: Sequence[float], std: Sequence[float]) -> float:
    """Return by how many reference standard deviations the mean of (n, 3) is off, at most."""
    distance = np.abs(values.mean(axis=0) - np.asarray(mean))
    return float((distance / np.maximum(std, 1e-3)).max())


def _stained_density(pixels: Rgb) -> Floats:
    """Return the optical density of the stained pixels of (…, 3) uint8, (n, 3)."""
    require_rgb(pixels)
    flat = pixels.reshape(-1, 3)
    return optical_density(flat[is_stained(flat)])


def _share(density: Floats) -> Floats:
    """Return each channel's share in the optical density, rows summing to 1."""
    share: Floats = density / density.sum(axis=1, keepdims=True)
    return share
