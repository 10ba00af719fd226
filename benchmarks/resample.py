"""Area means of a window: ours against SciPy's sparse products, Pillow's BOX and scikit-image.

One thread, an RGB window of 1024 px: to half its size, and by a factor that cuts pixels, which
Pillow's BOX and scikit-image's `downscale_local_mean` do not weigh. All give the same means, within
a grey level; it is checked first.

    python benchmarks/resample.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import numpy as np
from by_turns import by_turns, options
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import csr_array
from skimage.transform import downscale_local_mean

from napari_breastpath.slides.resample import Axis, Footprint, averaged, footprint

SIDE_PX, FACTORS = 1024, (2.0, 3.7)
UInt8Array = NDArray[np.uint8]


def main() -> None:
    """Time every way by turns; print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = options(parser, rounds=3)
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)
    for factor in FACTORS:
        ways = every_way(pixels, factor)
        agree(ways)
        times = by_turns(ways, arguments.rounds)
        mine = times.pop("ours")
        print(f"{SIDE_PX}² px, {factor} × smaller: ours {statistics.median(mine) * 1e3:.2f} ms")
        for name, theirs in times.items():
            ratios = [other / own for other, own in zip(theirs, mine, strict=True)]
            print(f"  {name}: {statistics.median(ratios):.1f} times as long")


def every_way(pixels: UInt8Array, factor: float) -> dict[str, Callable[[], UInt8Array]]:
    """Return functions that make a window `factor` times smaller."""
    axis = footprint(Axis.covering(0, SIDE_PX // factor * factor, factor), 1.0)
    window, weights = pixels[: axis.stop, : axis.stop], sparse(axis)
    ways: dict[str, Callable[[], UInt8Array]] = {
        "ours": lambda: averaged(window, axis, axis),
        "SciPy": lambda: by_scipy(window, weights),
    }
    if factor.is_integer():
        size, block = (len(axis.first),) * 2, (int(factor), int(factor), 1)
        picture = Image.fromarray(window)
        ways["Pillow"] = lambda: np.asarray(picture.resize(size, Image.Resampling.BOX))
        ways["scikit-image"] = lambda: rounded(downscale_local_mean(window, block))
    return ways


def sparse(axis: Footprint) -> csr_array:
    """Return the weights of an axis as a matrix (pixels out, pixels in)."""
    count, taps = axis.weights.shape
    columns = axis.first[:, None] + np.arange(taps)
    starts = np.arange(count + 1) * taps
    return csr_array((axis.weights.ravel(), columns.ravel(), starts), (count, axis.stop))


def by_scipy(window: UInt8Array, weights: csr_array) -> UInt8Array:
    """Return the means as two sparse products."""
    height, width, channels = window.shape
    rows = weights @ window.reshape(height, -1).astype(np.float32)
    across = rows.reshape(-1, width, channels).swapaxes(0, 1).reshape(width, -1)
    return rounded((weights @ across).reshape(-1, len(rows), channels).swapaxes(0, 1))


def rounded(values: NDArray[np.floating]) -> UInt8Array:
    """Return the nearest integers, halves up."""
    return (values + 0.5).astype(np.uint8)


def agree(ways: dict[str, Callable[[], UInt8Array]]) -> None:
    """End where a way gives other means than ours."""
    mine = ways["ours"]().astype(int)
    for name, way in ways.items():
        if (worst := int(np.abs(way().astype(int) - mine).max())) > 1:
            raise SystemExit(f"{name}: differs by {worst} grey levels")


if __name__ == "__main__":
    main()
