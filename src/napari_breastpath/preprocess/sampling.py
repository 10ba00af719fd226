"""A seeded sample of a slide's tissue pixels, from small fields spread over all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_breastpath.core.errors import SlideError
from napari_breastpath.core.geometry import Box, Lattice
from napari_breastpath.preprocess.optical_density import Mask, Rgb

if TYPE_CHECKING:
    from napari_breastpath.slides import Slide

FIELDS = 100
FIELD_PX = 64
SAMPLE_MPP = 2.0


def sample_tissue_pixels(
    slide: Slide,
    mask: Mask,
    mask_lattice: Lattice,
    count: int = 100_000,
    seed: int = 0,
    mpp: float = SAMPLE_MPP,
) -> Rgb:
    """Return tissue pixels of a slide, the same ones for the same seed.

    At most 100 fields of 64 × 64 pixels are read, each around a random tissue pixel of an equal
    part of the tissue, and an equal number of pixels is taken of each. Fields that cannot be read
    are left out.

    Parameters
    ----------
    slide : Slide
    mask : (y, x) bool
        Tissue, on `mask_lattice`.
    mask_lattice : Lattice
    count : int
        Number of pixels wanted.
    seed : int
    mpp : float
        µm per sampled pixel; a coarser slide is read as it is.

    Returns
    -------
    (n, 3) uint8
        n ≤ `count`; empty without tissue.
    """
    rng = np.random.default_rng(seed)
    mpp = max(mpp, *slide.mpp)
    samples = [np.empty((0, 3), np.uint8)]
    centres = _spread(mask, min(FIELDS, count), rng)
    for row, column in centres:
        box = _field(mask_lattice, row, column, mpp)
        pixels = _tissue_in(slide, box, mask, mask_lattice, mpp)
        samples.append(rng.permutation(pixels)[: count // len(centres)])
    return np.concatenate(samples)


def _spread(mask: Mask, fields: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return (row, column) of one random True pixel in each of `fields` equal parts, (n, 2)."""
    tissue = np.flatnonzero(mask)
    edges = np.linspace(0, len(tissue), min(fields, len(tissue)) + 1).astype(np.int64)
    if len(tissue) == 0:
        return np.empty((0, 2), np.int64)
    return np.stack(
        np.unravel_index(tissue[rng.integers(edges[:-1], edges[1:])], mask.shape), axis=1
    )


def _field(lattice: Lattice, row: int, column: int, mpp: float) -> Box:
    """Return the level-0 box of `FIELD_PX` pixels at `mpp` around a lattice pixel's centre."""
    width = FIELD_PX * mpp / lattice.mpp_x * lattice.step_x
    height = FIELD_PX * mpp / lattice.mpp_y * lattice.step_y
    x, y = (column + 0.5) * lattice.step_x, (row + 0.5) * lattice.step_y
    return Box(max(0.0, x - width / 2), max(0.0, y - height / 2), width, height)


def _tissue_in(slide: Slide, box: Box, mask: Mask, lattice: Lattice, mpp: float) -> Rgb:
    """Return the box's pixels whose centres lie on tissue, (n, 3); none where it is unreadable."""
    try:
        rgb = slide.read(box.x, box.y, box.width, box.height, mpp=mpp)
    except SlideError:
        return np.empty((0, 3), np.uint8)
    height, width = rgb.shape[:2]
    y = box.y + (np.arange(height) + 0.5) * box.height / height
    x = box.x + (np.arange(width) + 0.5) * box.width / width
    rows = (y / lattice.step_y).astype(np.int64)
    columns = (x / lattice.step_x).astype(np.int64)
    inside = np.ix_(rows[rows < mask.shape[0]], columns[columns < mask.shape[1]])
    tissue: Rgb = rgb[: len(inside[0]), : inside[1].shape[1]][mask[inside]]
    return tissue
