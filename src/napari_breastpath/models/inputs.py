"""What of a tile the network sees: RGB as it is, or another colour space, three channels of uint8.

Training and inference call the same function, before any engine, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Tile: TypeAlias = NDArray[np.uint8]
RGB_INPUT: Final = "rgb"
CLAHE_CLIP, CLAHE_GRID = 2.0, (8, 8)
# Concentrations of this optical density (natural) become 255.
FULL_DENSITY: Final = 2.5


def tile_input(tile: Tile, space: str) -> Tile:
    """Return a tile in the colour space of a model's input.

    Parameters
    ----------
    tile : ndarray, uint8 (h, w, 3)
        RGB.
    space : str
        One of `INPUTS`.

    Returns
    -------
    ndarray, uint8 (h, w, 3)
    """
    return tile if space == RGB_INPUT else INPUTS[space](np.ascontiguousarray(tile))


def batch_input(batch: torch.Tensor, space: str) -> torch.Tensor:
    """Return a batch of tiles, uint8 (N, h, w, 3), in the colour space of a model's input."""
    import torch

    if space == RGB_INPUT:
        return batch
    tiles = [tile_input(tile, space) for tile in batch.cpu().numpy()]
    return torch.from_numpy(np.stack(tiles)).to(batch.device)


def _converted(code: str) -> Callable[[Tile], Tile]:
    def convert(tile: Tile) -> Tile:
        import cv2

        converted: Tile = cv2.cvtColor(tile, getattr(cv2, code))
        return converted

    return convert


def _stains(tile: Tile) -> Tile:
    """Return haematoxylin, eosin and the rest (Ruifrok and Johnston 2001), 255 at density 2.5."""
    from skimage.color import rgb2hed

    # rgb2hed divides by ln(1e-6): back to natural optical density.
    density = rgb2hed(tile) * -np.log(1e-6)
    scaled: Tile = np.clip(density * (255 / FULL_DENSITY), 0, 255).astype(np.uint8)
    return scaled


def _clahe_hue(tile: Tile) -> Tile:
    """Return L* equalised by CLAHE (Zuiderveld 1994), hue (half degrees) and saturation."""
    import cv2

    lightness = cv2.cvtColor(tile, cv2.COLOR_RGB2LAB)[..., 0]
    hue, saturation, _ = cv2.split(cv2.cvtColor(tile, cv2.COLOR_RGB2HSV))
    equalised = cv2.createCLAHE(CLAHE_CLIP, CLAHE_GRID).apply(lightness)
    return np.stack([equalised, hue, saturation], axis=-1)


INPUTS: Final[dict[str, Callable[[Tile], Tile]]] = {
    RGB_INPUT: lambda tile: tile,
    "hsv": _converted("COLOR_RGB2HSV"),
    "ycrcb": _converted("COLOR_RGB2YCrCb"),
    "lab": _converted("COLOR_RGB2LAB"),
    "hed": _stains,
    "clahe_hue": _clahe_hue,
}
"""Colour spaces by name; H of HSV in half degrees, the rest in 0–255, as OpenCV gives them."""
