"""A model's own colour space and temperature reach every engine."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import torch

from napari_breastpath.models import ModelBundle, load_model, make_predictor
from napari_breastpath.models.inputs import INPUTS, tile_input
from napari_breastpath.models.saving import write_manifest

RNG = np.random.default_rng(0)
TILES = RNG.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("space", sorted(INPUTS))
def test_every_space_has_three_channels_and_leaves_the_tile_alone(space: str) -> None:
    before = TILES[0].copy()
    seen = tile_input(TILES[0], space)
    assert (seen.shape, seen.dtype) == ((64, 64, 3), np.uint8)
    assert np.array_equal(TILES[0], before)


def test_stain_channels_know_the_dyes_and_white_is_empty() -> None:
    haematoxylin = 255 * np.exp(-np.array([0.65, 0.70, 0.29]))
    tile = np.full((2, 2, 3), 255, np.uint8)
    tile[0] = haematoxylin.round()
    seen = tile_input(tile, "hed")
    assert seen[0, 0, 0] == pytest.approx(255 / 2.5, abs=2)
    assert seen[0, 0, 1] <= 2
    assert (seen[1] == 0).all()


@pytest.mark.parametrize("engine", ["torch", "onnxruntime", "openvino"])
def test_the_predictor_sees_what_training_saw(own_bundle: ModelBundle, engine: str) -> None:
    if engine != "torch":
        pytest.importorskip(engine)
    lab = np.stack([cv2.cvtColor(tile, cv2.COLOR_RGB2LAB) for tile in TILES])
    plain = make_predictor(own_bundle, "cpu", "torch", threads=1).predict(torch.from_numpy(lab))
    bundle = dataclasses.replace(own_bundle, input="lab", temperature=2.0)
    found = make_predictor(bundle, "cpu", engine, threads=1).predict(torch.from_numpy(TILES))
    logit = np.log(plain / (1 - plain))
    # Averages over 2 × 2 pixels: halving the logit of a mean is only nearly the mean of halves.
    assert np.abs(found - 1 / (1 + np.exp(-logit / 2))).max() < 0.01


def test_the_manifest_keeps_both(own_bundle: ModelBundle) -> None:
    write_manifest(dataclasses.replace(own_bundle, input="hsv", temperature=1.5))
    read = load_model(own_bundle.folder)
    assert (read.input, read.temperature) == ("hsv", 1.5)
