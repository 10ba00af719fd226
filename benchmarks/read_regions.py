"""Region reads at a model's µm/px: `Slide.read` against OpenSlide read_region + Pillow resize.

Both read the same regions of the same synthetic slide (JPEG, tiled, pyramidal) with as many
threads, alternately, each time from a freshly opened slide. Printed: seconds, their ratio, what
ours takes where tifffile decodes the tiles, and the floor under it: decoding each chunk below the
regions once, and nothing else.

The slide is 50k px a side, as slides are: a small one has one region at 3.5 µm/px, and opening and
the start of threads are then most of the time. The regions are a square in its middle. Where they
start between two pixels of a level OpenSlide interpolates, which makes it two to three times
slower; `--aligned` spares it that.

    python benchmarks/read_regions.py --threads 2 --mpp 0.5 3.5
    python benchmarks/read_regions.py --like gigapixel
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from unittest import mock

import gigapixel
import imagecodecs
import numpy as np
import openslide
import tifffile
from bare import decode_all, decoded_chunks
from by_turns import by_turns, options
from numpy.typing import NDArray
from PIL import Image

from napari_breastpath.slides import open_slide

REGION_PX = 512
PATTERN_PX = 2048
THUMBNAIL_PX = 1024
COARSEST = 64  # times reduced, at most
SLIDE_MPP = {"halves": 0.2527, "gigapixel": 0.25}
Corner = tuple[float, float]


def main() -> None:
    """Write a slide, time both readers, print the table."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slide.tif"
        if arguments.like == "gigapixel":
            gigapixel.write_slide(path, arguments.size, arguments.size, arguments.slide_mpp)
        else:
            write_slide(path, arguments.size, arguments.tile, arguments.slide_mpp)
        print(
            f"{arguments.size}² px at {arguments.slide_mpp} µm/px, "
            f"{path.stat().st_size / 1e6:.0f} MB"
        )
        for mpp in arguments.mpp:
            corners = list(grid(arguments, REGION_PX * mpp / arguments.slide_mpp))
            what = f"{len(corners)} regions of {REGION_PX} px at {mpp} µm/px"
            ours, theirs = readers(path, mpp, corners, arguments)
            others = {
                "decoded by tifffile": lambda ours=ours: by_tifffile(ours),
                "decoding alone": decoder(path, mpp, corners, arguments),
            }
            compare(what, ours, theirs, others)
        compare("open + first thumbnail", lambda: open_ours(path), lambda: open_theirs(path))


def parse() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=50_176, help="side of the slide in px")
    parser.add_argument(
        "--like",
        choices=SLIDE_MPP,
        default="halves",
        help="levels of ×2 in JPEG 4:2:0, all tissue; or ×4 in 4:4:4 (gigapixel.py)",
    )
    parser.add_argument("--tile", type=int, default=256, help="side of the TIFF tiles in px")
    parser.add_argument("--slide-mpp", type=float, help="µm/px of level 0 (0.2527; gigapixel 0.25)")
    parser.add_argument("--regions", type=int, default=7, help="at most, in x and in y")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--overlap", type=float, default=0.0, help="shared part of regions, 0 to 1")
    parser.add_argument(
        "--aligned", action="store_true", help="start regions at whole pixels of every level"
    )
    parser.add_argument("--mpp", type=float, nargs="+", default=[0.5, 3.5])
    arguments = options(parser, size=6144)
    arguments.slide_mpp = arguments.slide_mpp or SLIDE_MPP[arguments.like]
    return arguments


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
                photometric="ycbcr",
                subsampling=(2, 2),
                compression="jpeg",
                subfiletype=int(reduced > 0),
                resolution=(resolution, resolution),
                resolutionunit="CENTIMETER",
            )
            texture = halved(texture)


def tiles(texture: NDArray[np.uint8], side: int, tile: int) -> Iterator[bytes]:
    """Yield the JPEG tiles of a level that repeats the texture; equal ones are encoded once."""
    period = len(texture)

    @cache
    def encoded(row: int, column: int) -> bytes:
        rows, columns = ((np.arange(tile) + start) % period for start in (row, column))
        pixels = texture[np.ix_(rows, columns)]
        return bytes(imagecodecs.jpeg_encode(pixels, level=80, subsampling="420"))

    for row in range(0, side, tile):
        for column in range(0, side, tile):
            yield encoded(row % period, column % period)


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
    path: Path, mpp: float, corners: list[Corner], arguments: argparse.Namespace
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return two functions that read all regions, ours and OpenSlide's."""
    step = mpp / arguments.slide_mpp

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


def decoder(
    path: Path, mpp: float, corners: list[Corner], arguments: argparse.Namespace
) -> Callable[[], object]:
    """Return a function that decodes all chunks that the regions are read from."""
    side = REGION_PX * mpp / arguments.slide_mpp
    with open_slide(path) as slide:
        chunks = decoded_chunks(
            slide, lambda: [slide.read(*at, side, side, mpp=mpp) for at in corners]
        )
    return lambda: decode_all(path, chunks, arguments.threads)


def by_tifffile(read: Callable[[], object]) -> None:
    """Read without `slides.jpeg_tiles`."""
    with mock.patch("napari_breastpath.slides.tiff.faster", lambda _, decode: decode):
        read()


def grid(arguments: argparse.Namespace, side: float) -> Iterator[Corner]:
    """Yield the top-left corners of regions of `side` px, a square in the middle of the slide."""
    step = side * (1 - arguments.overlap)
    count = max(1, min(arguments.regions, int((arguments.size - side) // step) + 1))
    first = max(0.0, (arguments.size - (count - 1) * step - side) / 2)
    unit = COARSEST if arguments.aligned else 1
    for row, column in np.ndindex(count, count):
        yield (first + column * step) // unit * unit, (first + row * step) // unit * unit


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
    others: Mapping[str, Callable[[], object]] | None = None,
    rounds: int = 5,
) -> None:
    """Time them alternately after one warm-up and print the medians."""
    times = by_turns({"ours": ours, "theirs": theirs, **(others or {})}, rounds)
    fast, slow = times.pop("ours"), times.pop("theirs")
    ratios = [theirs_s / ours_s for ours_s, theirs_s in zip(fast, slow, strict=True)]
    print(
        f"{what}: ours {statistics.median(fast):.3f} s, "
        f"OpenSlide {statistics.median(slow):.3f} s, "
        f"{statistics.median(ratios):.1f}x faster (rounds: "
        f"{', '.join(f'{ratio:.1f}x' for ratio in ratios)})"
    )
    for name, seconds in times.items():
        share = statistics.median(s / all_s for s, all_s in zip(seconds, fast, strict=True))
        print(f"  {name}: {statistics.median(seconds):.3f} s, {share:.2f} of ours")


if __name__ == "__main__":
    main()
