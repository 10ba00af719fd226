"""Measure the regions of a synthetic map, beside scikit-image's label + regionprops.

    python benchmarks/measure_regions.py [--megapixels 30] [--repeats 3]

Both give area, both moment axes, Crofton perimeter, longest Feret and the probability's maximum and
mean, one thread each, in turn. Prints the median seconds and their ratio. Then measures the map as
a result on disk, with mask, features and GeoJSON, and prints the seconds. The memory is the peak of
what one more call allocates, traced, per map pixel: of `find_regions` on top of its inputs, of
`measure_result` all in all.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from by_turns import by_turns, options, seconds
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label, regionprops_table

from napari_breastpath.analyses import measure_result
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.measure import find_regions
from napari_breastpath.results import Result, create_result

MPP, STEP = 2.0, 4

PROPERTIES = (
    "area",
    "axis_major_length",
    "axis_minor_length",
    "perimeter_crofton",
    "feret_diameter_max",
    "intensity_max",
    "intensity_mean",
)


def synthetic_map(megapixels: float, seed: int = 0) -> NDArray[np.uint8]:
    """Return a smooth uint8 map whose part over 0.5 is large fields and thousands of small foci."""
    side = round((megapixels * 1e6) ** 0.5)
    rng = np.random.default_rng(seed)
    fine = ndimage.gaussian_filter(rng.standard_normal((side, side), dtype=np.float32), 6)
    coarse = ndimage.gaussian_filter(rng.standard_normal((side // 8, side // 8)), 12)
    field = ndimage.zoom(coarse / coarse.std(), side / (side // 8), order=1)[:side, :side]
    height = fine / fine.std() + 2 * field - 2
    return np.clip(np.rint(255 / (1 + np.exp(-2 * height))), 1, 255).astype(np.uint8)


def stored_result(folder: Path, heat: NDArray[np.uint8]) -> Result:
    """Write a result with a probability map, all of it tissue."""
    height, width = (n * STEP for n in heat.shape)
    record = {
        "slide": {"width": width, "height": height, "fingerprint": "0" * 64},
        "analysis": "tumour",
        "specimen": "node",
        "model": {
            "name": "none",
            "version": "1",
            "sha256": "0",
            "classes": [{"name": "tumour", "color": [200, 0, 0], "role": "tumour"}],
        },
        "map_mpp": [MPP, MPP],
        "settings": {"threshold": 0.5},
        "warnings": [],
    }
    mpp = PixelSize(MPP / STEP, MPP / STEP)
    result = create_result(
        folder,
        record,
        lattice=Lattice.over(width, height, mpp, (MPP, MPP)),
        slide_mpp=mpp,
        classes=[("tumour", (200, 0, 0))],
        tiles=(1, 1),
        at_least=3,
    )
    result.map.probability.write(0, 0, heat[None])
    result.map.label("tissue").write(0, 0, np.ones_like(heat))
    result.save(status="complete")
    return result


def traced_bytes(work: Callable[[], object]) -> int:
    """Return the peak of what one call allocates."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> None:
    """Run both and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megapixels", type=float, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = options(parser, megapixels=4, repeats=1)
    heat = synthetic_map(chosen.megapixels)
    mask = heat > 127
    ours = lambda: find_regions(mask, 2.0, heat)  # noqa: E731
    theirs = lambda: regionprops_table(label(mask), heat, properties=PROPERTIES)  # noqa: E731
    times = by_turns({"ours": ours, "theirs": theirs}, chosen.repeats, warm_up=0)
    mine, other = map(statistics.median, times.values())
    print(f"map {mask.shape}, {mask.mean():.0%} tumour, {len(ours().table)} regions")
    print(f"find_regions          {mine:8.2f} s")
    print(f"label + regionprops   {other:8.2f} s   {other / mine:.1f} times as long")
    print(f"memory on top         {traced_bytes(ours) / mask.size:8.2f} bytes per map pixel")
    with tempfile.TemporaryDirectory() as folder:
        result = stored_result(Path(folder) / "map", heat)
        measure_result(result)
        whole = lambda: measure_result(result)  # noqa: E731
        print(f"measure_result        {seconds(whole):8.2f} s")
        print(f"memory                {traced_bytes(whole) / mask.size:8.2f} bytes per map pixel")


if __name__ == "__main__":
    main()
