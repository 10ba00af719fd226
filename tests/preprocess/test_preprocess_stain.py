"""Stain normalisation: the same every time, in agreement with StainTools, never NaN."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from napari_breastpath.core.errors import UsageError
from napari_breastpath.preprocess import StainNormalizer
from napari_breastpath.preprocess.concentrations import REGULARIZER, concentrations
from napari_breastpath.preprocess.optical_density import is_stained, optical_density
from napari_breastpath.preprocess.stain_matrix import SPARSITY, angle_degrees, unit_rows
from napari_breastpath.preprocess.staintools_compat import staintools

Array = npt.NDArray[np.float64]
RUIFROK = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
TARGET = "photomicrographs/breakhis_full/SOB_M_MC-14-19979-40-001.png"
SOURCES = [
    "tumour_cells/brecahad/10011_image.jpg",
    "tumour_regions/bcss/1008_image.jpg",
    "tissue_tiles/tissue-level2-4640-4649-8736-8746.png",
    "photomicrographs/breakhis_full/SOB_B_PT-14-29315EF-200-001.png",
]
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def rgb_of(path: Path, side: int = 200) -> npt.NDArray[np.uint8]:
    return np.array(Image.open(path).convert("RGB"))[:side, :side]


def he_pixels(seed: int = 0, count: int = 20_000) -> npt.NDArray[np.uint8]:
    """Pixels of two known stains."""
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(2, 0.4, (count, 2)) * (rng.random((count, 2)) < 0.7)
    return (255 * np.exp(-amounts @ unit_rows(RUIFROK))).astype(np.uint8)


def fitted(method: str = "vahadane") -> StainNormalizer:
    target = StainNormalizer.from_target(method, unit_rows(RUIFROK), [1.0, 0.9])
    return target.fit_source(he_pixels())


@settings(max_examples=100, deadline=None)
@given(
    rows=arrays(np.float64, (2, 3), elements=st.floats(0.01, 1)),
    rgb=arrays(np.uint8, (30, 3)),
    regularizer=st.sampled_from([0.01, 0.1]),
)
def test_concentrations_meet_the_optimality_conditions(
    rows: Array, rgb: npt.NDArray[np.uint8], regularizer: float
) -> None:
    matrix = unit_rows(rows)
    assume(angle_degrees(matrix) > 2)
    amounts = concentrations(rgb, matrix, regularizer)
    slope = (amounts @ matrix - optical_density(rgb)) @ matrix.T + regularizer
    assert amounts.min() >= 0
    assert slope.min() > -1e-9
    assert np.abs(amounts * slope).max() < 1e-7


@pytest.mark.parametrize("method", ["vahadane", "macenko"])
@pytest.mark.parametrize("name", SOURCES)
def test_agrees_with_staintools_given_the_same_matrices(
    shared_data: Path, name: str, method: str
) -> None:
    target, source = rgb_of(shared_data / TARGET), rgb_of(shared_data / name)
    ours = StainNormalizer(method).fit(target).fit_source(source)
    assert ours.stain_matrix_source is not None
    lasso = staintools().stain_normalizer.get_concentrations
    theirs_amounts = lasso(source.copy(), ours.stain_matrix_source)
    ours_amounts = concentrations(source, ours.stain_matrix_source).reshape(-1, 2)
    assert np.abs(ours_amounts - theirs_amounts).max() < 1e-4

    theirs = staintools().StainNormalizer(method)
    theirs.extractor = SimpleNamespace(get_stain_matrix=lambda _: ours.stain_matrix_target)
    theirs.fit(target.copy())
    theirs.extractor = SimpleNamespace(get_stain_matrix=lambda _: ours.stain_matrix_source)
    difference = ours.transform(source).astype(int) - theirs.transform(source.copy())
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("name", SOURCES)
def test_macenko_finds_the_matrix_of_staintools(shared_data: Path, name: str) -> None:
    source = rgb_of(shared_data / name, 300)
    ours = StainNormalizer("macenko").fit_source(source).stain_matrix_source
    theirs = staintools().MacenkoStainExtractor.get_stain_matrix(source.copy())
    assert np.degrees(np.arccos(np.clip((ours * theirs).sum(axis=1), -1, 1))).max() < 0.5


@pytest.mark.parametrize("name", SOURCES[:2])
def test_vahadane_fits_as_well_as_staintools(shared_data: Path, name: str) -> None:
    source = rgb_of(shared_data / name)
    ours = StainNormalizer("vahadane").fit_source(source).stain_matrix_source
    theirs = staintools().VahadaneStainExtractor.get_stain_matrix(source.copy())
    assert ours is not None
    assert loss(source, ours) < 1.001 * loss(source, theirs)


def loss(rgb: npt.NDArray[np.uint8], matrix: Array) -> float:
    """The objective of Vahadane's dictionary learning, over stained pixels."""
    stained = rgb[is_stained(rgb)]
    amounts = concentrations(stained, matrix, SPARSITY)
    residual = amounts @ matrix - optical_density(stained)
    return float(((residual**2).sum(axis=1) / 2 + SPARSITY * amounts.sum(axis=1)).mean())


def test_the_same_pixels_count_as_stained_as_in_staintools(shared_data: Path) -> None:
    for name in SOURCES:
        source = rgb_of(shared_data / name)
        locator = staintools().stain_extraction.macenko_stain_extractor
        theirs = locator.LuminosityThresholdTissueLocator.get_tissue_mask(source)
        assert (is_stained(source) == theirs).mean() > 0.995


