"""What the navigator's map is made of: small pictures of a slide and of its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import Lattice
from napari_breastpath.results.masks import scored_channels
from napari_breastpath.viewer.layers import HEAT, ChannelView
from napari_breastpath.viewer.palette import class_colours
from napari_breastpath.viewer.visited import CELL_UM, taken

if TYPE_CHECKING:
    from napari_breastpath.results import Result
    from napari_breastpath.results.maps import Pyramid
    from napari_breastpath.slides import Slide

Rgb = NDArray[np.uint8]
MAP_PX = 480
MASK_ALPHA = 170
VISITED_RGBA = (0, 90, 200, 70)
"""Blue: told from pink and from the heat's green to orange by every kind of colour vision."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What of a slide and its result lies under the navigator's frame.

    Attributes
    ----------
    picture : ndarray, uint8 (y, x, 3)
        The slide, at most `MAP_PX` pixels long.
    tissue : ndarray, bool (rows, columns)
        On the cells of `visited`: the tissue that was analysed, else what looks like tissue.
    overlays : dict of str to ndarray, uint8 (y, x, 4)
        `probability` and `mask` where there are any, over the whole slide, without premultiplied
        alpha.
    """

    picture: Rgb
    tissue: NDArray[np.bool_]
    overlays: dict[str, Rgb]


def cells(slide: Slide) -> Lattice:
    """Return the cells in which visits are kept."""
    return slide.lattice(CELL_UM)


def read_ground(slide: Slide, result: Result | None) -> Ground:
    """Read the map of a slide; takes seconds where a slide has no coarse level."""
    picture = as_rgb(slide.thumbnail(MAP_PX))
    if result is not None and result.is_measured:
        return Ground(picture, result_tissue(result, cells(slide)), read_overlays(result))
    overlays = read_overlays(result) if result is not None else {}
    return Ground(picture, guessed_tissue(picture, slide), overlays)


def as_rgb(picture: NDArray[Any]) -> Rgb:
    """Return a picture as RGB: a grey one stretched between its 1st and 99th percentile."""
    if picture.ndim == 3:
        return np.ascontiguousarray(picture, np.uint8)
    low, high = np.percentile(picture, (1, 99))
    grey = np.clip((picture - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def guessed_tissue(picture: Rgb, slide: Slide) -> NDArray[np.bool_]:
    """Return where a small picture of a slide shows tissue, on the cells."""
    from napari_breastpath.preprocess.tissue import tissue_from_thumbnail

    mpp = (slide.width * slide.mpp.x + slide.height * slide.mpp.y) / sum(picture.shape[:2])
    return taken(tissue_from_thumbnail(picture, mpp=mpp), cells(slide).shape)


def result_tissue(result: Result, over: Lattice) -> NDArray[np.bool_]:
    """Return the tissue of a result on the cells."""
    levels = result.map.label("tissue").levels
    return taken(fitting(levels, max(over.shape)) > 0, over.shape)


def fitting(levels: tuple[Any, ...], length_px: int) -> NDArray[np.uint8]:
    """Return the coarsest level that is at least that long, else the finest."""
    long_enough = [level for level in levels if max(level.shape[-2:]) >= length_px]
    return np.asarray((long_enough or levels[:1])[-1][:])


def read_overlays(result: Result) -> dict[str, Rgb]:
    """Return the probabilities and, once measured, the mask of a result, as RGBA."""
    channels = scored_channels(result.classes)
    levels = tuple(ChannelView(x, channels) for x in result.map.probability.levels)
    found = {"probability": heat_rgba(fitting(levels, MAP_PX))}
    if result.is_measured:
        found["mask"] = mask_rgba(result.map.label("mask"), result.classes)
    return found


def heat_rgba(heat: NDArray[np.uint8]) -> Rgb:
    """Return probabilities in the colours of their layer."""
    position = np.arange(256) / 255
    table = [np.interp(position, HEAT[:, 0], HEAT[:, k]) for k in range(1, 5)]
    return np.ascontiguousarray((np.stack(table, axis=-1) * 255).astype(np.uint8)[heat])


def mask_rgba(mask: Pyramid, classes: list[dict[str, Any]]) -> Rgb:
    """Return a mask in the colours of its classes."""
    table = np.zeros((256, 4), np.uint8)
    for value, rgb in class_colours(classes).items():
        table[value] = (*rgb, MASK_ALPHA)
    return np.ascontiguousarray(table[fitting(mask.levels, MAP_PX)])


def visited_rgba(seen: NDArray[np.bool_]) -> Rgb:
    """Return the shade of what was seen."""
    table = np.array([(0, 0, 0, 0), VISITED_RGBA], np.uint8)
    return np.ascontiguousarray(table[seen.astype(np.uint8)])
