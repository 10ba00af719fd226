"""Tiles: pixels and truth stay together whatever is done to them, and only seeds decide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_images import blobs, config, source, stained, write_masks

from napari_breastpath.preprocess.stain import StainNormalizer
from napari_breastpath.training import augment
from napari_breastpath.training.config import AugmentConfig, ClassConfig, Config
from napari_breastpath.training.instances import distance_map, nucleus_classes
from napari_breastpath.training.sampling import find_tiles
from napari_breastpath.training.sources import read_samples
from napari_breastpath.training.stains import Restain
from napari_breastpath.training.tiles import Cutter, Drawn, encode

PLAIN = AugmentConfig(False, "none", 0, (1, 1), 0, 0)


def _cutter(asked: Config) -> Cutter:
    samples = read_samples(asked)
    return Cutter(samples, find_tiles(samples, asked), asked)


@pytest.mark.parametrize(
    "change",
    [
        AugmentConfig(True, "none", 0, (1, 1), 0, 0),
        AugmentConfig(False, "90", 0, (1, 1), 0, 0),
        AugmentConfig(False, "any", 0, (1, 1), 0, 0),
        AugmentConfig(True, "any", 0.1, (0.7, 1.4), 1, 4),
    ],
)
def test_truth_moves_with_its_pixels(tmp_path: Path, change: AugmentConfig) -> None:
    write_masks(tmp_path, patients=3)
    cutter = _cutter(config(tmp_path, source(tmp_path), augment=change))
    agree = []
    for k in range(12):
        tile = cutter.changed(Drawn(k % len(cutter.tiles), (k,), k % 2 == 0))
        is_violet = tile.image[..., 0] < 165
        agree.append((is_violet == (tile.truth[0] > 0.5))[tile.weight > 0].mean())
    assert np.mean(agree) > 0.93


def test_the_seed_alone_decides(tmp_path: Path) -> None:
    write_masks(tmp_path, patients=2)
    cutter = _cutter(config(tmp_path, source(tmp_path)))
    first, again, other = (cutter.changed(Drawn(0, (seed,))) for seed in (1, 1, 2))
    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)


def test_a_tile_beyond_its_image_is_white_and_unknown_there(tmp_path: Path) -> None:
    write_masks(tmp_path, patients=1)
    asked = config(tmp_path, source(tmp_path), mpp=2.0, augment=PLAIN)
    tile = _cutter(asked).plain(0)
    known = tile.weight > 0
    assert tile.image.shape == (32, 32, 3)
    assert known.all()
    small = config(tmp_path, source(tmp_path), mpp=4.0)
    tile = _cutter(small).plain(0)
    assert (tile.image[tile.weight == 0] == 255).all()
    assert (tile.weight > 0).sum() == 24 * 24


def test_beyond_an_image_training_sees_glass_with_nothing_on_it(tmp_path: Path) -> None:
    write_masks(tmp_path, patients=1)
    asked = config(tmp_path, source(tmp_path), mpp=4.0, augment=PLAIN)
    cutter = _cutter(asked)
    first, second = (cutter.changed(Drawn(0, (seed,))) for seed in (1, 2))
    beyond = first.weight < 1
    assert beyond.sum() == 32 * 32 - 24 * 24
    assert (first.weight[beyond] == np.float32(0.1)).all()
    assert not first.truth[0][beyond].any()
    assert len(np.unique(first.image[beyond], axis=0)) == 1
    assert (first.image[beyond] >= 220).all()
    assert (first.image[beyond][0] != second.image[beyond][0]).any()


def test_input_space_is_the_bundles(tmp_path: Path) -> None:
    import cv2

    write_masks(tmp_path, patients=1)
    asked = config(tmp_path, source(tmp_path))
    rgb = _cutter(asked).plain(0).image
    asked = config(tmp_path, source(tmp_path), input=type(asked.input)("hsv"))
    assert np.array_equal(_cutter(asked).plain(0).image, cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))


def test_stain_changes_leave_white_and_shape_alone() -> None:
    rgb = np.full((8, 8, 3), 255, np.uint8)
    rgb[:4] = (120, 60, 150)
    changed = augment.perturb_stain(rgb, 0.2, np.random.default_rng(0))
    assert (changed[4:] == 255).all()
    assert (changed[:4] != rgb[:4]).any()
    same = augment.perturb_stain(rgb, 0.0, np.random.default_rng(0))
    assert np.abs(same.astype(int) - rgb).max() <= 1


def test_restaining_a_tile_is_what_inference_does() -> None:
    rgb, target = stained(blobs(1), 1), stained(blobs(2), 2)[..., ::-1].copy()
    normalizer = StainNormalizer("macenko").fit(target).fit_source(rgb)
    assert normalizer.source is not None
    assert normalizer.target is not None
    ours = Restain(normalizer.source, normalizer.target)(rgb)
    assert np.abs(ours.astype(int) - normalizer.transform(rgb)).max() <= 1


@pytest.mark.parametrize(
    ("roles", "expected", "known"),
    [
        (("tumour",), [[0, 1, 0, 0]], 4),
        (("tumour", "background"), [1, 0, 1, 1], 4),
        (("tumour", "benign"), [-1, 0, 1, -1], 2),
    ],
)
def test_values_become_what_the_loss_wants(
    roles: tuple[str, ...], expected: list[int], known: int, tmp_path: Path
) -> None:
    classes = tuple(ClassConfig(role, role=role) for role in roles)
    asked = config(tmp_path, classes=classes)
    values = np.array([[0, 1, 2 if len(roles) > 1 else 0, 255]])
    truth, weight = encode(values, np.ones((1, 4), np.float32), asked)
    assert truth.tolist() == [expected]
    assert weight.sum() == known


def test_nuclei_have_insides_boundaries_and_distances() -> None:
    labels = np.zeros((9, 12), int)
    labels[1:8, 1:6], labels[1:8, 6:11] = 1, 2
    classes = nucleus_classes(labels, 1)
    assert (classes[labels == 0] == 0).all()
    assert classes[2:7, 2:5].tolist() == [[1] * 3] * 5
    assert (classes[2:7, 5:7] == 2).all()
    distance = distance_map(labels)
    assert distance.max() == 1
    assert distance[4, 3] == distance[4, 8] == 1
    assert (distance[labels == 0] == 0).all()
    assert 0 < distance[4, 5] < 0.5
