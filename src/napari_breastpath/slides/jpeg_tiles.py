"""JPEG tiles of a TIFF, decoded by libjpeg-turbo without what tifffile does around it."""

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
# The start with the segments by which libjpeg tells RGB from YCbCr, where they follow at once.
START_AND_COLOURS = re.compile(
    rb"\xff\xd8(?:\xff\xe0\x00\x10JFIF.{10}|\xff\xee\x00\x0eAdobe.{7})*", re.DOTALL
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
        and not tells_colours(tables)
    )


def tells_colours(jpeg: bytes) -> bool:
    """Tell whether there may be a segment by which libjpeg tells RGB from YCbCr."""
    return b"JFIF" in jpeg or b"Adobe" in jpeg


def faster(page: Page, decode: Decode) -> Decode:
    """Return what gives the bits that `decode` (tifffile's) gives, sooner where tiles are plain.

    `benchmarks/read_regions.py` prints what both take.
    """
    if not is_plain(page):
        return decode
    import simplejpeg

    # Without such a segment libjpeg believes in YCbCr. Aperio stores RGB without one; others, whose
    # samples were looked at, with the wrong one: it is left out.
    is_rgb = int(page.photometric) == RGB and not page.is_jfif
    head = START + (page.jpegtables or b"")[2:-2] + (ADOBE_RGB if is_rgb else b"")
    beginning = START_AND_COLOURS if is_rgb else START_ALONE
    shape = page.tilelength, page.tilewidth, page.samplesperpixel

    def decode_plain(data: bytes, index: int) -> NDArray[Any] | None:
        begun = beginning.match(data)
        rest = data[begun.end() :] if begun else b""
        if not rest or (is_rgb and tells_colours(rest)):
            return decode(data, index)
        try:
            tile: NDArray[Any] = simplejpeg.decode_jpeg(head + rest)
        except ValueError:
            return decode(data, index)  # of another kind, or damaged: tifffile knows, or says so
        return tile if tile.shape == shape else decode(data, index)  # cut at the level's edge

    return decode_plain
