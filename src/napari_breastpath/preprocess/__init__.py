"""Pixels in, pixels or a mask out: tissue, stain, and whether the colours are those of H&E."""

from napari_breastpath.preprocess.domain import domain_statistics, domain_warning
from napari_breastpath.preprocess.morphology import drop_specks, grow, tissue_pieces
from napari_breastpath.preprocess.sampling import sample_tissue_pixels
from napari_breastpath.preprocess.stain import StainNormalizer, Stains
from napari_breastpath.preprocess.staintools_compat import (
    StaintoolsNormalizer,
    staintools_normalizer,
    standardize_luminosity,
)
from napari_breastpath.preprocess.tissue import tissue_from_thumbnail, tissue_mask

__all__ = [
    "StainNormalizer",
    "Stains",
    "StaintoolsNormalizer",
    "domain_statistics",
    "domain_warning",
    "drop_specks",
    "grow",
    "sample_tissue_pixels",
    "staintools_normalizer",
    "standardize_luminosity",
    "tissue_from_thumbnail",
    "tissue_mask",
    "tissue_pieces",
]