@pytest.mark.parametrize("method", ["vahadane", "macenko"])
def test_known_stains_are_found_haematoxylin_first(method: str) -> None:
    matrix = StainNormalizer(method).fit_source(he_pixels()).stain_matrix_source
    assert matrix is not None
    assert np.degrees(np.arccos((matrix * unit_rows(RUIFROK)).sum(axis=1))).max() < 6


def test_two_runs_give_the_same_matrix_whatever_ran_before() -> None:
    here = StainNormalizer().fit_source(he_pixels()).to_dict()
    StainNormalizer().fit_source(he_pixels(1))
    assert StainNormalizer().fit_source(he_pixels()).to_dict() == here
    program = (
        "from test_preprocess_stain import StainNormalizer, he_pixels;"
        "print(StainNormalizer().fit_source(he_pixels()).to_dict())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parent,
        capture_output=True,
        check=True,
        text=True,
    )
    assert elsewhere.stdout == f"{here}\n"


def test_the_network_keeps_its_threads_after_a_stain_was_fitted() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        fitted("vahadane")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("device", DEVICES)
def test_a_pixel_becomes_the_same_colour_in_any_batch_on_any_device(device: str) -> None:
    normalizer = fitted()
    tiles = np.random.default_rng(0).integers(0, 256, (5, 200, 300, 3), dtype=np.uint8)
    batch = normalizer.transform_batch(torch.from_numpy(tiles).to(device)).cpu().numpy()
    assert batch.dtype == np.uint8
    assert np.array_equal(batch[3], normalizer.transform(tiles[3]))
    assert np.array_equal(batch[1, 7, :9], normalizer.transform(tiles[1, 7, :9]))


def test_every_colour_is_recomposed_as_the_formula_says() -> None:
    normalizer = fitted()
    colours = np.random.default_rng(1).integers(0, 256, (50_000, 3), dtype=np.uint8)
    source, target = normalizer.source, normalizer.target
    assert source is not None
    assert target is not None
    amounts = concentrations(colours, source.matrix, REGULARIZER)
    amounts *= target.max_concentration / source.max_concentration
    expected = np.floor(255 * np.exp(-amounts @ target.matrix))
    assert np.abs(normalizer.transform(colours) - expected).max() <= 1
    assert (normalizer.transform(colours) == expected).mean() > 0.999


@pytest.mark.parametrize("method", ["vahadane", "macenko"])
def test_the_record_gives_the_same_pixels_bit_for_bit(method: str) -> None:
    normalizer = fitted(method)
    tile = he_pixels(3).reshape(100, 200, 3)
    expected = normalizer.transform(tile)
    read_back = StainNormalizer.from_dict(json.loads(json.dumps(normalizer.to_dict())))
    assert read_back.to_dict() == normalizer.to_dict()
    assert np.array_equal(read_back.transform(tile), expected)
    unpickled = pickle.loads(pickle.dumps(normalizer))
    assert len(pickle.dumps(normalizer)) < 10_000
    assert np.array_equal(unpickled.transform(tile), expected)


BLANK = {
    "white": np.full((256, 256, 3), 255, np.uint8),
    "glass": np.random.default_rng(0).integers(236, 246, (256, 256, 3), dtype=np.uint8),
    "black": np.zeros((256, 256, 3), np.uint8),
    "one colour": np.full((256, 256, 3), (150, 80, 130), np.uint8),
    "grey": np.repeat(np.random.default_rng(0).integers(20, 180, (256, 256, 1), np.uint8), 3, 2),
    "speck": np.concatenate([np.full((65_036, 3), 243, np.uint8), he_pixels(count=500)]),
    "nothing": np.empty((0, 3), np.uint8),
}


@pytest.mark.parametrize("method", ["vahadane", "macenko"])
@pytest.mark.parametrize("name", BLANK)
def test_what_shows_no_two_stains_is_flagged_and_left_as_it_is(name: str, method: str) -> None:
    normalizer = StainNormalizer.from_target(method, RUIFROK, [1, 1]).fit_source(BLANK[name])
    assert normalizer.source_flag
    assert normalizer.stain_matrix_source is None
    tile = he_pixels().reshape(100, 200, 3)
    assert np.array_equal(normalizer.transform(tile), tile)
    batch = torch.from_numpy(tile[None])
    assert torch.equal(normalizer.transform_batch(batch), batch)
    assert StainNormalizer.from_dict(normalizer.to_dict()).source_flag == normalizer.source_flag


def test_a_blank_tile_of_a_good_slide_stays_blank() -> None:
    assert fitted().transform(BLANK["white"]).min() >= 254


def test_a_flag_goes_away_with_a_better_sample() -> None:
    normalizer = StainNormalizer.from_target("vahadane", RUIFROK, [1, 1])
    assert normalizer.fit_source(BLANK["glass"]).source_flag
    assert normalizer.fit_source(he_pixels()).source_flag is None


def bad_target() -> object:
    return StainNormalizer().fit(BLANK["white"])


def no_source() -> object:
    return StainNormalizer.from_target("vahadane", RUIFROK, [1, 1]).transform(he_pixels())


def floats() -> object:
    return fitted().transform(he_pixels().astype(float))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("misuse", "words"),
    [
        (bad_target, "too little tissue"),
        (no_source, "no source"),
        (floats, "uint8"),
        (lambda: StainNormalizer("reinhard"), "vahadane, macenko"),
        (lambda: StainNormalizer.from_target("macenko", np.ones((2, 3)), [1, 1]), "unusable"),
        (lambda: StainNormalizer.from_target("macenko", RUIFROK, [1, 0]), "unusable"),
        (lambda: StainNormalizer.from_target("macenko", [[1, 2]], [1, 1]), "unusable"),
    ],
)
def test_misuse_gets_one_clear_line(misuse: object, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        misuse()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
