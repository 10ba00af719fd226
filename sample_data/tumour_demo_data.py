"""What `tumour-demo` is trained and measured on: real patches and synthetic slides, kept apart.

Everything is brought to the model's 1 µm/px. Patients, cases and seeds are either in training or
held out, never both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.models import StainTarget
from napari_breastpath.preprocess import StainNormalizer
from synthetic_slide import STAINS, SyntheticSlide, outline_mask

RGB = NDArray[np.uint8]
Mask = NDArray[np.bool_]

MPP = 1.0
BCSS_MPP, TCGA_MPP, SYNTHETIC_MPP = 0.25, 0.5, 0.5
TRAIN_BCSS, HELD_OUT_BCSS = "1008", "1015"
TRAIN_TCGA, HELD_OUT_TCGA = "TCGA-S3-AA15", "TCGA-S3-AA10"
TRAIN_SEEDS = tuple(range(101, 113))
# Seed 1 is the packaged slide.
HELD_OUT_SEEDS = (1, 2, 3)
SYNTHETIC_SIZE = (3584, 2560)


@dataclass(frozen=True)
class Field:
    """One picture at 1 µm/px with its truth.

    Attributes
    ----------
    source : str
        `synthetic`, `bcss` or `tcga`.
    slide : str
        Fields of one slide share their stain.
    image : (h, w, 3) uint8
    mask : (h, w) bool
        Tumour.
    tissue : (h, w) bool
        Where the stain is estimated, as inference does.
    """

    source: str
    slide: str
    image: RGB
    mask: Mask
    tissue: Mask


def synthetic_field(seed: int, stain: str, size: tuple[int, int] = SYNTHETIC_SIZE) -> Field:
    """Return a whole synthetic slide, drawn at 0.5 µm/px and averaged to 1."""
    slide = SyntheticSlide(seed, *size, SYNTHETIC_MPP, stain)
    picture = slide.render(0, 0, *size)
    image = np.asarray(Image.fromarray(picture).reduce(int(MPP / SYNTHETIC_MPP)))
    lattice = Lattice.over(*size, PixelSize(SYNTHETIC_MPP, SYNTHETIC_MPP), MPP)
    nests, tissue = (outline_mask(p, lattice) for p in (slide.layout.nests, slide.layout.tissue))
    return Field("synthetic", f"{seed}{stain}", image, nests, tissue)


def _resampled(image: Path, mask: Path, mpp: float) -> tuple[RGB, Mask, Mask]:
    picture, truth = Image.open(image).convert("RGB"), Image.open(mask).convert("L")
    size = (round(picture.width * mpp / MPP), round(picture.height * mpp / MPP))
    share = np.asarray(truth.resize(size, Image.Resampling.BOX))
    pixels = np.asarray(picture.resize(size, Image.Resampling.BOX))
    return pixels, share >= 128, np.ones_like(share, bool)


def bcss_field(data: Path, case: str) -> Field:
    """Return one region of the BCSS data set."""
    stem = data / "tumour_regions/bcss"
    paths = (stem / f"{case}_image.jpg", stem / f"{case}_mask.png")
    return Field("bcss", case, *_resampled(*paths, BCSS_MPP))


def tcga_fields(data: Path, patient: str) -> list[Field]:
    """Return the patches of one patient, each about 70 × 70 px."""
    images = sorted((data / "tumour_regions/tcga").glob(f"{patient}_*_image.png"))
    pairs = [(p, p.with_name(p.name.replace("_image", "_mask"))) for p in images]
    return [Field("tcga", patient, *_resampled(*pair, TCGA_MPP)) for pair in pairs]


def training_fields(data: Path) -> list[Field]:
    """Return what the model may learn from; synthetic stains take turns."""
    stains = sorted(STAINS)
    synthetic = [synthetic_field(s, stains[n % len(stains)]) for n, s in enumerate(TRAIN_SEEDS)]
    return [*synthetic, bcss_field(data, TRAIN_BCSS), *tcga_fields(data, TRAIN_TCGA)]


def held_out_fields(data: Path) -> Iterator[tuple[str, list[Field]]]:
    """Yield (name, fields) of what the model has never seen."""
    for stain in sorted(STAINS):
        fields = [synthetic_field(seed, stain, (5120, 3840)) for seed in HELD_OUT_SEEDS]
        yield f"synthetic seeds {HELD_OUT_SEEDS}, stain {stain}", fields
    yield f"TCGA patient {HELD_OUT_TCGA}", tcga_fields(data, HELD_OUT_TCGA)
    yield f"BCSS case {HELD_OUT_BCSS}", [bcss_field(data, HELD_OUT_BCSS)]


def pixels_of(fields: list[Field]) -> RGB:
    """Return all tissue pixels of some fields, (n, 3)."""
    return np.concatenate([field.image[field.tissue] for field in fields])


def normalized(fields: list[Field], target: StainTarget) -> list[Field]:
    """Return the fields in the target's stain, one source matrix per slide, as inference does."""
    changed: dict[str, StainNormalizer] = {}
    for slide in {field.slide for field in fields}:
        own = [field for field in fields if field.slide == slide]
        normalizer = StainNormalizer.from_target(**target)
        changed[slide] = normalizer.fit_source(pixels_of(own))
    return [replace(f, image=changed[f.slide].transform(f.image)) for f in fields]
