"""The stain that a model is to see, and training tiles brought to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.models import ModelBundle, StainTarget, load_model
from napari_breastpath.preprocess import domain_statistics
from napari_breastpath.preprocess.concentrations import concentrations
from napari_breastpath.preprocess.stain import Stains, UnusableStainError
from napari_breastpath.slides import open_slide
from napari_breastpath.training.config import Config
from napari_breastpath.training.sampling import Tiles
from napari_breastpath.training.sources import ASSUMED_MPP, Sample

Rgb: TypeAlias = NDArray[np.uint8]
TILES_PER_PATIENT, TILES_PER_SOURCE = 10, 30
PIXELS_PER_TILE, PIXELS_PER_SOURCE = 1500, 40_000


@dataclass(frozen=True, slots=True)
class Restain:
    """Exchanges a patient's stains for the target's, as `StainNormalizer` does, without its table.

    Attributes
    ----------
    source, target : Stains
    """

    source: Stains
    target: Stains

    def __call__(self, rgb: Rgb) -> Rgb:
        """Return (…, 3) uint8 in the target's stain."""
        ratio = self.target.max_concentration / self.source.max_concentration
        amounts = concentrations(rgb, self.source.matrix) * ratio
        changed: Rgb = (255 * np.exp(-amounts @ self.target.matrix)).clip(0, 255).astype(np.uint8)
        return changed


def stain_target(pixels: Rgb, config: Config) -> Stains | None:
    """Return the stain target: of the config, of the bundle it starts from, of pixels (n, 3).

    Raises
    ------
    UsageError
        Neither shows two stains.
    """
    if config.stain.method == "none":
        return None
    if config.network.start_from and not config.stain.target:
        kept = target_of(load_model(config.network.start_from))
        if kept is not None:
            return kept
    if config.stain.target:
        path = Path(config.stain.target)
        with open_slide(path, ASSUMED_MPP) as slide:
            pixels = slide.thumbnail(2048)
    try:
        return Stains.estimate(pixels, config.stain.method)
    except UnusableStainError as error:
        subject = config.stain.target or "the training images' stain"
        advice = "give `target` an H&E image, or method = 'none'"
        raise UsageError(subject, str(error), advice) from error


def target_of(bundle: ModelBundle) -> Stains | None:
    """Return a bundle's stain target."""
    kept = bundle.stain
    return None if kept is None else Stains.of(kept["stain_matrix"], kept["max_concentration"])


def as_target(stains: Stains | None, method: str) -> StainTarget | None:
    """Return a stain as `model.json` keeps it."""
    if stains is None:
        return None
    kept = stains.to_dict()
    return StainTarget(
        method=method,
        stain_matrix=kept["stain_matrix"],
        max_concentration=kept["max_concentration"],
    )


def restains(
    samples: Sequence[Sample], tiles: Tiles, target: Stains | None, config: Config
) -> dict[str, Restain]:
    """Return how each patient's tiles come to the target's stain; the pale are left as they are."""
    if target is None or config.stain.share == 0:
        return {}
    found = {}
    of_tile = np.array([samples[k].patient for k in tiles.sample])
    for patient in np.unique(of_tile):
        pixels = _pixels(
            samples, tiles, np.flatnonzero(of_tile == patient), TILES_PER_PATIENT, config
        )
        try:
            own = Stains.estimate(pixels, config.stain.method)
        except UnusableStainError:
            continue
        found[str(patient)] = Restain(own, target)
    return found


def training_pixels(samples: Sequence[Sample], tiles: Tiles, config: Config) -> Rgb:
    """Return pixels (n, 3) of the training tiles, as many of each source."""
    of_tile = np.array([samples[k].source.title for k in tiles.sample])
    rng = np.random.default_rng(config.seed)
    parts = []
    for source in np.unique(of_tile):
        among = np.flatnonzero(of_tile == source)
        pixels = _pixels(samples, tiles, among, TILES_PER_SOURCE, config)
        parts.append(pixels[rng.choice(len(pixels), min(len(pixels), PIXELS_PER_SOURCE), False)])
    return np.concatenate(parts)


def training_domain(pixels: Rgb) -> dict[str, Any]:
    """Return the colour statistics that a bundle keeps of its training."""
    return domain_statistics(pixels)


def _pixels(
    samples: Sequence[Sample], tiles: Tiles, among: NDArray[Any], count: int, config: Config
) -> Rgb:
    """Return pixels (n, 3) of at most `count` of some tiles, evenly chosen, the same every time."""
    chosen = among[np.linspace(0, len(among) - 1, min(count, len(among))).round().astype(int)]
    return np.concatenate([_tile_pixels(samples, tiles, int(k), config) for k in chosen])


def _tile_pixels(samples: Sequence[Sample], tiles: Tiles, tile: int, config: Config) -> Rgb:
    """Return some pixels of a tile that lie on its image, (n, 3)."""
    slide = samples[int(tiles.sample[tile])].slide
    edges = config.crop * config.mpp / np.array([slide.mpp.x, slide.mpp.y])
    size = np.array([slide.width, slide.height])
    low = np.clip(tiles.centre[tile] - edges / 2, 0, size - 1)
    high = np.clip(tiles.centre[tile] + edges / 2, low + 1, size)
    width, height = high - low
    rgb: Rgb = slide.read(low[0], low[1], width, height, mpp=config.mpp).reshape(-1, 3)
    return rgb[:: max(1, len(rgb) // PIXELS_PER_TILE)]
