"""The drawn training slides and their nests lie on each other, and are none that is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from training_images import config, source

from napari_breastpath.sample import sample_slide_path
from napari_breastpath.training.sources import read_samples
from synthetic_slide import load_truth, truth_mask
from write_training_slides import SEEDS, write_training_slides


def test_nests_are_read_back_where_they_were_drawn(tmp_path: Path) -> None:
    (path,) = write_training_slides(tmp_path, (101,), (1024, 768))
    drawn = source(
        tmp_path,
        "slides",
        images=str(tmp_path / "*.tif"),
        labels=str(tmp_path / "*.geojson"),
        mpp=(),
        patient="drawn-[0-9]+",
    )
    (sample,) = read_samples(config(tmp_path / "run", drawn, mpp=1.0))
    truth = truth_mask(load_truth(path), sample.slide.lattice(2.0))
    ys, xs = ((np.arange(n) + 0.5) * 4 for n in truth.shape)
    values, _ = sample.truth.at(ys, xs)
    assert sample.patient == "drawn-101"
    assert truth.any()
    assert (values == truth).mean() > 0.99


def test_the_packaged_slide_is_none_that_is_trained_on() -> None:
    assert load_truth(sample_slide_path())["seed"] not in SEEDS
