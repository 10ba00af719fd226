"""Which tiles an epoch sees: those drawn, and the negative feed of the last one's mistakes."""

from __future__ import annotations

import numpy as np

from napari_breastpath.training.config import Config
from napari_breastpath.training.sampling import Ints, draw, tile_shares
from napari_breastpath.training.state import State
from napari_breastpath.training.tiles import Cutter, Drawn

# Numbers that keep one random stream from another.
DRAWING, CHANGING, FEEDING = 1, 2, 3


def epoch_tiles(cutter: Cutter, state: State, fold: int) -> list[Drawn]:
    """Return the tiles of the epoch to come; they follow from its number and the last one."""
    config, seed = cutter.config, (cutter.config.seed, fold, len(state.history))
    rng, fit = np.random.default_rng((*seed, DRAWING)), config.fit
    shares = tile_shares(cutter.tiles, cutter.samples)
    drawn = draw(cutter.tiles, shares, fit.tiles, fit.balance, rng)
    chosen = [(int(tile), False) for tile in drawn]
    chosen += [(tile, True) for tile in fed_tiles(config, state, fold)]
    order = rng.permutation(len(chosen))
    if len(order) % fit.batch == 1 and len(order) > 1:
        order = order[:-1]  # batch norm cannot learn from a single tile
    return [Drawn(chosen[k][0], (*seed, CHANGING, n), chosen[k][1]) for n, k in enumerate(order)]


def fed_tiles(config: Config, state: State, fold: int) -> list[int]:
    """Return the negative feed of the epoch to come: wrong tiles and some right ones.

    Bootstrapping on mistakes (Sung and Poggio 1998), with right tiles so that what is known
    is not forgotten.
    """
    seed = config.seed, fold, len(state.history), FEEDING
    rng, feed = np.random.default_rng(seed), config.feed
    wrong = _some(state.wrong, int(feed.wrong * config.fit.tiles), rng)
    return wrong + _some(state.right, int(feed.right * len(wrong)), rng)


def _some(tiles: list[int], most: int, rng: np.random.Generator) -> list[int]:
    unique = sorted(set(tiles))
    if len(unique) <= most:
        return unique
    picked: Ints = np.sort(rng.choice(unique, most, replace=False))
    return [int(tile) for tile in picked]
