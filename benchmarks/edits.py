"""Time a stroke's way to the disk on a 12k × 12k map (a slide of 100k × 100k), journal included.

    python benchmarks/edits.py [--side 12000] [--repeats 20] [--quick]

A dab of 100 map px, and a stroke of 1000 map px, each with its file and line in the journal
(fsync), `edits` and `mask` at every level. Beside it the naive way: the whole mask's level 0 and
its pyramid written anew. Prints median and 95th percentile in ms, and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from by_turns import options, seconds
from numpy.typing import NDArray
from scipy import ndimage

from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.edits import Corrections
from napari_breastpath.edits.tools import paint
from napari_breastpath.results import Result, create_result
from napari_breastpath.results.masks import bands, measured_mask

MPP = 2.0
DAB_PX, STROKE_PX, BRUSH_PX = 100, 1000, 20


def synthetic_result(folder: Path, side: int, seed: int = 0) -> Result:
    """Return a result whose map is smooth noise on tissue that fills about half of it."""
    slide_mpp, px = PixelSize(0.25, 0.25), round(side * MPP / 0.25)
    kind = {"name": "tumour", "color": [200, 0, 0], "role": "tumour"}
    facts = {"path": "", "width": px, "height": px, "mpp_x": 0.25, "mpp_y": 0.25}
    record = {
        "slide": facts | {"mpp_source": "header", "bounds_offset": [0, 0], "fingerprint": "0"},
        "analysis": "tumour",
        "specimen": "unspecified",
        "model": {"name": "noise", "version": "1", "sha256": "0", "classes": [kind]},
        "map_mpp": [MPP, MPP],
        "settings": {"threshold": 0.5},
    }
    result = create_result(
        folder,
        record,
        lattice=Lattice.over(px, px, slide_mpp, MPP),
        slide_mpp=slide_mpp,
        classes=[("tumour", (200, 0, 0))],
        tiles=(1, 1),
    )
    heat = synthetic_heat(side, seed)
    chunk = result.map.chunk
    for top in range(0, side, chunk):
        result.map.probability.write(top, 0, heat[None, top : top + chunk])
    for band in bands(result):
        result.map.label("mask").write(band.rows.start, 0, measured_mask(band, [kind], 0.5))
    result.save(status="complete")
    return result


def synthetic_heat(side: int, seed: int) -> NDArray[np.uint8]:
    """Return smooth noise, 0 outside tissue."""
    rng = np.random.default_rng(seed)
    coarse = ndimage.gaussian_filter(rng.standard_normal((side // 8 + 1, side // 8 + 1)), 6)
    field = ndimage.zoom(np.float32(coarse / coarse.std()), 8, order=1)[:side, :side]
    heat = np.clip(np.rint(128 + 60 * field), 1, 255).astype(np.uint8)
    heat[:, side // 2 :] = 0
    return heat


def strokes(hands: Corrections, length_px: float, repeats: int) -> list[float]:
    """Return the times of strokes along random lines; a dab is a disc of that diameter."""
    rng, side = np.random.default_rng(1), hands.result.lattice.height
    is_dab = length_px == DAB_PX
    radius_um = (length_px if is_dab else BRUSH_PX) / 2 * MPP
    times = []
    for start in rng.uniform(length_px, side / 2 - length_px, (repeats, 2)):
        angle = rng.uniform(0, 2 * np.pi)
        step = 0 if is_dab else length_px
        points = start + np.linspace(0, step, 50)[:, None] * [np.sin(angle), np.cos(angle)]
        change = paint(hands, [tuple(point) for point in points], radius_um, 1)
        assert change is not None
        times.append(1e3 * seconds(lambda change=change: hands.apply(change, "brush")))
    return times


def naive(result: Result) -> float:
    """Return the time to write level 0 of the whole mask, and its pyramid, once."""
    mask = np.asarray(result.map.label("mask").levels[0][:])
    return 1e3 * seconds(lambda: result.map.label("mask").write(0, 0, mask))


def main() -> None:
    """Run all and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--side", type=int, default=12_000)
    parser.add_argument("--repeats", type=int, default=20)
    chosen = options(parser, side=4500, repeats=5)
    side, repeats = chosen.side, chosen.repeats
    with tempfile.TemporaryDirectory() as folder:
        result = synthetic_result(Path(folder) / "r", side)
        hands = Corrections.open(result)
        whole = naive(result)
        print(f"map {side} × {side}; the whole mask and its pyramid anew: {whole:.0f} ms")
        for name, length in (("dab", DAB_PX), ("stroke", STROKE_PX)):
            times = strokes(hands, length, repeats)
            median, slow = np.percentile(times, (50, 95))
            line = f"{name} of {length} map px: median {median:.0f} ms, 95 % {slow:.0f} ms"
            print(f"{line}, 1/{whole / median:.0f} of that")
        back = [1e3 * seconds(hands.undo) for _ in range(repeats)]
        print(f"undo of a stroke: median {np.median(back):.0f} ms")


if __name__ == "__main__":
    main()
