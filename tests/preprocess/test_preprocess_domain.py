"""Colours far from H&E are named; real H&E is left in peace."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from skimage.color import hsv2rgb, rgb2hsv

from napari_breastpath.preprocess import domain_statistics, domain_warning

Rgb = npt.NDArray[np.uint8]
HAEMATOXYLIN, EOSIN, DAB = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78)
IMAGES = [
    *(f"photomicrographs/breakhis_full/SOB_B_PT-14-29315EF-200-{n:03}.png" for n in (1, 5, 9, 13)),
    "photomicrographs/breakhis_full/SOB_M_MC-14-19979-40-001.png",
    "tumour_regions/bcss/1008_image.jpg",
    "tumour_regions/bcss/1015_image.jpg",
    *(f"tumour_cells/brecahad/{n}_image.jpg" for n in (10011, 10019, 10030)),
    "tissue_tiles/very-low-nuclei-score-level0.png",
    "tissue_tiles/high-nuclei-score-level0.png",
    "tissue_tiles/low-nuclei-score-level0.png",
]


def rgb_of(path: Path) -> Rgb:
    return np.array(Image.open(path).convert("RGB"))[::3, ::3]


def stained(first: tuple[float, ...], second: tuple[float, ...], share: float) -> Rgb:
    """Pixels of one stain, and of another in a share of them."""
    rng = np.random.default_rng(0)
    amounts = rng.gamma(3, 0.2, (20_000, 2)) * [1, 1]
    amounts[:, 1] *= rng.random(20_000) < share
    return (250 * np.exp(-amounts @ np.array([first, second]))).astype(np.uint8)


def hue_rotated(rgb: Rgb, degrees: float) -> Rgb:
    hsv = rgb2hsv(rgb)
    hsv[..., 0] = (hsv[..., 0] + degrees / 360) % 1
    return (hsv2rgb(hsv) * 255).astype(np.uint8)


@pytest.mark.parametrize("name", IMAGES)
def test_real_h_and_e_raises_no_warning(shared_data: Path, name: str) -> None:
    assert domain_warning(rgb_of(shared_data / name)) is None


def test_tcga_patches_raise_no_warning(shared_data: Path) -> None:
    for path in sorted((shared_data / "tumour_regions" / "tcga").glob("*_image.png")):
        assert domain_warning(np.array(Image.open(path).convert("RGB"))) is None, path.name


@pytest.mark.parametrize("degrees", [120, 180, 240])
@pytest.mark.parametrize("name", [IMAGES[0], IMAGES[4], IMAGES[5], IMAGES[11]])
def test_rotated_hues_are_far_from_h_and_e(shared_data: Path, name: str, degrees: float) -> None:
    warning = domain_warning(hue_rotated(rgb_of(shared_data / name), degrees))
    assert warning is not None
    assert "far from H&E" in warning
    assert "\n" not in warning


@pytest.mark.parametrize("name", [IMAGES[0], IMAGES[4], IMAGES[5], IMAGES[11]])
def test_grey_images_are_far_from_h_and_e(shared_data: Path, name: str) -> None:
    grey = np.array(Image.open(shared_data / name).convert("L").convert("RGB"))
    assert "far from H&E" in (domain_warning(grey) or "")


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 0.6, 1])
def test_dab_and_haematoxylin_is_far_from_h_and_e(share: float) -> None:
    assert "far from H&E" in (domain_warning(stained(HAEMATOXYLIN, DAB, share)) or "")


def test_haematoxylin_with_eosin_is_near() -> None:
    assert domain_warning(stained(HAEMATOXYLIN, EOSIN, 0.8)) is None


@pytest.mark.parametrize(
    "name", ["kidney-ihc-level0-340-520-390-550.png", "no-tissue-green-pen.png"]
)
def test_ihc_and_green_ink_are_far_from_h_and_e(shared_data: Path, name: str) -> None:
    pixels = np.array(Image.open(shared_data / "tissue_tiles" / name).convert("RGB"))
    assert "far from H&E" in (domain_warning(pixels) or "")


def test_magenta_of_wrongly_decoded_colours_is_far_from_h_and_e() -> None:
    rgb = stained(HAEMATOXYLIN, EOSIN, 0.8)
    magenta = np.concatenate([np.full_like(rgb, (255, 121, 255)), rgb])
    assert "magenta" in (domain_warning(magenta) or "")


def test_training_colours_are_a_reference() -> None:
    training = stained(HAEMATOXYLIN, EOSIN, 0.8)
    reference = json.loads(json.dumps(domain_statistics(training)))
    assert domain_warning(training[::2], reference) is None
    darker = (training.astype(float) ** 3 / 255**2).astype(np.uint8)
    assert "darkness" in (domain_warning(darker, reference) or "")
    assert domain_warning(darker) is None
    assert domain_warning(darker, domain_statistics(darker)) is None
    assert domain_warning(darker, {}) is None


@pytest.mark.parametrize("pixels", [np.empty((0, 3), np.uint8), np.full((9000, 3), 255, np.uint8)])
def test_too_few_stained_pixels_say_nothing(pixels: Rgb) -> None:
    assert domain_warning(pixels) is None
    assert domain_statistics(pixels)["pixels"] == 0
    assert domain_warning(stained(HAEMATOXYLIN, EOSIN, 0.8), domain_statistics(pixels)) is None
