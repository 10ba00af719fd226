"""The whole of preprocessing on real slides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_breastpath.preprocess import (
    StainNormalizer,
    domain_warning,
    sample_tissue_pixels,
    tissue_mask,
    tissue_pieces,
)
from napari_breastpath.slides import open_slide

# name, µm/px to give (None: its own), least and most tissue fraction.
SLIDES = [
    ("CMU-1-Small-Region.svs", None, 0.33, 0.42),
    ("CMU-1-Small-Region.ome.zarr", None, 0.33, 0.42),
    ("tcga-frozen-no-mpp.svs", 0.5, 0.58, 0.68),
    ("breast/her2st-C2-0.686um.jpg", 0.686, 0.13, 0.2),
]


@pytest.mark.parametrize(("name", "mpp", "least", "most"), SLIDES)
def test_real_slides(
    shared_data: Path, name: str, mpp: float | None, least: float, most: float
) -> None:
    slide = open_slide(shared_data / "slides" / name, mpp=mpp)
    mask, lattice = tissue_mask(slide), slide.lattice(8.0)
    assert mask.dtype == bool
    assert mask.shape == lattice.shape
    assert least <= mask.mean() <= most
    largest = tissue_pieces(mask, lattice.mpp) == 1
    assert largest.sum() > 0.9 * mask.sum()

    pixels = sample_tissue_pixels(slide, mask, lattice, count=30_000)
    assert len(pixels) > 28_000
    assert domain_warning(pixels) is None
    normalizer = StainNormalizer().fit_source(pixels)
    assert normalizer.source_flag is None
    haematoxylin, eosin = normalizer.stain_matrix_source
    assert haematoxylin[0] > eosin[0]
    assert np.all(normalizer.max_concentration_source > 0.5)
