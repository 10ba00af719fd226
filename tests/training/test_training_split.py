"""Split by patient, balanced draws, and leakage that is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from training_images import config, source, write_masks

from napari_breastpath.core.errors import UsageError
from napari_breastpath.training.run import parted
from napari_breastpath.training.sampling import Tiles, draw, find_tiles, tile_shares
from napari_breastpath.training.sources import read_samples
from napari_breastpath.training.split import make_folds


@pytest.mark.parametrize("folds", [1, 2, 4])
def test_no_patient_is_on_both_sides_and_each_validates_once(tmp_path: Path, folds: int) -> None:
    write_masks(tmp_path, patients=8, each=3)
    asked = config(tmp_path, source(tmp_path), folds=folds)
    samples = read_samples(asked)
    parted = make_folds(samples, [int(s.patient != "P8") for s in samples], asked)
    assert len(parted) == folds
    for fold in parted:
        sides = ({s.patient for s in side} for side in (fold.training, fold.validation))
        assert not set.intersection(*sides)
        assert len(fold.training) + len(fold.validation) == len(samples)
    if folds > 1:
        validated = [s.path for fold in parted for s in fold.validation]
        assert sorted(validated) == sorted(s.path for s in samples)


def test_patients_can_be_named_and_held_out(tmp_path: Path) -> None:
    write_masks(tmp_path, patients=4)
    asked = config(tmp_path, source(tmp_path), validation_patients=("P2",), held_out=("P3",))
    samples = read_samples(asked)
    (fold,) = make_folds(samples, [1] * len(samples), asked)
    assert {s.patient for s in fold.validation} == {"P2"}
    assert {s.patient for s in fold.training} == {"P1", "P4"}


def test_the_same_image_under_two_names_is_refused(tmp_path: Path) -> None:
    write_masks(tmp_path, patients=3)
    Image.open(tmp_path / "P1-0_image.png").save(tmp_path / "P2-0_image.png", compress_level=1)
    assert (tmp_path / "P1-0_image.png").read_bytes() != (tmp_path / "P2-0_image.png").read_bytes()
    asked = config(tmp_path, source(tmp_path), validation_patients=("P2",))
    samples = read_samples(asked)
    with pytest.raises(UsageError, match=r"the same image as .*P2-0_image.png \(P2\)"):
        make_folds(samples, [1] * len(samples), asked)


def test_an_image_held_out_is_not_trained_on_under_another_name(tmp_path: Path) -> None:
    write_masks(tmp_path, patients=4)
    Image.open(tmp_path / "P1-0_image.png").save(tmp_path / "P2-0_image.png", compress_level=1)
    asked = config(tmp_path, source(tmp_path), held_out=("P2",))
    with pytest.raises(UsageError, match=r"P1-0.*the same image as .*\(P2\), which is held out"):
        parted(asked)


def test_too_few_patients_are_said_so(tmp_path: Path) -> None:
    write_masks(tmp_path, patients=2)
    asked = config(tmp_path, source(tmp_path), folds=5)
    samples = read_samples(asked)
    with pytest.raises(UsageError, match="2 patients cannot be parted into 5 folds"):
        make_folds(samples, [1] * len(samples), asked)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(1, 50), st.booleans())
def test_balanced_draws_have_every_kind_equally_often(
    kinds: list[int], count: int, balance: bool
) -> None:
    places = np.zeros((len(kinds), 2))
    tiles = Tiles(np.zeros(len(kinds), np.int64), places, places, np.array(kinds))
    drawn = draw(tiles, np.ones(len(kinds)), count, balance, np.random.default_rng(0))
    assert len(drawn) == count
    if balance:
        often = np.bincount(tiles.kind[drawn], minlength=3)[np.unique(tiles.kind)]
        assert np.ptp(often) <= 1


def test_normal_and_tumour_tiles_are_found_background_is_not(tmp_path: Path) -> None:
    write_masks(tmp_path, patients=2)
    white = np.full((96, 96, 3), 250, np.uint8)
    Image.fromarray(white).save(tmp_path / "P3-0_image.png")
    Image.fromarray(white[..., 0] * 0).save(tmp_path / "P3-0_mask.png")
    asked = config(tmp_path, source(tmp_path, tissue="otsu"))
    samples = read_samples(asked)
    tiles = find_tiles(samples, asked)
    patients = np.array([samples[k].patient for k in tiles.sample])
    assert set(patients) == {"P1", "P2"}
    assert set(tiles.kind[patients == "P1"]) >= {1}
    assert set(tiles.kind[patients == "P2"]) == {0}


@pytest.mark.parametrize("crop", [32, 64, 96, 128])
def test_tiles_reach_every_place_and_stay_on_their_image(tmp_path: Path, crop: int) -> None:
    write_masks(tmp_path, patients=1)
    asked = config(tmp_path, source(tmp_path))
    asked = dataclasses.replace(asked, fit=dataclasses.replace(asked.fit, crop=crop))
    tiles = find_tiles(read_samples(asked), asked)
    ends = [(tiles.centre + sign * (tiles.reach + crop / 2)) for sign in (-1, 1)]
    assert ends[0].min() == pytest.approx(min(0, 48 - crop / 2))
    assert ends[1].max() == pytest.approx(max(96, 48 + crop / 2))
    centres = np.unique(tiles.centre[:, 0])
    assert np.diff(centres) == pytest.approx(2 * tiles.reach[0, 0])


def test_sources_count_by_their_share_not_their_size(tmp_path: Path) -> None:
    write_masks(tmp_path / "many", patients=9)
    write_masks(tmp_path / "few", patients=3)
    few = source(tmp_path / "few", share=3.0)
    asked = config(tmp_path, source(tmp_path / "many"), few)
    samples = read_samples(asked)
    tiles = find_tiles(samples, asked)
    shares = tile_shares(tiles, samples)
    of_few = np.array([samples[k].source is few for k in tiles.sample])
    for kind in (0, 1):
        among = tiles.kind == kind
        assert shares[among & of_few].sum() == pytest.approx(3 * shares[among & ~of_few].sum())


@pytest.mark.parametrize(("even", "expected"), [(False, [0.75, 0.25]), (True, [0.5, 0.5])])
def test_patients_count_by_their_tiles_or_evenly(
    tmp_path: Path, even: bool, expected: list[float]
) -> None:
    write_masks(tmp_path, patients=2)
    asked = config(tmp_path / "run", source(tmp_path, even_patients=even))
    samples = read_samples(asked)
    places = np.zeros((4, 2))
    tiles = Tiles(np.array([0, 0, 0, 1]), places, places, np.zeros(4, np.int64))
    shares = tile_shares(tiles, samples)
    assert [shares[:3].sum(), shares[3]] == pytest.approx(expected)
