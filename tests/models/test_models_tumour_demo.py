"""The embedded model finds drawn tumour that it has never seen."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from evaluate_models import network_of
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.models import load_model
from napari_breastpath.preprocess import StainNormalizer
from napari_breastpath.sample import sample_slide_path
from synthetic_slide import SyntheticSlide, load_truth, outline_mask, truth_mask
from tumour_figures import Mask, Rgb, dice, tissue_of, tumour

BUNDLE = load_model("tumour-demo")
DRAWN_MPP = PixelSize(0.5, 0.5)


def packaged() -> tuple[Rgb, Mask]:
    """The packaged slide at 1 µm/px, JPEG artefacts and all, with its truth."""
    truth = load_truth(sample_slide_path())
    picture = Image.fromarray(tifffile.imread(sample_slide_path(), key=0)).reduce(2)
    lattice = Lattice.over(truth["width"], truth["height"], DRAWN_MPP, BUNDLE.mpp)
    return np.asarray(picture), truth_mask(truth, lattice)


def other_stain() -> tuple[Rgb, Mask]:
    """A slide drawn in the other stain."""
    size = (2048, 1536)
    slide = SyntheticSlide(4, *size, DRAWN_MPP.x, "B")
    picture = Image.fromarray(slide.render(0, 0, *size)).reduce(2)
    return np.asarray(picture), outline_mask(
        slide.layout.nests, Lattice.over(*size, DRAWN_MPP, BUNDLE.mpp)
    )


@pytest.mark.parametrize("drawn", [packaged, other_stain])
@pytest.mark.parametrize("stain", ["vahadane", "none"])
def test_drawn_nests_are_found(drawn, stain: str) -> None:
    image, truth = drawn()
    assert truth.any()
    if stain == "vahadane":
        normalizer = StainNormalizer.from_target(**BUNDLE.stain)
        image = normalizer.fit_source(image[tissue_of(image, BUNDLE.mpp)]).transform(image)
    assert dice([truth], [tumour(image, network_of(BUNDLE), BUNDLE)]) >= 0.8


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [([1, 1, 0, 0], [1, 0, 1, 0], 0.5), ([1, 1], [1, 1], 1.0), ([0, 0], [0, 0], 0.0)],
)
def test_dice(truth: list[int], found: list[int], expected: float) -> None:
    assert dice([np.array(truth, bool)], [np.array(found, bool)]) == expected
