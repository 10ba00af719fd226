"""Which tiles there are, of which kind, and which of them an epoch draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.preprocess import tissue_mask
from napari_breastpath.results.maps import ERASED
from napari_breastpath.training.config import Config
from napari_breastpath.training.sources import Sample

Ints: TypeAlias = NDArray[np.int64]
TISSUE_MPP = 8.0
# Pixels of the model between those that say of which kind a tile is.
PROBE_PX = 4
SOFT_POSITIVE = 0.5


@dataclass(frozen=True, slots=True)
class Tiles:
    """Tiles that may be drawn.

    Attributes
    ----------
    sample : ndarray of int (n,)
        Which sample each lies in.
    centre : ndarray, float64 (n, 2)
        x, y in level-0 pixels.
    reach : ndarray, float64 (n, 2)
        How far a tile may move from there in x and y, level-0 pixels: together they reach
        everywhere on their image, each place equally often.
    kind : ndarray of int (n,)
        0 normal, k with something of class k in it.
    """

    sample: Ints
    centre: NDArray[np.float64]
    reach: NDArray[np.float64]
    kind: Ints

    def __len__(self) -> int:
        return len(self.sample)


def find_tiles(samples: Sequence[Sample], config: Config) -> Tiles:
    """Return the tiles of some samples, background left out.

    Raises
    ------
    UsageError
        There is none.
    """
    found = [_of_sample(sample, config) for sample in samples]
    which = [np.full(len(kinds), k) for k, (*_, kinds) in enumerate(found)]
    if not sum(map(len, which)):
        advice = "set fit.min_tissue lower, or tissue = 'none'"
        raise UsageError("sources", "no tile holds tissue", advice)
    return Tiles(
        np.concatenate(which).astype(np.int64),
        *(np.concatenate(part) for part in zip(*found, strict=True)),
    )


def _of_sample(
    sample: Sample, config: Config
) -> tuple[NDArray[np.float64], NDArray[np.float64], Ints]:
    step = config.mpp / np.array([sample.slide.mpp.x, sample.slide.mpp.y])
    centres, reach = _places(sample, config.crop * step)
    tissue = _tissue_share(sample, centres, config.crop * step)
    found = [_kind(sample, centre, config.crop, step, len(config.classes)) for centre in centres]
    kinds = np.array([kind for kind, _ in found], np.int64)
    known = np.array([is_known for _, is_known in found], bool)
    keep = known & ((tissue >= config.fit.min_tissue) | (kinds > 0))
    return centres[keep], np.repeat(reach[None], keep.sum(), axis=0), kinds[keep]


def _places(
    sample: Sample, edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centres of tiles spread evenly, (n, 2) x, y, and how far each may move, (2,)."""
    axes, reach = [], []
    for size, edge in zip((sample.slide.width, sample.slide.height), edges, strict=True):
        count = max(1, int(np.ceil(size / edge)))
        room = max(size - edge, 0.0)
        reach.append(room / count / 2)
        axes.append(size / 2 - room / 2 + (2 * np.arange(count) + 1) * reach[-1])
    x, y = np.meshgrid(*axes)
    return np.stack([x.ravel(), y.ravel()], axis=1), np.array(reach)


def _tissue_share(
    sample: Sample, centres: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return which part of each tile is tissue."""
    if sample.tissue == "none":
        return np.ones(len(centres))
    mask = tissue_mask(sample.slide, TISSUE_MPP, sample.tissue)
    lattice = sample.slide.lattice(TISSUE_MPP)
    step = np.array([lattice.step_x, lattice.step_y])
    shares = []
    for centre in centres:
        (left, top), (right, bottom) = ((centre + sign * edges / 2) / step for sign in (-1, 1))
        part = mask[max(0, int(top)) : int(bottom) + 1, max(0, int(left)) : int(right) + 1]
        shares.append(part.mean() if part.size else 0.0)
    return np.array(shares)


def _kind(
    sample: Sample, centre: NDArray[np.float64], crop: int, step: NDArray[np.float64], classes: int
) -> tuple[int, bool]:
    """Return the kind of a tile, and whether anything of it is known."""
    offsets = (np.arange(0, crop, PROBE_PX) + PROBE_PX / 2 - crop / 2)[:, None] * step
    x, y = (centre + offsets).T
    values, weight = sample.truth.at(y, x)
    known = values[weight > 0]
    if sample.truth.is_soft or sample.source.kind == "instances":
        positive = known > (SOFT_POSITIVE if sample.truth.is_soft else 0)
        return int(positive.any()), bool(known.size)
    counts = np.bincount(np.where(known == ERASED, 0, known).astype(np.int64), minlength=1)
    positives = counts[1 : classes + 1]
    return (int(positives.argmax()) + 1 if positives.any() else 0), bool(known.size)


def draw(
    tiles: Tiles, shares: NDArray[np.float64], count: int, balance: bool, rng: np.random.Generator
) -> Ints:
    """Return which tiles an epoch uses, (count,), in random order.

    Balanced, every kind that occurs is drawn equally often: normal to tumour 1 : 1, as the winner
    of HeLP 2019 drew them.

    Parameters
    ----------
    tiles : Tiles
    shares : ndarray (n,)
        How often each tile is drawn, relative to the others of its kind.
    count : int
    balance : bool
    rng : numpy Generator
    """
    kinds = np.unique(tiles.kind) if balance else [None]
    quotas = np.full(len(kinds), count // len(kinds))
    quotas[: count % len(kinds)] += 1
    picked = []
    for kind, quota in zip(kinds, quotas, strict=True):
        among = np.flatnonzero(tiles.kind == kind) if kind is not None else np.arange(len(tiles))
        chance = shares[among] / shares[among].sum()
        picked.append(rng.choice(among, quota, replace=quota > len(among), p=chance))
    return rng.permutation(np.concatenate(picked))


def tile_shares(tiles: Tiles, samples: Sequence[Sample]) -> NDArray[np.float64]:
    """Return how often each tile is drawn, so that sources count by their share, not their size.

    Among a source's tiles of one kind all are equally likely; with `even_patients` all patients.
    """
    sources = {id(sample.source): sample.source for sample in samples}
    of_tile = np.array([id(samples[k].source) for k in tiles.sample])
    patients = np.array([samples[k].patient for k in tiles.sample])
    weights = np.zeros(len(tiles))
    for kind in np.unique(tiles.kind):
        for key, source in sources.items():
            among = (tiles.kind == kind) & (of_tile == key)
            whose = patients[among] if source.even_patients else np.arange(among.sum())
            each = _one_over_count(whose)
            weights[among] = source.share * each / max(each.sum(), 1e-12)
    return weights


def _one_over_count(names: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return for each name 1 / how often it occurs."""
    _, which, counts = np.unique(names, return_inverse=True, return_counts=True)
    shares: NDArray[np.float64] = 1 / counts[which]
    return shares
