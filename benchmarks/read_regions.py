"""Region reads at a model's µm/px: `Slide.read` against OpenSlide read_region + Pillow resize.

Both read the same regions of the same synthetic slide (JPEG, tiled, pyramidal) with as many
threads, alternately, each time from a freshly opened slide. Printed: seconds, their ratio, and the
floor under ours: decoding each chunk of that level once, and nothing else.

    python benchmarks/read_regions.py --size 16384 --threads 2 --mpp 0.5 3.5
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openslide
import tifffile
from by_turns import by_turns, options
from numpy.typing import NDArray
from PIL import Image

from napari_breastpath.slides import open_slide

REGION_PX = 512
PATTERN_PX = 2048
THUMBNAIL_PX = 1024
Corner = tuple[float, float]


def main() -> None:
    """Write a slide, time both readers, print the table."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slide.tif"
        write_slide(path, arguments.size, arguments.tile, arguments.slide_mpp)
        print(
            f"{arguments.size}² px at {arguments.slide_mpp} µm/px, "
            f"{path.stat().st_size / 1e6:.0f} MB"
        )
        for mpp in arguments.mpp:
            what = f"{REGION_PX} px regions at {mpp} µm/px"
            compare(what, *readers(path, mpp, arguments), decoder(path, mpp, arguments))
        compare("open + first thumbnail", lambda: open_ours(path), lambda: open_theirs(path))


def parse() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=16384, help="side of the slide in px")
    parser.add_argument("--tile", type=int, default=256, help="side of the TIFF tiles in px")
    parser.add_argument("--slide-mpp", type=float, default=0.2527, help="µm/px of level 0")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--overlap", type=float, default=0.0, help="shared part of regions, 0 to 1")
    parser.add_argument("--mpp", type=float, nargs="+", default=[0.5, 3.5])
    return options(parser, size=6144)


def write_slide(path: Path, size: int, tile: int, mpp: float) -> None:
    """Write a pyramidal slide with cell-sized texture, as compressible as stained tissue is."""
    texture = stained(np.random.default_rng(0), PATTERN_PX)
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for reduced in range(6):
            side, resolution = size >> reduced, 1e4 / (mpp * 2**reduced)
            writer.write(
                tiles(texture, side, tile),
                shape=(side, side, 3),
                dtype=np.uint8,
                tile=(tile, tile),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 80},
                subfiletype=int(reduced > 0),
                resolution=(resolution, resolution),
                resolutionunit="CENTIMETER",
            )
            texture = halved(texture)


def tiles(texture: NDArray[np.uint8], side: int, tile: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles of a level that repeats the texture."""
    for row in range(0, side, tile):
        for column in range(0, side, tile):
            rows, columns = (
                np.arange(start, start + tile) % len(texture) for start in (row, column)
            )
            yield texture[np.ix_(rows, columns)]


def stained(random: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """Return a violet texture of blobs about 15 px wide with grain."""
    blobs = Image.fromarray(random.integers(0, 256, (side // 8,) * 2, dtype=np.uint8))
    dark = np.asarray(blobs.resize((side, side), Image.Resampling.BICUBIC), np.float32)[..., None]
    light = np.array([235, 190, 220], np.float32) - dark * np.array([0.5, 0.6, 0.3], np.float32)
    light += random.normal(0, 6, (side, side, 1)).astype(np.float32)
    return np.clip(light, 0, 255).astype(np.uint8)


def halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the 2 × 2 block means."""
    side = len(image) // 2
    return image.reshape(side, 2, side, 2, 3).mean((1, 3)).round().astype(np.uint8)


def readers(
    path: Path, mpp: float, arguments: argparse.Namespace
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return two functions that read all regions, ours and OpenSlide's."""
    step = mpp / arguments.slide_mpp
    corners = list(grid(arguments.size, REGION_PX * step, arguments.overlap))

    def ours() -> None:
        with open_slide(path) as slide, ThreadPoolExecutor(arguments.threads) as pool:
            side = REGION_PX * step
            for region in pool.map(lambda at: slide.read(*at, side, side, mpp=mpp), corners):
                assert region.shape == (REGION_PX, REGION_PX, 3)

    def theirs() -> None:
        slide = openslide.OpenSlide(path)
        with ThreadPoolExecutor(arguments.threads) as pool:
            for region in pool.map(lambda at: read_openslide(slide, at, step), corners):
                assert region.shape == (REGION_PX, REGION_PX, 3)
        slide.close()

    return ours, theirs


def decoder(path: Path, mpp: float, arguments: argparse.Namespace) -> Callable[[], object]:
    """Return a function that decodes all chunks of the level that the regions are read from."""
    step = mpp / arguments.slide_mpp

    def decode() -> None:
        with open_slide(path) as slide, ThreadPoolExecutor(arguments.threads) as pool:
            level = max(k for k, each in enumerate(slide.levels) if each.downsample <= step)
            sides = zip(slide.levels[level].shape, slide.backend.chunks[level], strict=True)
            chunks = np.ndindex(*(-(-pixels // chunk) for pixels, chunk in sides))
            for chunk in pool.map(lambda at: slide.backend.decode(level, *at), chunks):
                assert chunk is not None

    return decode


def grid(size: int, side: float, overlap: float) -> Iterator[Corner]:
    """Yield the top-left corners of regions of `side` px over the slide."""
    stops = np.arange(0, max(1.0, size - side + 1), side * (1 - overlap))
    for y in stops:
        for x in stops:
            yield float(x), float(y)


def read_openslide(slide: openslide.OpenSlide, corner: Corner, step: float) -> NDArray[np.uint8]:
    """Return one region as most pipelines read it: best level, then Pillow."""
    level = slide.get_best_level_for_downsample(step)
    side = round(REGION_PX * step / slide.level_downsamples[level])
    region = slide.read_region((int(corner[0]), int(corner[1])), level, (side, side))
    size = (REGION_PX, REGION_PX)
    return np.asarray(region.convert("RGB").resize(size, Image.Resampling.BOX))


def open_ours(path: Path) -> None:
    """Open the slide and make its thumbnail."""
    with open_slide(path) as slide:
        slide.thumbnail(THUMBNAIL_PX)


def open_theirs(path: Path) -> None:
    """Open the slide with OpenSlide and make its thumbnail."""
    with openslide.OpenSlide(path) as slide:
        np.asarray(slide.get_thumbnail((THUMBNAIL_PX, THUMBNAIL_PX)))


def compare(
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    floor: Callable[[], object] | None = None,
    rounds: int = 3,
) -> None:
    """Time them alternately after one warm-up and print the medians."""
    functions = {"ours": ours, "theirs": theirs} | ({"floor": floor} if floor else {})
    fast, slow, *least = by_turns(functions, rounds).values()
    ratios = [theirs_s / ours_s for ours_s, theirs_s in zip(fast, slow, strict=True)]
    print(
        f"{what}: ours {statistics.median(fast):.3f} s, "
        f"OpenSlide {statistics.median(slow):.3f} s, "
        f"{statistics.median(ratios):.1f}x faster (rounds: "
        f"{', '.join(f'{ratio:.1f}x' for ratio in ratios)})"
    )
    for alone in least:
        share = statistics.median(d / all_s for d, all_s in zip(alone, fast, strict=True))
        print(f"  decoding alone: {statistics.median(alone):.3f} s, {share:.2f} of ours")


if __name__ == "__main__":
    main()
