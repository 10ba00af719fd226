"""Tiles as the network gets them: read, stained, turned, recoloured, with their truth."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.models.inputs import tile_input
from napari_breastpath.results.maps import ERASED
from napari_breastpath.training import augment
from napari_breastpath.training.config import Config
from napari_breastpath.training.instances import distance_map, nucleus_classes
from napari_breastpath.training.sampling import Ints, Tiles
from napari_breastpath.training.sources import Sample
from napari_breastpath.training.stains import Restain

if TYPE_CHECKING:
    import torch

Rgb: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]
# Decoded flat images kept at a time, in pixels (three bytes each).
KEPT_PX = 400_000_000
FED_NOISE = 2.0
# Grey levels of glass, and how little it teaches: there is much of it.
GLASS, GLASS_TINT, GLASS_WEIGHT = (225, 256), 5, 0.1


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile, ready.

    Attributes
    ----------
    image : ndarray, uint8 (h, w, 3)
        In the model's input space.
    truth : ndarray
        One class: float32 (1, h, w) in 0–1; several: int64 (h, w). Classification: (1,) and ().
    weight : ndarray, float32 (h, w)
        0 where nothing is known. Classification: ().
    """

    image: Rgb
    truth: NDArray[Any]
    weight: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One tile of an epoch: which, the seed of its changes, and whether the feed gave it."""

    tile: int
    seed: tuple[int, ...]
    is_fed: bool = False


class Cut(NamedTuple):
    """Pixels (h, w, 3), what is known of each (h, w), and how much it counts (h, w).

    `beyond` (h, w) is what lies beyond the image.
    """

    image: Rgb
    values: NDArray[Any]
    weight: Floats
    beyond: NDArray[np.bool_]

    def with_glass(self, rng: np.random.Generator) -> Cut:
        """Return it with glass beyond the image, where nothing is: slides end too."""
        if not self.beyond.any():
            return self
        glass = rng.integers(*GLASS) + rng.integers(-GLASS_TINT, GLASS_TINT + 1, 3)
        beyond = self.beyond[..., None]
        image = np.where(beyond, glass.clip(0, 255).astype(np.uint8), self.image)
        weight = np.where(self.beyond, np.float32(GLASS_WEIGHT), self.weight)
        return self._replace(image=image, weight=weight)

    def turned(self, angle: float, size: int, is_soft: bool) -> Cut:
        """Return the middle `size` × `size`, turned by degrees."""
        return Cut(
            augment.turned(self.image, angle, size, True),
            augment.turned(self.values, angle, size, is_soft),
            augment.turned(self.weight, angle, size, False),
            augment.turned(self.beyond, angle, size, False),
        )

    def flipped(self, axes: tuple[int, ...]) -> Cut:
        """Return it mirrored along some axes."""
        return Cut(*(np.flip(each, axes) for each in self))


@dataclass
class Cutter:
    """Cuts tiles out of samples.

    Attributes
    ----------
    samples : sequence of Sample
    tiles : Tiles
    config : Config
    restain : mapping of str to Restain
        Towards the target's stain, by patient.
    """

    samples: Sequence[Sample]
    tiles: Tiles
    config: Config
    restain: Mapping[str, Restain] = field(default_factory=dict)
    _open: OrderedDict[int, int] = field(default_factory=OrderedDict, repr=False)

    def plain(self, tile: int) -> Tile:
        """Return a tile as it is, for validation."""
        return self._finished(self._read(tile, np.zeros(2), self.config.crop, 1.0))

    def changed(self, drawn: Drawn) -> Tile:
        """Return a tile moved, turned and recoloured at random, the same for the same seed.

        One that the feed gave is always turned, and noised once more.
        """
        rng, change, crop = np.random.default_rng(drawn.seed), self.config.augment, self.config.crop
        angle = augment.random_angle(change, rng)
        if drawn.is_fed and angle == 0:
            angle = 90.0 * int(rng.integers(1, 4))
        side = crop if angle % 90 == 0 else int(np.ceil(crop * np.sqrt(2))) + 2
        smallest, largest = change.scale
        shift = rng.uniform(-1, 1, 2) * self.tiles.reach[drawn.tile]
        cut = self._read(drawn.tile, shift, side, rng.uniform(smallest, largest))
        cut = cut._replace(image=self._stained(cut.image, drawn.tile, rng))
        if self.config.task != "classification":
            cut = cut.with_glass(rng)
        cut = cut.turned(angle, crop, self._sample(drawn.tile).truth.is_soft)
        if change.flips:
            cut = cut.flipped(tuple(k for k in (0, 1) if rng.random() < 0.5))
        image = augment.recolour(cut.image, change, rng)
        if drawn.is_fed:
            image = augment.add_noise(image, max(change.noise, FED_NOISE), rng)
        return self._finished(cut._replace(image=image))

    def _sample(self, tile: int) -> Sample:
        return self.samples[int(self.tiles.sample[tile])]

    def _read(self, tile: int, shift: NDArray[np.float64], side: int, scale: float) -> Cut:
        """Return `side` × `side` px around a tile's middle, moved by `shift` level-0 px."""
        sample = self._sample(tile)
        slide, mpp = sample.slide, self.config.mpp * scale
        step = mpp / np.array([slide.mpp.x, slide.mpp.y])
        centre = _kept_inside(
            self.tiles.centre[tile] + shift,
            self.config.crop * step,
            np.array([slide.width, slide.height]),
        )
        x, y = centre - side / 2 * step
        image = slide.read(x, y, side * step[0], side * step[1], mpp=mpp)
        xs, ys = ((np.arange(side) + 0.5)[:, None] * step + (x, y)).T
        values, weight = sample.truth.at(ys, xs)
        self._remember(int(self.tiles.sample[tile]))
        beyond = ~np.outer((ys >= 0) & (ys < slide.height), (xs >= 0) & (xs < slide.width))
        return Cut(image, values, weight, beyond)

    def _stained(self, image: Rgb, tile: int, rng: np.random.Generator) -> Rgb:
        restain = self.restain.get(self._sample(tile).patient)
        wanted = rng.random() < self.config.stain.share
        return restain(image) if restain is not None and wanted else image

    def _finished(self, cut: Cut) -> Tile:
        truth, weight = encode(cut.values, cut.weight, self.config)
        pixels = tile_input(np.ascontiguousarray(cut.image), self.config.input.space)
        return Tile(np.ascontiguousarray(pixels), truth, weight)

    def _remember(self, sample: int) -> None:
        """Let go of the flat images that were not used for longest."""
        slide = self.samples[sample].slide
        if slide.reader != "pillow":
            return
        self._open[sample] = slide.width * slide.height
        self._open.move_to_end(sample)
        while sum(self._open.values()) > KEPT_PX and len(self._open) > 1:
            oldest, _ = self._open.popitem(last=False)
            self.samples[oldest].slide.close()


