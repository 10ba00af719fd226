"""Pixels of the slide as pictures inside a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.core.geometry import Box
from napari_breastpath.results import Result
from napari_breastpath.slides import Slide, open_slide

FIELD_MPP: Final = 1.0
"""µm/px of a field: what a 10× objective shows."""
JPEG_QUALITY: Final = 84
IDENTITY_IMAGES: Final = ("label", "macro")
MAX_IDENTITY_PX: Final = 800
# Position, red, green, blue of a probability: darker is likelier, so it survives grey printing
# (ColorBrewer YlOrRd).
HEAT: Final = np.array(
    [
        (0.00, 255, 255, 204),
        (0.25, 254, 217, 118),
        (0.50, 253, 141, 60),
        (0.75, 227, 26, 28),
        (1.00, 110, 0, 34),
    ]
)

RGB = NDArray[np.uint8]


@contextmanager
def slide_of(result: Result, slide: Slide | None = None) -> Iterator[Slide | str]:
    """Give the slide of a result, or in one line why there is none.

    Parameters
    ----------
    result : Result
    slide : Slide, optional
        The slide, where it is open already; it stays open.
    """
    if slide is not None:
        yield slide
        return
    found = _reopened(result)
    try:
        yield found
    finally:
        if isinstance(found, Slide):
            found.close()


def _reopened(result: Result) -> Slide | str:
    mpp = result.slide_mpp
    try:
        slide = open_slide(result.slide_path, mpp=(mpp.x, mpp.y))
        fingerprint = slide.fingerprint
    except (BreastPathError, OSError):
        return "the slide is no longer where it was analysed, or cannot be opened"
    if fingerprint != result.record["slide"]["fingerprint"]:
        slide.close()
        return "another file has taken the slide's place (its fingerprint differs)"
    return slide


def shown_as_rgb(pixels: NDArray[Any]) -> RGB:
    """Return RGB uint8; grey uint16 is stretched between its 1st and 99th percentile."""
    if pixels.ndim == 3:
        return pixels.astype(np.uint8)
    low, high = np.percentile(pixels, (1, 99))
    scaled = (pixels.astype(np.float32) - low) / max(float(high - low), 1.0)
    return np.repeat((scaled.clip(0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)


def jpeg_uri(pixels: NDArray[Any]) -> str:
    """Return a picture (h, w, 3) uint8 as a data URI."""
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.fromarray(shown_as_rgb(pixels))
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def field_mpp(slide: Slide) -> float:
    """Return the µm/px of field pictures: 1, or the slide's own where that is coarser."""
    return max(FIELD_MPP, slide.mpp.x, slide.mpp.y)


def field_picture(slide: Slide, box: Box) -> str | None:
    """Return a field as a data URI, None where the slide cannot be read there."""
    try:
        pixels = slide.read(box.x, box.y, box.width, box.height, mpp=field_mpp(slide))
    except BreastPathError:
        return None
    return jpeg_uri(pixels)


def heat_colours(probability: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the colours (…, 3), 0..255, of probabilities 0..1."""
    channels = [np.interp(probability, HEAT[:, 0], HEAT[:, k]) for k in (1, 2, 3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def heat_steps(count: int = 22) -> list[str]:
    """Return the colours of `count` steps of probability from 0 to 1, for a legend."""
    colours = heat_colours(np.linspace(0, 1, count)).round().astype(int)
    return [f"rgb({red}, {green}, {blue})" for red, green, blue in colours]


def over_grey(pixels: RGB, heat: NDArray[np.uint8]) -> RGB:
    """Lay probabilities over a slide turned pale and grey.

    Parameters
    ----------
    pixels : ndarray, uint8 (h, w, 3)
    heat : ndarray, uint8 (h, w)
        0 not inferred (nothing is laid there), else 255·p.
    """
    # Tables of what each of 766 sums of a pixel and each of 256 probabilities become.
    grey = 110 + np.arange(766) / 3 * (145 / 255)
    probability = np.arange(256, dtype=np.uint8) / np.float32(255)
    opacity = np.where(probability > 0, 0.2 + 0.65 * probability, 0)[:, None]
    tint = heat_colours(probability) * opacity
    pale = grey[pixels.sum(axis=2, dtype=np.uint16)][..., None]
    mixed = pale * (1 - opacity)[heat] + tint[heat]
    return np.asarray(mixed.clip(0, 255), np.uint8)


def identity_pictures(slide: Slide) -> list[tuple[str, str]]:
    """Return (name, data URI) of the patient label and the macro image that the file holds."""
    images = slide.associated_images
    return [
        (name, jpeg_uri(_at_most(images[name], MAX_IDENTITY_PX)))
        for name in IDENTITY_IMAGES
        if name in images
    ]


def _at_most(pixels: RGB, size: int) -> RGB:
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((size, size))
    return np.asarray(picture)
