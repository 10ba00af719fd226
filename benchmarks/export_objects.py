"""Write synthetic nuclei as GeoJSON, beside geopandas' writer (pyogrio, GDAL), in one run.

    python benchmarks/export_objects.py [--objects 200000] [--corners 24] [--repeats 3]

Each of the two runs in a process of its own, in turn: ours (`exchange.objects.write_objects`, with
QuPath's object type, colour, id and measurements) from batches as an analysis would hand them over,
geopandas from a GeoDataFrame of the same polygons and columns. Prints the median seconds, the peak
of resident memory above what the process had before the polygons, and the ratios. Without geopandas
it says so and times ours alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.exchange.objects import ObjectBatch, write_objects

CLASSES = [
    {"name": "tumour", "color": (200, 0, 0), "role": "tumour"},
    {"name": "lymphocyte", "color": (0, 90, 200), "role": "other"},
]
BATCH = 4096
SIDE_PX, MPP_UM = 80_000, 0.25


def batches(objects: int, corners: int) -> Iterator[ObjectBatch]:
    """Yield ellipse-like nuclei at random places of a slide of 80k × 80k px."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    circle = np.column_stack((np.cos(angle), np.sin(angle)))
    for start in range(0, objects, BATCH):
        n = min(BATCH, objects - start)
        rng = np.random.default_rng(start)
        radii = rng.uniform(8, 20, (n, 1, 2)) * rng.uniform(0.9, 1.1, (n, corners, 1))
        outlines = rng.uniform(50, SIDE_PX, (n, 1, 2)) + circle * radii
        areas = np.pi * radii.mean(axis=1).prod(axis=1) * MPP_UM**2
        values = {"Area µm^2": areas, "Probability": rng.random(n)}
        yield ObjectBatch(list(outlines), rng.integers(0, 2, n), values)


def ours(path: Path, objects: int, corners: int) -> None:
    """Stream the nuclei to a file."""
    write_objects(path, batches(objects, corners), CLASSES, fingerprint="benchmark")


def theirs(path: Path, objects: int, corners: int) -> None:
    """Write the same nuclei from a GeoDataFrame."""
    import geopandas
    import pandas as pd
    import shapely

    found = list(batches(objects, corners))
    rings: NDArray[np.float64] = np.concatenate([batch.shapes for batch in found])
    columns = {
        name: np.concatenate([batch.measurements[name] for batch in found])
        for name in found[0].measurements
    }
    kinds = np.concatenate([batch.class_index for batch in found])
    columns["class"] = np.array([c["name"] for c in CLASSES])[kinds]
    frame = geopandas.GeoDataFrame(pd.DataFrame(columns), geometry=shapely.polygons(rings))
    warnings.filterwarnings("ignore", "'crs' was not provided")
    frame.to_file(path, driver="GeoJSON", COORDINATE_PRECISION=2)


def _peak_mib() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _measure(name: str, objects: int, corners: int, answer: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    write = {"ours": ours, "geopandas": theirs}[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "objects.geojson"
        write(path, 8, corners)  # imports are no part of the time, nor of the memory
        path.unlink()
        before, begin = _peak_mib(), time.perf_counter()
        write(path, objects, corners)
        seconds = time.perf_counter() - begin
        answer.put((seconds, _peak_mib() - before, path.stat().st_size / 2**20))


def measure(name: str, objects: int, corners: int) -> tuple[float, float, float]:
    """Return seconds, MiB of memory and MiB of file of one writer in a fresh process."""
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=_measure, args=(name, objects, corners, answer))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{name} failed with exit code {process.exitcode}")
    figures: tuple[float, float, float] = answer.get()
    return figures


def main() -> None:
    """Measure both in turn and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=200_000)
    parser.add_argument("--corners", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    names = ["ours", "geopandas"]
    if importlib.util.find_spec("geopandas") is None:
        print("geopandas is not installed: ours alone")
        names.remove("geopandas")
    runs: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    for _ in range(args.repeats):
        for name in names:
            runs[name].append(measure(name, args.objects, args.corners))
    middle = {
        name: [statistics.median(column) for column in zip(*found, strict=True)]
        for name, found in runs.items()
    }
    print(f"{args.objects} nuclei of {args.corners} corners, median of {args.repeats}")
    for name, (seconds, memory, size) in middle.items():
        print(f"{name:<10} {seconds:6.2f} s  {memory:7.1f} MiB more memory  {size:6.1f} MiB file")
    if "geopandas" in middle:
        time_ratio, memory_ratio = (middle["geopandas"][k] / middle["ours"][k] for k in (0, 1))
        print(
            json.dumps({"time_ratio": round(time_ratio, 2), "memory_ratio": round(memory_ratio, 1)})
        )


if __name__ == "__main__":
    main()