def _kept_inside(
    centre: NDArray[np.float64], edges: NDArray[np.float64], size: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Move a tile onto its image; one that is larger lies around its middle."""
    low, high = edges / 2, size - edges / 2
    inside = np.clip(centre, np.minimum(low, high), np.maximum(low, high))
    return np.where(low > high, size / 2, inside)


def encode(
    values: NDArray[Any], weight: Floats, config: Config
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return what the loss is given for the values and weights of a tile (h, w).

    Returns
    -------
    truth, weight : ndarray
        As of `Tile`.
    """
    weight = np.ascontiguousarray(weight)
    if config.task == "classification":
        return _tile_class(values, weight, len(config.classes))
    if config.task == "nuclei":
        if len(config.classes) == 1:
            return distance_map(values)[None], weight
        radius = max(1, round(config.boundary_um / config.mpp))
        return nucleus_classes(values, radius), weight
    if config.task == "points":
        return values[None].astype(np.float32), weight
    return _pixel_classes(values, weight, config)


def _pixel_classes(
    values: NDArray[Any], weight: Floats, config: Config
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return class k of value k; nothing and erased are the background, or unknown without one."""
    values = np.where(values == ERASED, 0, values)
    if len(config.classes) == 1:
        return (values == 1)[None].astype(np.float32), weight
    roles = [one.role for one in config.classes]
    nothing = roles.index("background") if "background" in roles else -1
    truth = np.where(values == 0, nothing, values.astype(np.int64) - 1)
    return truth, np.where(truth < 0, np.float32(0), weight)


def _tile_class(
    values: NDArray[Any], weight: Floats, classes: int
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    known = values[weight > 0]
    value = int(known[0]) if known.size else 0
    counts = np.array(known.size > 0, np.float32)
    if classes == 1:
        return np.array([value == 1], np.float32), counts
    return np.array(max(value - 1, 0), np.int64), counts


class Plain:
    """Tiles as they are: a PyTorch data set of (tile, image, truth, weight)."""

    def __init__(self, cutter: Cutter, chosen: Ints) -> None:
        self.cutter, self.chosen = cutter, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]:
        tile = int(self.chosen[index])
        return tile, *_tensors(self.cutter.plain(tile))


class Changed:
    """An epoch's tiles, changed at random: a PyTorch data set of (tile, image, truth, weight)."""

    def __init__(self, cutter: Cutter, drawn: Sequence[Drawn]) -> None:
        self.cutter, self.drawn = cutter, drawn

    def __len__(self) -> int:
        return len(self.drawn)

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]:
        drawn = self.drawn[index]
        return drawn.tile, *_tensors(self.cutter.changed(drawn))


def _tensors(tile: Tile) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    import torch

    return torch.from_numpy(tile.image), torch.tensor(tile.truth), torch.tensor(tile.weight)
