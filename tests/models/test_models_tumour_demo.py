"""The embedded model finds drawn tumour it has never seen, and was measured on nothing it has."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

import tumour_demo_data as data
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.models import load_model, make_predictor
from napari_breastpath.sample import sample_slide_path
from synthetic_slide import SyntheticSlide, load_truth, truth_mask
from train_tumour_demo import dice


@pytest.fixture(scope="module")
def packaged() -> data.Field:
    """The packaged slide at 1 µm/px, JPEG artefacts and all, with its truth."""
    truth = load_truth(sample_slide_path())
    picture = Image.fromarray(tifffile.imread(sample_slide_path(), key=0)).reduce(2)
    lattice = Lattice.over(truth["width"], truth["height"], PixelSize(0.5, 0.5), data.MPP)
    tissue = truth_mask({"nests": [{"polygon": p} for p in truth["tissue"]]}, lattice)
    return data.Field("synthetic", "1A", np.asarray(picture), truth_mask(truth, lattice), tissue)


@pytest.mark.parametrize("stain", ["vahadane", "none"])
def test_nests_of_the_packaged_slide_are_found(packaged: data.Field, stain: str) -> None:
    bundle = load_model("tumour-demo")
    assert bundle.stain is not None
    fields = data.normalized([packaged], bundle.stain) if stain == "vahadane" else [packaged]
    assert dice(fields, make_predictor(bundle, "cpu"), bundle.threshold) >= 0.8


def test_nests_in_another_stain_are_found() -> None:
    bundle = load_model("tumour-demo")
    field = data.synthetic_field(4, "B", (2048, 1536))
    assert field.mask.any()
    assert dice([field], make_predictor(bundle, "cpu"), bundle.threshold) >= 0.8


def test_nothing_measured_was_trained_on() -> None:
    assert not set(data.TRAIN_SEEDS) & set(data.HELD_OUT_SEEDS)
    assert load_truth(sample_slide_path())["seed"] in data.HELD_OUT_SEEDS
    assert data.TRAIN_BCSS != data.HELD_OUT_BCSS
    assert data.TRAIN_TCGA != data.HELD_OUT_TCGA


def test_a_synthetic_field_is_the_slide_at_the_models_resolution() -> None:
    field = data.synthetic_field(4, "A", (512, 384))
    slide = SyntheticSlide(4, 512, 384, 0.5).render(0, 0, 512, 384)
    assert field.image.shape == (192, 256, 3)
    assert field.mask.shape == field.tissue.shape == (192, 256)
    blocks = slide.reshape(192, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(blocks - field.image).max() <= 1
