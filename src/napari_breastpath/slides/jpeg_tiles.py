"""JPEG tiles of a TIFF, decoded without what tifffile does around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from numpy.typing import NDArray

from napari_breastpath.slides.tiff_pages import Page

JPEG, RGB, YCBCR = 7, 2, 6
Decode: TypeAlias = Callable[[bytes, int], "NDArray[Any] | None"]
"""Gives (h, w, samples) of the bytes and the index of a tile or strip."""


def is_plain(page: Page) -> bool:
    """Tell whether a page's tiles are JPEGs of three colours, complete but for shared tables."""
    return bool(
        int(page.compression) == JPEG
        and int(page.photometric) in (RGB, YCBCR)
        and (page.bitspersample, page.samplesperpixel, page.planarconfig) == (8, 3, 1)
        and page.is_tiled
        and page.jpegheader is None
    )


def faster(page: Page, decode: Decode) -> Decode:
    """Return what gives the bits that `decode` (tifffile's) gives, sooner where tiles are plain.

    `benchmarks/read_regions.py` prints what both take.
    """
    if not is_plain(page):
        return decode
    import imagecodecs

    try:
        from tifffile.tifffile import jpeg_decode_colorspace
    except ImportError:  # its own, not promised to anybody
        return decode
    stored, shown = jpeg_decode_colorspace(
        page.photometric, page.planarconfig, page.extrasamples, page.is_jfif
    )
    shape = page.tilelength, page.tilewidth, page.samplesperpixel
    decode_alone = partial(
        imagecodecs.jpeg8_decode, tables=page.jpegtables, colorspace=stored, outcolorspace=shown
    )

    def decode_plain(data: bytes, index: int) -> NDArray[Any] | None:
        try:
            tile: NDArray[Any] = decode_alone(data)
        except imagecodecs.Jpeg8Error:
            return decode(data, index)  # of another kind, or damaged: tifffile knows, or says so
        return tile if tile.shape == shape else decode(data, index)  # cut at the level's edge

    return decode_plain
