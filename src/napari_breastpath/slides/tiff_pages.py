"""Which pages of a TIFF are the levels of one picture, and which are label, macro, thumbnail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from napari_breastpath.slides.pixels import channels_of

Page: TypeAlias = Any
"""tifffile.TiffPage (no type stubs are used for tifffile)."""

ASPECT_TOLERANCE = 0.02
MIN_PLANES_RGB = 3


class UnsupportedPicture(ValueError):
    """The file is a TIFF, but not one whose pixels we can show as a bright-field slide."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The pages of a TIFF, sorted by what they are.

    Attributes
    ----------
    levels : tuple of tuple of pages
        Finest first; several pages where each holds one colour of the level.
    others : tuple of (int, page)
        Index and page of everything else in the file's main chain.
    """

    levels: tuple[tuple[Page, ...], ...]
    others: tuple[tuple[int, Page], ...]


def layout(tif: Any) -> Layout:
    """Return which pages of an open `tifffile.TiffFile` are levels of its largest picture.

    Raises
    ------
    UnsupportedPicture
        When the largest picture is no RGB and no grey image.
    """
    pages = [(index, page) for index, page in enumerate(tif.pages) if is_picture(page)]
    if not pages:
        raise UnsupportedPicture("it holds no image")
    base = max((page for _, page in pages), key=area)
    main = [page for _, page in pages]
    twins = [page for page in main if is_alike(page, base) and size(page) == size(base)]
    planes = plane_count(base, len(twins))
    candidates = [page for page in main if page not in twins]
    candidates += [page for twin in twins for page in twin.pages or () if is_picture(page)]
    levels = [tuple(twins[:planes]), *reductions(base, candidates, planes)]
    used = {id(page) for page in (*twins, *(page for level in levels for page in level))}
    return Layout(tuple(levels), tuple(item for item in pages if id(item[1]) not in used))


def reductions(base: Page, candidates: list[Page], planes: int) -> list[tuple[Page, ...]]:
    """Return the smaller levels of `base` among the candidates, finest first."""
    by_size: dict[tuple[int, int], list[Page]] = {}
    for page in candidates:
        if is_alike(page, base) and is_reduction(size(page), size(base)):
            by_size.setdefault(size(page), []).append(page)
    whole = [tuple(group[:planes]) for group in by_size.values() if len(group) >= planes]
    return sorted(whole, key=lambda level: -area(level[0]))


def is_picture(page: Page) -> bool:
    """Tell whether the page holds a two-dimensional image."""
    return page.dtype is not None and area(page) > 0 and page.imagedepth == 1


def is_alike(page: Page, base: Page) -> bool:
    """Tell whether the page stores its pixels as the base does (a striped thumbnail does not)."""
    same = page.dtype == base.dtype and page.samplesperpixel == base.samplesperpixel
    return bool(same and (page.is_tiled or not base.is_tiled or page.is_ndpi) and not is_map(page))


def is_map(page: Page) -> bool:
    """Tell whether the page is the macro or focus map of an NDPI: its magnification is negative."""
    magnification = page.tags.valueof(65421)
    return isinstance(magnification, int | float) and magnification < 0


def is_reduction(small: tuple[int, int], base: tuple[int, int]) -> bool:
    """Tell whether a (height, width) is the base's picture made smaller, by its aspect."""
    (height, width), (base_height, base_width) = small, base
    if height >= base_height or width >= base_width:
        return False
    ratio = (base_width / width) / (base_height / height)
    # One pixel of rounding is all the aspect of a tiny level can be held to.
    rounding = 1 / min(height, width)
    return abs(math.log(ratio)) <= ASPECT_TOLERANCE + rounding


def plane_count(base: Page, twins: int) -> int:
    """Return how many pages hold one level: 1, or 3 where each page is one colour."""
    try:
        channels_of(np.dtype(base.dtype), base.samplesperpixel)
    except ValueError as error:
        raise UnsupportedPicture(str(error)) from None
    if base.samplesperpixel > 1 or twins == 1:
        return 1
    if twins == MIN_PLANES_RGB and base.dtype == np.uint8:
        return MIN_PLANES_RGB
    raise UnsupportedPicture(f"{twins} grey images of one size are no bright-field slide")


def size(page: Page) -> tuple[int, int]:
    """Return (height, width)."""
    return page.imagelength, page.imagewidth


def area(page: Page) -> int:
    """Return the number of pixels."""
    return int(page.imagelength) * int(page.imagewidth)
