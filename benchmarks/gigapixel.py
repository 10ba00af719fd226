"""Synthetic whole-slide images for the benchmarks: pyramidal JPEG TIFFs, a third of them tissue.

Written in seconds, as equal tiles are encoded once. Level 0 is stained texture inside an ellipse
and white glass outside, the border following whole tiles; levels are 1, 4, 16, … times reduced.

    python benchmarks/gigapixel.py slide.tif --width 50000 --height 40000
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

TILE, PERIOD, STEP = 256, 2048, 4
COARSEST_PX, QUALITY, TISSUE_SHARE = 1024, 80, 1 / 3
GLASS = 243
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
UInt8Array = NDArray[np.uint8]


def write_slide(path: Path, width: int, height: int, mpp: float = 0.25) -> Path:
    """Write a slide of `width` × `height` px at `mpp` µm/px; return its path."""
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for reduction in reductions(width, height):
            shape = -(-height // reduction), -(-width // reduction), 3
            resolution = 1e4 / (mpp * reduction)
            writer.write(
                encoded_tiles(width, height, reduction),
                shape=shape,
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="ycbcr",
                subsampling=(1, 1),
                compression="jpeg",
                subfiletype=int(reduction > 1),
                resolution=(resolution, resolution),
                resolutionunit="CENTIMETER",
            )
    return path


def reductions(width: int, height: int) -> list[int]:
    """Return 1, 4, 16, … until the longer side is at most `COARSEST_PX`."""
    count = math.ceil(math.log(max(1, max(width, height) / COARSEST_PX), STEP))
    return [STEP**k for k in range(count + 1)]


def encoded_tiles(width: int, height: int, reduction: int) -> Iterator[bytes]:
    """Yield the JPEG tiles of a level, row by row; those that are alike are encoded once."""
    period = max(1, PERIOD // reduction)
    known: dict[tuple[int, int, bytes], bytes] = {}
    tissue = tissue_tiles(width, height)
    for row in range(-(-height // (reduction * TILE))):
        for column in range(-(-width // (reduction * TILE))):
            inside = tissue[
                row * reduction : (row + 1) * reduction,
                column * reduction : (column + 1) * reduction,
            ]
            corner = row * TILE % period, column * TILE % period
            key = (*corner, inside.tobytes() if inside.any() else b"")
            if key not in known:
                known[key] = encoded(tile_pixels(corner, inside, reduction))
            yield known[key]


def tissue_tiles(width: int, height: int) -> NDArray[np.bool_]:
    """Return which tiles of level 0 are tissue: an ellipse of a third of the slide's area."""
    rows, columns = -(-height // TILE), -(-width // TILE)
    y, x = np.ogrid[:rows, :columns]
    radius = math.sqrt(TISSUE_SHARE / math.pi)
    centred_y, centred_x = (y + 0.5) / rows - 0.5, (x + 0.5) / columns - 0.5
    inside: NDArray[np.bool_] = centred_y**2 + centred_x**2 <= radius**2
    return inside


def tile_pixels(corner: tuple[int, int], inside: NDArray[np.bool_], reduction: int) -> UInt8Array:
    """Return one tile of a level; `inside` tells which level-0 tiles below it are tissue."""
    pixels = np.full((TILE, TILE, 3), GLASS, np.uint8)
    if not inside.any():
        return pixels
    stained = texture(reduction)
    rows, columns = ((np.arange(TILE) + start) % len(stained) for start in corner)
    cell = max(1, TILE // reduction)
    mask = np.zeros((TILE, TILE), bool)
    known = inside.repeat(cell, axis=0).repeat(cell, axis=1)[:TILE, :TILE]
    mask[: known.shape[0], : known.shape[1]] = known
    pixels[mask] = stained[np.ix_(rows, columns)][mask]
    return pixels


@cache
def texture(reduction: int) -> UInt8Array:
    """Return a square of H&E-like texture, (period, period, 3), that can be laid side by side."""
    if reduction > 1:
        finer = texture(reduction // STEP).astype(np.float32)
        side = max(1, len(finer) // STEP)
        means = finer[: side * STEP, : side * STEP].reshape(side, STEP, side, STEP, 3)
        return means.mean((1, 3)).round().astype(np.uint8)
    rng = np.random.default_rng(0)
    shape = PERIOD, PERIOD
    stroma = 0.5 + 15 * gaussian_filter(rng.normal(size=shape), 6, mode="wrap")
    nuclei = gaussian_filter(rng.normal(size=shape), 6, mode="wrap") * 16 > 1
    amounts = np.stack([1.3 * nuclei + 0.1, np.clip(stroma, 0, 2)], axis=-1)
    density = np.clip(amounts @ STAINS + rng.normal(0, 0.03, (*shape, 3)), 0, None)
    return np.minimum(GLASS * np.exp(-density), GLASS).astype(np.uint8)


def encoded(pixels: UInt8Array) -> bytes:
    """Return a tile as JPEG, 4:4:4."""
    return bytes(imagecodecs.jpeg_encode(pixels, level=QUALITY, subsampling="444"))


def main() -> None:
    """Write one slide."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("path", type=Path)
    parser.add_argument("--width", type=int, default=50_000)
    parser.add_argument("--height", type=int, default=40_000)
    parser.add_argument("--mpp", type=float, default=0.25, help="µm/px of level 0")
    arguments = parser.parse_args()
    write_slide(arguments.path, arguments.width, arguments.height, arguments.mpp)


if __name__ == "__main__":
    main()
