"""Write the drawn slides that `tumour-demo` is trained on, with their nests as GeoJSON.

``python sample_data/write_training_slides.py`` fills ``runs/drawn``; a minute on a CPU. Then
``breastpath train docs/training/tumour-demo.toml``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synthetic_slide import STAINS, SyntheticSlide, write_slide

ROOT = Path(__file__).resolve().parents[1]
# Seeds 1–4 are the packaged slide and those that the model is measured on.
SEEDS = tuple(range(101, 113))
SIZE, MPP = (3584, 2560), 0.5


def nests_geojson(truth: dict[str, Any]) -> dict[str, Any]:
    """Return the nests of a truth file as a GeoJSON collection of class Tumor."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [_ring(nest["polygon"])]},
            "properties": {"objectType": "annotation", "classification": {"name": "Tumor"}},
        }
        for nest in truth["nests"]
    ]
    return {"type": "FeatureCollection", "features": features}


def _ring(polygon: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return a polygon as GeoJSON closes it."""
    ring = [[float(x), float(y)] for x, y in polygon]
    return [*ring, ring[0]]


def write_training_slides(
    folder: Path, seeds: Sequence[int] = SEEDS, size: tuple[int, int] = SIZE
) -> list[Path]:
    """Write `drawn-<seed>-<stain>.tif` and `.geojson`, stains taking turns; return the TIFFs."""
    folder.mkdir(parents=True, exist_ok=True)
    stains = sorted(STAINS)
    written = []
    for number, seed in enumerate(seeds):
        stain = stains[number % len(stains)]
        slide = SyntheticSlide(seed, *size, MPP, stain)
        path = write_slide(slide, folder / f"drawn-{seed}-{stain}.tif")
        path.with_suffix(".geojson").write_text(json.dumps(nests_geojson(slide.truth())))
        written.append(path)
    return written


def main(arguments: Sequence[str] | None = None) -> None:
    """Write them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "runs/drawn", help="the folder")
    chosen = parser.parse_args(arguments)
    for path in write_training_slides(chosen.out):
        print(path)


if __name__ == "__main__":
    main()
