"""How soon all of a slide can be judged, block by block, and what waits in memory meanwhile.

Tiles are sorted and blended as in a run, with empty answers instead of a network's: the share of
the tiles after which every 4 × 4 blocks with tissue show one, and the most bytes of open blocks,
in coarse order and in rows.

    python benchmarks/order.py [--width 50000 --height 40000] [--mpp 1.0]
"""

from __future__ import annotations

import argparse
from collections.abc import Collection

import numpy as np
from by_turns import options
from gigapixel import TILE, tissue_tiles
from numpy.typing import NDArray

from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.inference import Blocks, Grid, first_blocks, tiles_touching
from napari_breastpath.inference.plan import GROUP
from napari_breastpath.inference.stitch import Blender
from napari_breastpath.results.maps import chunk_size

SLIDE_MPP, MAP_MPP, TISSUE_MPP = 0.25, 2.0, 8.0
Index = tuple[int, int]


def main() -> None:
    """Print both orders."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=int, default=50_000, help="px of level 0, 0.25 µm/px")
    parser.add_argument("--height", type=int, default=40_000)
    parser.add_argument("--mpp", type=float, default=1.0, help="µm/px of the network's input")
    arguments = options(parser, width=20_000, height=16_000)
    size = arguments.width, arguments.height
    lattice = Lattice.over(*size, PixelSize(SLIDE_MPP, SLIDE_MPP), arguments.mpp)
    grid = Grid.over(lattice, 256, 32, max(1, round(MAP_MPP / arguments.mpp)), 0)
    factor = round(TISSUE_MPP / grid.map_lattice.mpp_x)
    tissue = ellipse(*size, grid.map_lattice.coarser(factor).shape)
    blocks = Blocks(grid, chunk_size(grid.map_lattice))
    wanted = {(int(r), int(c)) for r, c in np.argwhere(tiles_touching(grid, tissue, factor))}
    first = first_blocks(blocks, tissue, factor)
    print(f"{len(wanted)} tiles, {len(first)} groups of {GROUP} x {GROUP} blocks with tissue")
    for name, chosen in (("coarse", first), ("rows", frozenset[Index]())):
        tiles, held = blend(blocks, blocks.order(wanted, chosen), first)
        print(
            f"{name}: all groups shown after {tiles / len(wanted):.0%} of the tiles, "
            f"at most {held / 2**20:.1f} MiB of open blocks"
        )


def ellipse(width: int, height: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the tissue of the synthetic slide on a raster of that shape."""
    tiles = tissue_tiles(width, height)
    rows, columns = (
        np.minimum(((np.arange(n) + 0.5) * side / n // TILE).astype(int), count - 1)
        for n, side, count in zip(shape, (height, width), tiles.shape, strict=True)
    )
    return tiles[np.ix_(rows, columns)]


def blend(blocks: Blocks, tiles: list[Index], first: Collection[Index]) -> tuple[int, int]:
    """Return after how many tiles every group shows a block, and the most bytes held."""
    touched = {b for tile in tiles for b in blocks.of_tile(tile)}
    blender = Blender(blocks, tiles, touched, 1)
    answer = np.zeros((1, blocks.grid.map_tile, blocks.grid.map_tile), np.float32)
    unseen, held, needed = {group(block) for block in first}, 0, 0
    for count, tile in enumerate(tiles, 1):
        before = len(unseen)
        unseen -= {group(block) for block, _ in blender.add(tile, answer)}
        needed = count if len(unseen) < before else needed
        held = max(held, blender.nbytes)
    return needed, held


def group(block: Index) -> Index:
    """Return the square of blocks that a block lies in."""
    return block[0] // GROUP, block[1] // GROUP


if __name__ == "__main__":
    main()
