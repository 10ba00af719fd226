"""JPEGs in a TIFF that are marked YCbCr and hold RGB all the same.

Writers that hand RGB to an encoder told to expect YCbCr make such files; every viewer that believes
the mark shows them magenta. The samples prove it: a YCbCr triple made from RGB lies in a thin cone,
and those of a bright-field slide read as RGB lie far outside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.slides.positioned import PositionedFile
from napari_breastpath.slides.tiff_pages import Layout, Page

YCBCR, RGB, JPEG = 6, 2, 7
PROBES = 4
EVERY = 4  # a pixel in 16 tells as much, and opening takes half the time
FAR = 24.0
SHARE = 0.25
NOTE = "its JPEGs are marked YCbCr but hold RGB; shown as RGB"


def impossible_share(samples: NDArray[np.uint8]) -> float:
    """Return the share of (…, 3) samples that no RGB colour gives as YCbCr.

    Colours more than 24 grey levels outside 0–255 after ITU-R BT.601 (JFIF 1.02) count; rounding
    and chroma subsampling stay well below.
    """
    y, cb, cr = np.moveaxis(samples.astype(np.float32), -1, 0)
    red, blue = y + 1.402 * (cr - 128), y + 1.772 * (cb - 128)
    green = y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128)
    rgb = np.stack([red, green, blue])
    return float(((rgb < -FAR) | (rgb > 255 + FAR)).any(axis=0).mean())


def believe_samples(pages: Layout, file: PositionedFile) -> str:
    """Mark the pages RGB where their samples cannot be YCbCr; return a note, or nothing.

    Must be called before a page's `decode` is first used, which tifffile then keeps.
    """
    coarsest = pages.levels[-1][0]
    if not _is_marked(coarsest) or not _holds_rgb(coarsest, file):
        return ""
    for level in pages.levels:
        for page in level:
            page.photometric, page.is_jfif = RGB, False
    return NOTE


def _is_marked(page: Page) -> bool:
    plain = page.bitspersample == 8 and page.samplesperpixel == 3 and page.planarconfig == 1
    marked = int(page.photometric) == YCBCR and int(page.compression) == JPEG
    return bool(plain and marked and page.jpegheader is None)


def _holds_rgb(page: Page, file: PositionedFile) -> bool:
    """Look at a few chunks spread over a page."""
    import imagecodecs

    written = [index for index, count in enumerate(page.databytecounts) if count]
    shares = []
    for index in written[:: max(1, len(written) // PROBES)]:
        data = file.read(page.dataoffsets[index], page.databytecounts[index])
        try:
            samples = imagecodecs.jpeg8_decode(
                data, tables=page.jpegtables, colorspace="YCBCR", outcolorspace="YCBCR"
            )
        except (imagecodecs.Jpeg8Error, ValueError):
            continue  # a damaged chunk: reading it will say so
        shares.append(impossible_share(samples[::EVERY, ::EVERY]))
    return bool(shares) and float(np.mean(shares)) > SHARE
