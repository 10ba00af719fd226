"""JPEG tiles of a TIFF through libjpeg-turbo's own interface, which is faster than libjpeg's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

from numpy.typing import NDArray

from napari_breastpath.slides.tiff_pages import Page

JPEG, RGB, YCBCR = 7, 2, 6
START, END = b"\xff\xd8", b"\xff\xd9"
# An APP14 segment, transform 0: the three colours are red, green and blue (ITU-T T.872, 6.5.3).
ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
# What a JPEG says of its colours where it says nothing else in such segments.
START_AND_COLOURS = re.compile(
    rb"\xff\xd8(?:\xff\xe0\x00\x10JFIF.{10}|\xff\xee\x00\x0eAdobe.{7})*(?=\xff[^\xe0-\xef])",
    re.DOTALL,
)
START_ALONE = re.compile(START)
Decode: TypeAlias = Callable[[bytes, int], "NDArray[Any] | None"]
"""Gives (h, w, samples) of the bytes and the index of a tile or strip."""


def is_plain(page: Page) -> bool:
    """Tell whether a page's tiles are JPEGs of three colours, complete but for shared tables."""
    tables = page.jpegtables or START + END
    return bool(
        int(page.compression) == JPEG
        and int(page.photometric) in (RGB, YCBCR)
        and (page.bitspersample, page.samplesperpixel, page.planarconfig) == (8, 3, 1)
        and page.is_tiled
        and not page.extrasamples
        and page.jpegheader is None
        and (tables[:2], tables[-2:]) == (START, END)
        and b"JFIF" not in tables
    )


def faster(page: Page, decode: Decode) -> Decode:
    """Return what gives the bits that `decode` (tifffile's) gives, sooner where tiles are plain.

    `benchmarks/read_regions.py` prints what both take.
    """
    if not is_plain(page):
        return decode
    import simplejpeg

    # libjpeg believes a JFIF's or no marker to mean YCbCr. Aperio stores RGB without one; others,
    # whose samples were looked at, with the wrong one.
    is_rgb = int(page.photometric) == RGB and not page.is_jfif
    head = START + (page.jpegtables or b"")[2:-2] + (ADOBE_RGB if is_rgb else b"")
    beginning = START_AND_COLOURS if is_rgb else START_ALONE
    shape = page.tilelength, page.tilewidth, page.samplesperpixel

    def decode_plain(data: bytes, index: int) -> NDArray[Any] | None:
        if (begun := beginning.match(data)) is None:
            return decode(data, index)
        try:
            tile: NDArray[Any] = simplejpeg.decode_jpeg(head + data[begun.end() :])
        except ValueError:
            return decode(data, index)  # of another kind, or damaged: tifffile knows, or says so
        return tile if tile.shape == shape else decode(data, index)  # cut at the level's edge

    return decode_plain
