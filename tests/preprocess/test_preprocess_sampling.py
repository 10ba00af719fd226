"""The sample of tissue pixels: from tissue only, over all of it, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_breastpath.preprocess import sample_tissue_pixels, tissue_mask
from napari_breastpath.slides import Slide, open_slide

GLASS, PINK, PURPLE = (243, 243, 243), (225, 150, 190), (110, 70, 140)


@pytest.fixture
def two_piece_slide(tmp_path: Path) -> Slide:
    image = np.full((900, 1200, 3), GLASS, np.uint8)
    image[100:800, 100:400] = PINK
    image[100:800, 700:1000] = PURPLE
    Image.fromarray(image).save(tmp_path / "slide.png")
    return open_slide(tmp_path / "slide.png", mpp=2.0)


def test_both_pieces_and_nothing_but_tissue(two_piece_slide: Slide) -> None:
    mask, lattice = tissue_mask(two_piece_slide), two_piece_slide.lattice(8.0)
    pixels = sample_tissue_pixels(two_piece_slide, mask, lattice, count=20_000)
    assert pixels.dtype == np.uint8
    assert 15_000 < len(pixels) <= 20_000
    pink, purple = ((pixels == colour).all(axis=1).mean() for colour in (PINK, PURPLE))
    assert pink == pytest.approx(0.5, abs=0.12)
    assert pink + purple > 0.97


def test_only_the_masked_part_is_sampled(two_piece_slide: Slide) -> None:
    mask, lattice = tissue_mask(two_piece_slide), two_piece_slide.lattice(8.0)
    mask[:, lattice.width // 2 :] = False
    pixels = sample_tissue_pixels(two_piece_slide, mask, lattice, count=5000)
    assert not (pixels == PURPLE).all(axis=1).any()


def test_the_seed_decides(two_piece_slide: Slide) -> None:
    mask, lattice = tissue_mask(two_piece_slide), two_piece_slide.lattice(8.0)
    first, again, other = (
        sample_tissue_pixels(two_piece_slide, mask, lattice, count=3000, seed=seed)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("count", [1, 7, 150])
def test_small_counts_are_kept_to(two_piece_slide: Slide, count: int) -> None:
    mask, lattice = tissue_mask(two_piece_slide), two_piece_slide.lattice(8.0)
    assert 0 < len(sample_tissue_pixels(two_piece_slide, mask, lattice, count=count)) <= count


def test_no_tissue_gives_no_pixels(two_piece_slide: Slide) -> None:
    lattice = two_piece_slide.lattice(8.0)
    nothing = np.zeros(lattice.shape, bool)
    assert sample_tissue_pixels(two_piece_slide, nothing, lattice).shape == (0, 3)


def test_tissue_up_to_every_edge(tmp_path: Path) -> None:
    Image.fromarray(np.full((333, 257, 3), PURPLE, np.uint8)).save(tmp_path / "edge.png")
    slide = open_slide(tmp_path / "edge.png", mpp=0.7)
    lattice = slide.lattice(8.0)
    pixels = sample_tissue_pixels(slide, np.ones(lattice.shape, bool), lattice, count=10_000)
    assert len(pixels) > 5000
    assert (pixels == PURPLE).all(axis=1).mean() > 0.9
