"""Export a result of many synthetic nuclei, beside geopandas' writer (pyogrio, GDAL), in one run.

    python benchmarks/export_objects.py [--objects 200000] [--corners 24] [--rounds 3]

A result folder with the regions of a small drawn map gets the nuclei through the library itself.
Then `breastpath export RESULT --to geojson` and a program that reads the same folder and writes the
same regions, nuclei and measurements with geopandas run in turn, each as a process of its own.
Prints the median seconds and peak resident memory of the whole processes, from their start to their
end, and the ratios of each round. Without geopandas it says so and times ours alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from by_turns import options

from napari_breastpath.analyses.measuring import measure_result
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.results import ObjectBatch, ObjectStore, Result, create_result

CLASSES = [
    {"name": "tumour", "color": [200, 0, 0], "role": "tumour"},
    {"name": "lymphocyte", "color": [0, 90, 200], "role": "other"},
]
BATCH = 4096
SIDE_PX, MPP_UM, MAP_UM = 80_000, 0.25, 32.0

GEOPANDAS = """
import sys, warnings
import geopandas, numpy as np, pandas as pd, shapely, zarr
folder, out = sys.argv[1:]
store = zarr.open_group(folder + "/objects.zarr", mode="r")
facts, offsets = store.attrs["breastpath"], store["offsets"][:]
rings = shapely.linearrings(
    store["vertices"][:], indices=np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
)
table = pd.DataFrame(store["measurements"][:], columns=facts["measurements"])
table["class"] = np.array([c["name"] for c in facts["classes"]])[store["class_index"][:]]
nuclei = geopandas.GeoDataFrame(table, geometry=shapely.polygons(rings))
regions = geopandas.read_file(folder + "/regions.geojson").set_crs(None, allow_override=True)
warnings.simplefilter("ignore")
everything = pd.concat([regions, nuclei], ignore_index=True)
everything.to_file(out, driver="GeoJSON", COORDINATE_PRECISION=2)
"""


def nuclei(objects: int, corners: int) -> Iterator[ObjectBatch]:
    """Yield ellipse-like nuclei at random places of a slide of 80k × 80k px."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    circle = np.column_stack((np.cos(angle), np.sin(angle)))
    for start in range(0, objects, BATCH):
        n = min(BATCH, objects - start)
        rng = np.random.default_rng(start)
        radii = rng.uniform(8, 20, (n, 1, 2)) * rng.uniform(0.9, 1.1, (n, corners, 1))
        outlines = rng.uniform(50, SIDE_PX - 50, (n, 1, 2)) + circle * radii
        areas = np.pi * radii.mean(axis=1).prod(axis=1) * MPP_UM**2
        values = {"Area µm^2": areas, "Probability": rng.random(n)}
        yield ObjectBatch(list(outlines), rng.integers(0, 2, n), values)


def drawn_result(folder: Path) -> Result:
    """Return a measured result with a few square regions."""
    mpp = PixelSize(MPP_UM, MPP_UM)
    lattice = Lattice.over(SIDE_PX, SIDE_PX, mpp, MAP_UM)
    slide = {"path": "drawn.svs", "width": SIDE_PX, "height": SIDE_PX, "mpp_x": MPP_UM}
    result = create_result(
        folder,
        {
            "slide": slide | {"mpp_y": MPP_UM, "mpp_source": "user", "fingerprint": "d" * 64},
            "analysis": "tumour",
            "specimen": "unspecified",
            "model": {"name": "drawn", "version": "1", "classes": CLASSES[:1]},
            "map_mpp": [MAP_UM, MAP_UM],
            "settings": {"threshold": 0.5, "specimen": "unspecified"},
            "warnings": [],
            "edits": {"strokes": 0, "pixels": 0, "seconds": 0.0, "readers": []},
        },
        lattice=lattice,
        slide_mpp=mpp,
        classes=[("tumour", (200, 0, 0))],
        tiles=(1, 1),
    )
    heat = np.ones((1, *lattice.shape), np.uint8)
    heat[:, 100:200:20, 100:130] = 230
    result.map.probability.write(0, 0, heat)
    result.map.label("tissue").write(0, 0, np.ones(lattice.shape, np.uint8))
    result.map.tile_state = np.ones((1, 1), np.uint8)
    result.save(status="complete")
    return measure_result(result)


def fill(folder: Path, objects: int, corners: int) -> None:
    """Make the result folder and say how long appending took."""
    path = drawn_result(folder).objects_path
    store, seconds = ObjectStore.create(path, CLASSES, ["Area µm^2", "Probability"]), 0.0
    for batch in nuclei(objects, corners):
        begin = time.perf_counter()
        store.append(batch)
        seconds += time.perf_counter() - begin
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 2**20
    print(
        f"objects.zarr: {len(store)} nuclei of {corners} corners, {size:.0f} MiB, {seconds:.1f} s"
    )


def run(command: list[str]) -> tuple[float, float]:
    """Run a command and return its seconds and the MiB of its peak resident memory."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{command[0]} failed")
    return seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Measure both in turn and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=200_000)
    parser.add_argument("--corners", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--to", choices=("geojson", "geojson.gz"), default="geojson")
    args = options(parser, objects=20_000, rounds=1)
    with tempfile.TemporaryDirectory() as temporary:
        folder, out = Path(temporary) / "drawn.breastpath", Path(temporary) / "objects.geojson"
        fill(folder, args.objects, args.corners)
        program = [sys.executable, "-m", "napari_breastpath", "export", str(folder)]
        commands = {
            "breastpath export": [*program, "--to", args.to, "--out", str(out)],
            "geopandas": [sys.executable, "-c", GEOPANDAS, str(folder), str(out)],
        }
        if importlib.util.find_spec("geopandas") is None:
            print("geopandas is not installed: ours alone")
            del commands["geopandas"]
        measure(commands, out, args.rounds)


def measure(commands: dict[str, list[str]], out: Path, rounds: int) -> None:
    """Run the commands in turn, some rounds, and print medians and ratios."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    sizes = {}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(run(command))
            sizes[name] = out.stat().st_size / 2**20
            out.unlink()
    for name, runs in found.items():
        seconds, memory = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{name:<18} {seconds:6.2f} s  {memory:7.1f} MiB peak  {sizes[name]:6.1f} MiB file")
    if len(found) > 1:
        pairs = list(zip(*found.values(), strict=True))
        for k, what in enumerate(("time", "memory")):
            ratios = ", ".join(f"{theirs[k] / ours[k]:.2f}" for ours, theirs in pairs)
            print(f"geopandas' {what} / ours, round by round: {ratios}")


if __name__ == "__main__":
    main()
