"""What is drawn is what is measured: the sample slide's nests against their known outlines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyses_helpers import heat
from napari_breastpath import analyze, open_slide
from napari_breastpath.measure import measure_regions
from napari_breastpath.sample import sample_slide_path
from synthetic_slide import SyntheticSlide, load_truth, truth_mask, write_slide

MAP_MPP = 2.0


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def test_the_truth_mask_measures_as_long_as_its_outline() -> None:
    """Done when: longest Feret within one map pixel of the known outline."""
    truth = load_truth(sample_slide_path().with_suffix(".json"))
    with open_slide(sample_slide_path()) as slide:
        lattice = slide.lattice(MAP_MPP)
    table = measure_regions(truth_mask(truth, lattice), lattice.mpp)
    assert len(table) == len(truth["nests"])
    assert table.feret_max_mm.max() == pytest.approx(truth["longest_feret_mm"], abs=MAP_MPP / 1e3)


@pytest.mark.parametrize("stain", ["vahadane", "none"])
def test_the_embedded_model_finds_the_nests_of_the_sample(stain: str, tmp_path: Path) -> None:
    result = analyze(sample_slide_path(), tmp_path, stain=stain)
    truth = truth_mask(load_truth(sample_slide_path().with_suffix(".json")), result.lattice)
    assert dice(heat(result)[0] > 0.5 * 255, truth) >= 0.6


@pytest.mark.parametrize("lab", ["A", "B"])
def test_it_finds_those_of_another_slide_in_either_stain(lab: str, tmp_path: Path) -> None:
    path = tmp_path / "other.tif"
    write_slide(SyntheticSlide(seed=4711, width=3000, height=2400, stain=lab), path)
    result = analyze(path, tmp_path)
    truth = truth_mask(load_truth(path.with_suffix(".json")), result.lattice)
    assert dice(heat(result)[0] > 0.5 * 255, truth) >= 0.6
