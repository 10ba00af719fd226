"""Stain normalisation against StainTools, side by side in one run.

    python benchmarks/stain.py [--rounds 5] [--tiles 64] [--threads 2]

Prints, per 256 × 256 tile, the medians of both and their ratios: the whole of it (StainTools learns
a dictionary for each tile, we learn one per slide and spread it over a thousand tiles), and
concentrations and recomposition alone with the same matrices.
"""

from __future__ import annotations

import argparse
import statistics
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import torch
from by_turns import options, seconds
from scipy.ndimage import gaussian_filter

from napari_breastpath.preprocess import StainNormalizer
from napari_breastpath.preprocess.staintools_compat import staintools

SIDE = 256
TILES_PER_SLIDE = 1000
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])


def tissue_tiles(count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return (count, 256, 256, 3) uint8 of stroma with nuclei, in two stains with noise."""
    rng = np.random.default_rng(seed)
    shape = (count, SIDE, SIDE)
    eosin = 0.5 + 2.5 * gaussian_filter(rng.normal(size=shape), (0, 6, 6)) * 6
    nuclei = gaussian_filter(rng.normal(size=shape), (0, 3, 3)) * 8 > 1
    amounts = np.stack([1.3 * nuclei + 0.1, np.clip(eosin, 0, 2)], axis=-1)
    density = np.clip(amounts @ STAINS + rng.normal(0, 0.03, (*shape, 3)), 0, None)
    return (250 * np.exp(-density)).astype(np.uint8)


def sample(tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return 100 000 pixels, as many as a slide's stain is estimated from."""
    return np.random.default_rng(0).choice(
        tiles.reshape(-1, 3), 100_000, replace=False, shuffle=False
    )


def prepared(tiles: npt.NDArray[np.uint8]) -> tuple[StainNormalizer, SimpleNamespace]:
    """Return both normalisers, fitted; theirs bound to our matrices too."""
    ours = StainNormalizer("vahadane").fit(tiles[0]).fit_source(sample(tiles))
    whole, fixed = (staintools().StainNormalizer("vahadane") for _ in range(2))
    for normalizer in (whole, fixed):
        normalizer.stain_matrix_target = ours.stain_matrix_target
        normalizer.maxC_target = ours.max_concentration_target.reshape(1, 2)
    fixed.extractor = SimpleNamespace(get_stain_matrix=lambda _: ours.stain_matrix_source)
    return ours, SimpleNamespace(whole=whole, fixed=fixed)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiles", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    arguments = options(parser, rounds=1, tiles=8)
    torch.set_num_threads(arguments.threads)
    tiles = tissue_tiles(arguments.tiles)
    batch = torch.from_numpy(tiles)
    ours, theirs = prepared(tiles)
    pixels = sample(tiles)
    ours.transform_batch(batch)

    rounds: dict[str, list[float]] = {
        "dictionary": [],
        "colours": [],
        "ours": [],
        "fixed": [],
        "whole": [],
    }
    for number in range(arguments.rounds):
        tile = tiles[number % len(tiles)]
        rounds["whole"].append(seconds(lambda tile=tile: theirs.whole.transform(tile.copy())))
        rounds["fixed"].append(seconds(lambda tile=tile: theirs.fixed.transform(tile.copy())))
        rounds["dictionary"].append(seconds(lambda: ours.fit_source(pixels)))
        first, again = (seconds(lambda: ours.transform_batch(batch)) for _ in range(2))
        rounds["colours"].append(first - again)
        rounds["ours"].append(again / len(tiles))
    report({name: statistics.median(times) for name, times in rounds.items()}, arguments.threads)


def report(median: dict[str, float], threads: int) -> None:
    """Print milliseconds and ratios."""
    once = median["dictionary"] + median["colours"]
    spread = median["ours"] + once / TILES_PER_SLIDE
    print(f"{SIDE} x {SIDE} tiles, {threads} threads, medians")
    print(f"once per slide: dictionary {1e3 * median['dictionary']:.0f} ms,", end=" ")
    print(f"each colour when first met {1e3 * median['colours']:.0f} ms")
    row = "{:<52}{:>12.3f}{:>12.3f}{:>9.0f}x"
    print(f"{'ms per tile':<52}{'staintools':>12}{'ours':>12}{'ratio':>10}")
    whole, fixed, ours = median["whole"], median["fixed"], median["ours"]
    name = f"dictionary included (ours over {TILES_PER_SLIDE} tiles)"
    print(row.format(name, 1e3 * whole, 1e3 * spread, whole / spread))
    name = "concentrations and recomposition, same matrices"
    print(row.format(name, 1e3 * fixed, 1e3 * ours, fixed / ours))


if __name__ == "__main__":
    main()
