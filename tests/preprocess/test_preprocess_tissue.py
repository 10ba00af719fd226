"""Tissue masks: what is tissue on real tiles, what never is, and that bands do not show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from napari_breastpath.core.errors import UsageError
from napari_breastpath.preprocess import tissue, tissue_from_thumbnail, tissue_mask
from napari_breastpath.slides import open_slide

# name, assumed µm/px, least and most tissue fraction: set by looking at overlays of all 39 tiles.
TILES = [
    ("almost-white-1.png", 2, 0, 0),
    ("almost-white-2.png", 2, 0.01, 0.06),  # faint tissue in one corner
    ("almost-white-ihc.png", 8, 0, 0),
    ("diagnostic-slide-thumb-rgb.png", 40, 0.6, 0.8),  # ringed by red, green and black ink
    ("high-nuclei-score-level0.png", 0.5, 0.95, 1),
    ("high-nuclei-score-level2.png", 4, 0.1, 0.18),
    ("high-nuclei-score-red-pen-level1.png", 2, 0.95, 1),
    ("kidney-ihc-level0-310-500-360-530.png", 8, 0.6, 0.9),
    ("kidney-ihc-level0-330-480-380-510.png", 8, 0.25, 0.45),
    ("kidney-ihc-level0-340-520-390-550.png", 8, 0.7, 0.95),
    ("kidney-ihc-level0-350-530-360-540.png", 8, 0.95, 1),
    ("liver-level2-10907-7808-11707-8608.png", 8, 1, 1),  # tissue to every edge
    ("liver-level2-20914-13715-21714-14515.png", 8, 0.14, 0.22),
    ("liver-level2-38626-13514-39426-14315.png", 8, 0, 0),
    ("liver-level2-57138-8209-57938-9009.png", 8, 0.62, 0.76),
    ("low-nuclei-score-level0.png", 0.5, 0.01, 0.3),  # fat
    ("low-nuclei-score-level1.png", 2, 0.1, 0.4),
    ("medium-nuclei-score-green-pen-level1.png", 2, 0.8, 0.98),
    ("medium-nuclei-score-level0.png", 0.5, 0.88, 1),
    ("medium-nuclei-score-level1-2.png", 2, 0.97, 1),
    ("medium-nuclei-score-level1.png", 2, 0.5, 0.7),
    ("medium-nuclei-score-level2.png", 4, 0.7, 0.88),
    ("no-tissue-green-pen.png", 2, 0, 0.85),  # ink is not told from tissue
    ("no-tissue-line.png", 2, 0, 0.03),
    ("no-tissue-red-pen.png", 2, 0, 0.8),
    ("no-tissue.png", 2, 0, 0.002),
    ("no-tissue2.png", 2, 0, 0.01),
    ("tcga-green-pen.png", 2, 0.9, 1),
    ("tcga-lung-rgb.png", 2, 0.65, 0.9),
    ("tcga-red-pen.png", 2, 0.7, 0.92),
    ("tissue-level0-4302-10273-4814-10785.png", 0.5, 0.6, 0.95),
    ("tissue-level0-7352-11762-7864-12274.png", 0.5, 0.75, 0.95),
    ("tissue-level2-1784-6289-5880-10386.png", 4, 0.5, 0.75),
    ("tissue-level2-3000-7666-7096-11763.png", 4, 0.55, 0.8),
    ("tissue-level2-4640-4649-8736-8746.png", 4, 0.6, 0.8),
    ("tissue-level2-4760-5241-8856-9338.png", 4, 0.6, 0.8),
    ("very-low-nuclei-score-level0.png", 0.5, 0.97, 1),  # pale, no glass
    ("very-low-nuclei-score-red-pen-level1.png", 2, 0.2, 0.6),
    ("wsi-blue-pen.png", 100, 0.2, 0.42),
]
PINK, PURPLE, GLASS = (225, 150, 190), (110, 70, 140), (243, 242, 241)


def rgb_of(path: Path) -> npt.NDArray[np.uint8]:
    return np.array(Image.open(path).convert("RGB"))


def field(
    colour: tuple[int, int, int], height: int = 200, width: int = 300
) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, 2, (height, width, 1))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("method", ["otsu", "yen"])
@pytest.mark.parametrize(("name", "mpp", "least", "most"), TILES)
def test_tiles_hold_what_the_eye_sees(
    shared_data: Path, name: str, mpp: float, least: float, most: float, method: str
) -> None:
    mask = tissue_from_thumbnail(rgb_of(shared_data / "tissue_tiles" / name), method, mpp)
    assert least <= mask.mean() <= most


def test_every_tile_has_an_expectation(shared_data: Path) -> None:
    names = {path.name for path in (shared_data / "tissue_tiles").glob("*.png")}
    assert names == {row[0] for row in TILES}


@pytest.mark.parametrize("name", ["bcss/1008_image.jpg", "bcss/1015_image.jpg"])
def test_a_crop_of_nothing_but_tissue_is_tissue(shared_data: Path, name: str) -> None:
    image = Image.open(shared_data / "tumour_regions" / name).convert("RGB").reduce(32)
    assert tissue_from_thumbnail(np.array(image), "otsu", 8.0).mean() > 0.98


@pytest.mark.parametrize("method", ["otsu", "yen"])
@pytest.mark.parametrize(
    "colour", [(255, 255, 255), GLASS, (225, 224, 222), (243, 240, 225), (0, 0, 0)]
)
def test_blank_images_have_no_tissue(colour: tuple[int, int, int], method: str) -> None:
    for image in (np.full((200, 300, 3), colour, np.uint8), field(colour)):
        assert not tissue_from_thumbnail(image, method, 8.0).any()


@pytest.mark.parametrize("colour", [PINK, PURPLE, (235, 215, 228), (120, 120, 120)])
def test_images_of_one_tissue_are_all_tissue(colour: tuple[int, int, int]) -> None:
    assert tissue_from_thumbnail(field(colour), "otsu", 8.0).all()


@pytest.mark.parametrize("glass", [GLASS, (255, 255, 255), (240, 236, 220), (225, 225, 230)])
def test_faint_tissue_stands_out_from_glass_of_any_tint(glass: tuple[int, int, int]) -> None:
    image = field(glass)
    faint = np.array(glass) * np.exp([-0.06, -0.25, -0.1])
    image[50:100, 50:150] = faint
    mask = tissue_from_thumbnail(image, "otsu", 8.0)
    assert mask[52:98, 52:148].all()
    assert mask.sum() < 1.15 * 50 * 100


def test_black_padding_and_its_grey_rim_are_no_tissue() -> None:
    image = field(GLASS)
    image[:, :60] = 3
    image[:, 60:61] = 120
    image[80:120, 150:250] = PINK
    mask = tissue_from_thumbnail(image, "otsu", 8.0)
    assert not mask[:, :100].any()
    assert mask[82:118, 152:248].all()


def test_padding_of_pure_white_does_not_make_glass_tissue() -> None:
    image = field((236, 230, 214))
    image[:, 100:] = 255
    assert not tissue_from_thumbnail(image, "otsu", 8.0).any()


def test_specks_under_2000_um2_are_dropped_and_holes_stay_open() -> None:
    image = np.full((200, 200, 3), GLASS, np.uint8)
    image[10:14, 10:14] = PURPLE  # 16 px of 64 µm²
    image[100:150, 100:150] = PURPLE
    image[120:130, 120:130] = GLASS
    mask = tissue_from_thumbnail(image, "otsu", 8.0)
    assert not mask[:90].any()
    assert mask[105, 105]
    assert not mask[125, 125]


def test_the_mask_does_not_depend_on_the_bands_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = field(GLASS, 700, 900)
    image[100:500, 200:700] = PURPLE
    Image.fromarray(image).save(tmp_path / "slide.png")
    slide = open_slide(tmp_path / "slide.png", mpp=2.0)
    whole = tissue_mask(slide)
    monkeypatch.setattr(tissue, "PIXELS_PER_BAND", 1000)
    assert np.array_equal(tissue_mask(slide), whole)
    assert whole.shape == (175, 225)
    assert whole[26:124, 51:174].all()


def test_none_takes_the_whole_slide_and_other_words_are_refused(tmp_path: Path) -> None:
    Image.fromarray(field(GLASS)).save(tmp_path / "slide.png")
    slide = open_slide(tmp_path / "slide.png", mpp=4.0)
    assert tissue_mask(slide, mpp=8.0, method="none").all()
    with pytest.raises(UsageError, match="otsu, yen, none"):
        tissue_mask(slide, method="magic")
