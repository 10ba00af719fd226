"""A synthetic H&E-like slide with tumour nests of known outline: the oracle of many tests.

Nothing on it comes from a patient. ``python sample_data/synthetic_slide.py OUT.tif`` writes a
pyramidal, tiled JPEG TIFF and, beside it, ``OUT.json`` with the truth. Without options it draws
the slide that comes with the package (src/napari_breastpath/sample/sample_slide.tif).
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import synthetic_textures as textures
from napari_breastpath.core.geometry import Lattice
from synthetic_layout import Layout, Mask, Polygon, feret_px, make_layout, paint
from synthetic_textures import PERIOD_UM, Layer, Texture

RGB = NDArray[np.uint8]

# Rows: haematoxylin, eosin; optical densities of R, G, B. A is the reference of Macenko et al.
# (2009); B imitates another laboratory: bluer haematoxylin, redder eosin.
STAINS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "A": ((0.563, 0.720, 0.406), (0.216, 0.801, 0.558)),
    "B": ((0.735, 0.630, 0.250), (0.095, 0.880, 0.465)),
}
# Relative strength of haematoxylin and eosin in each laboratory.
STRENGTHS = {"A": (1.0, 0.85), "B": (0.9, 1.15)}
GLASS = (246.0, 244.0, 246.0)
NOISE_SD = 1.6
NOISE_PERIOD = 997
TILE = 256
FIELD = 1024
SHRINK = 4
TEXTURES = ("stroma", "fat", "lymphoid", "duct", "tumour")
TISSUE_LABELS = {"stroma": 1, "fat": 2, "lymphoid": 3, "duct": 4, "lumen": 5, "tumour": 6}


@dataclass(frozen=True)
class SyntheticSlide:
    """A slide that is drawn where it is looked at, the same however it is cut into windows.

    Attributes
    ----------
    seed : int
        Everything random follows from it.
    width, height : int
        Level-0 pixels.
    mpp : float
        µm/px, the same in x and y.
    stain : str
        `A` or `B`, a key of `STAINS`.
    """

    seed: int = 1
    width: int = 5120
    height: int = 3840
    mpp: float = 0.5
    stain: str = "A"
    layout: Layout = field(init=False, repr=False, compare=False)
    tissues: dict[str, Texture] = field(init=False, repr=False, compare=False)
    noise: Layer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        layout = make_layout(self.seed, self.width, self.height, self.mpp)
        rng = np.random.default_rng([self.seed, 3])
        noise = rng.normal(0, NOISE_SD, (NOISE_PERIOD, NOISE_PERIOD, 3)).astype(np.float32)
        object.__setattr__(self, "layout", layout)
        object.__setattr__(self, "tissues", {})
        object.__setattr__(self, "noise", noise)

    def texture(self, name: str) -> Texture:
        """Return one tissue's texture, drawn when it is first seen."""
        if name not in self.tissues:
            rng = np.random.default_rng([self.seed, 2, TEXTURES.index(name)])
            size = round(PERIOD_UM / self.mpp)
            self.tissues[name] = getattr(textures, name)(rng, size, self.mpp)
        return self.tissues[name]

    @property
    def stain_matrix(self) -> NDArray[np.float64]:
        """(2, 3) unit optical-density vectors, haematoxylin then eosin."""
        matrix: NDArray[np.float64] = np.asarray(STAINS[self.stain], np.float64)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        return matrix

    def labels(self, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Return the tissue class of each pixel of a window (`TISSUE_LABELS`, 0 is glass)."""
        found = np.zeros((height, width), np.uint8)
        layers = (
            ("stroma", self.layout.tissue),
            ("fat", self.layout.fat),
            ("lymphoid", self.layout.lymphoid),
            ("duct", self.layout.ducts),
            ("lumen", self.layout.lumina),
            ("tumour", self.layout.nests),
        )
        for name, polygons in layers:
            for polygon in polygons:
                paint(found, polygon, TISSUE_LABELS[name], x, y)
        return found

    def concentrations(self, x: int, y: int, width: int, height: int) -> tuple[Layer, Layer]:
        """Return haematoxylin and eosin concentrations, each (height, width) float32."""
        margin = math.ceil(16 / self.mpp)
        around = self.labels(x - margin, y - margin, width + 2 * margin, height + 2 * margin)
        haematoxylin = np.zeros((height, width), np.float32)
        eosin = np.zeros((height, width), np.float32)
        present = set(np.unique(around).tolist())
        seen = [n for n in TEXTURES if TISSUE_LABELS[n] in present]
        window = (slice(margin, margin + height), slice(margin, margin + width))
        for name in seen:
            tissue, here = self.texture(name), around[window] == TISSUE_LABELS[name]
            rows, columns = _periodic(tissue.eosin, x, y, width, height)
            haematoxylin[here] = tissue.haematoxylin[rows, columns][here]
            eosin[here] = tissue.eosin[rows, columns][here]
        eosin *= self._unevenness(x, y, width, height)
        for name in seen:
            _add_nuclei(
                self.texture(name), around, TISSUE_LABELS[name], margin, (x, y), haematoxylin, eosin
            )
        return haematoxylin, eosin

    def _unevenness(self, x: int, y: int, width: int, height: int) -> Layer:
        """Return slow changes of eosin over millimetres, so that repeats do not show."""
        rng = np.random.default_rng([self.seed, 4])
        phase, period = rng.uniform(0, 2 * math.pi, 4), rng.uniform(600, 1700, 4) / self.mpp
        across = np.cos(2 * math.pi * (x + np.arange(width))[:, None] / period[:2] + phase[:2])
        down = np.cos(2 * math.pi * (y + np.arange(height))[:, None] / period[2:] + phase[2:])
        return (1 + 0.10 * (down @ across.T)).astype(np.float32)

    def render(self, x: int, y: int, width: int, height: int) -> RGB:
        """Return (height, width, 3) uint8 of a window in level-0 pixels (Beer–Lambert law)."""
        haematoxylin, eosin = self.concentrations(x, y, width, height)
        strength = STRENGTHS[self.stain]
        rows, columns = _periodic(self.noise, x, y, width, height)
        picture = self.noise[rows, columns].copy()
        for channel, vector in enumerate(self.stain_matrix.T.astype(np.float32)):
            density = haematoxylin * (vector[0] * strength[0]) + eosin * (vector[1] * strength[1])
            picture[..., channel] += GLASS[channel] * np.exp(-density)
        return _to_bytes(picture)

    def truth(self) -> dict[str, Any]:
        """Return what is known of this slide, as it is stored in its truth file."""
        return {
            "what": "synthetic H&E-like slide drawn by sample_data/synthetic_slide.py; no patient",
            "seed": self.seed,
            "width": self.width,
            "height": self.height,
            "mpp": self.mpp,
            "stain": self.stain,
            "stain_matrix": self.stain_matrix.round(6).tolist(),
            "longest_feret_mm": max(
                (_feret_mm(p, self.mpp) for p in self.layout.nests), default=0.0
            ),
            "nests": [
                {"longest_feret_mm": _feret_mm(p, self.mpp), "polygon": p.tolist()}
                for p in self.layout.nests
            ],
            "tissue": [polygon.tolist() for polygon in self.layout.tissue],
        }


def _feret_mm(polygon: Polygon, mpp: float) -> float:
    return round(feret_px(polygon) * mpp / 1000, 6)


def _periodic(layer: NDArray[Any], x: int, y: int, width: int, height: int) -> tuple[Any, ...]:
    rows = (y + np.arange(height)) % layer.shape[0]
    return np.ix_(rows, (x + np.arange(width)) % layer.shape[1])


def _add_nuclei(
    tissue: Texture,
    around: NDArray[np.uint8],
    label: int,
    margin: int,
    origin: tuple[int, int],
    haematoxylin: Layer,
    eosin: Layer,
) -> None:
    """Draw those nuclei whose centre lies in the tissue of `label`; `around` has the margin."""
    height, width = around.shape
    window = _periodic(tissue.nuclei, origin[0] - margin, origin[1] - margin, width, height)
    rows, columns = np.nonzero(tissue.nuclei[window][margin:-margin, margin:-margin])
    at = (window[0][rows + margin, 0], window[1][0, columns + margin])
    home = around[rows + margin + tissue.to_centre_y[at], columns + margin + tissue.to_centre_x[at]]
    inside = home == label
    rows, columns = rows[inside], columns[inside]
    density = tissue.nuclei[at][inside]
    haematoxylin[rows, columns] = np.maximum(haematoxylin[rows, columns], density)
    eosin[rows, columns] *= 1 - 0.6 * np.minimum(density, 1)


def truth_mask(truth: dict[str, Any], lattice: Lattice) -> Mask:
    """Return which pixels of a lattice have their centre in a tumour nest.

    Parameters
    ----------
    truth : dict
        A truth file's content.
    lattice : Lattice
        Over the same slide, for example at the map's µm/px.

    Returns
    -------
    (lattice.height, lattice.width) bool array
    """
    return outline_mask([nest["polygon"] for nest in truth["nests"]], lattice)


def tissue_truth_mask(truth: dict[str, Any], lattice: Lattice) -> Mask:
    """Return which pixels of a lattice have their centre inside a tissue outline."""
    return outline_mask(truth["tissue"], lattice)


def outline_mask(polygons: Sequence[Any], lattice: Lattice) -> Mask:
    """Return the union of polygons (level-0 px) on a lattice, (height, width) bool."""
    mask = np.zeros(lattice.shape, bool)
    for polygon in polygons:
        points = np.asarray(polygon, np.float64)
        paint(mask, points, True, step_x=lattice.step_x, step_y=lattice.step_y)
    return mask


def _to_bytes(picture: Layer) -> RGB:
    rounded: RGB = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return rounded


def _shrunk(picture: RGB) -> RGB:
    height, width = (side // SHRINK * SHRINK for side in picture.shape[:2])
    blocks = picture[:height, :width].reshape(height // SHRINK, SHRINK, width // SHRINK, SHRINK, 3)
    return _to_bytes(blocks.mean(axis=(1, 3), dtype=np.float32))


def _tiles(picture: RGB) -> Iterator[RGB]:
    for top in range(0, picture.shape[0], TILE):
        for left in range(0, picture.shape[1], TILE):
            yield picture[top : top + TILE, left : left + TILE]


def _level0_tiles(slide: SyntheticSlide, smaller: NDArray[np.uint8]) -> Iterator[RGB]:
    """Yield the tiles of level 0 row by row, filling the next level on the way."""
    for top in range(0, slide.height, FIELD):
        tall = min(FIELD, slide.height - top)
        band = np.concatenate(
            [
                slide.render(left, top, min(FIELD, slide.width - left), tall)
                for left in range(0, slide.width, FIELD)
            ],
            axis=1,
        )
        small = _shrunk(band)
        smaller[top // SHRINK : top // SHRINK + small.shape[0], : small.shape[1]] = small
        yield from _tiles(band)


def write_slide(slide: SyntheticSlide, path: Path | str, quality: int = 75) -> Path:
    """Write a slide and its truth; memory is bounded by one band of 1024 rows.

    Parameters
    ----------
    slide : SyntheticSlide
        What to draw.
    path : path
        The TIFF to write; the truth goes to the same name with ``.json``.
    quality : int
        JPEG quality, 1–100.

    Returns
    -------
    Path
        The TIFF.
    """
    from tifffile import TiffWriter

    path = Path(path)
    options: dict[str, Any] = {
        "dtype": np.uint8,
        "tile": (TILE, TILE),
        "photometric": "rgb",
        "compression": "jpeg",
        "compressionargs": {"level": quality},
        "resolutionunit": "CENTIMETER",
        "metadata": None,
    }
    with tempfile.TemporaryDirectory() as folder, TiffWriter(path, bigtiff=_is_big(slide)) as tiff:
        shape = (slide.height // SHRINK, slide.width // SHRINK, 3)
        smaller = np.memmap(Path(folder) / "level1", np.uint8, "w+", shape=shape)
        tiff.write(
            _level0_tiles(slide, smaller),
            shape=(slide.height, slide.width, 3),
            resolution=(1e4 / slide.mpp, 1e4 / slide.mpp),
            description=f"Synthetic H&E-like slide, no patient (seed {slide.seed})",
            **options,
        )
        _write_levels(tiff, smaller, slide.mpp, options)
        del smaller
    path.with_suffix(".json").write_text(json.dumps(slide.truth(), separators=(",", ":")) + "\n")
    return path


def _write_levels(tiff: Any, level: RGB, mpp: float, options: dict[str, Any]) -> None:
    while True:
        mpp *= SHRINK
        tiff.write(
            _tiles(level),
            shape=level.shape,
            resolution=(1e4 / mpp, 1e4 / mpp),
            subfiletype=1,
            **options,
        )
        if max(level.shape) <= 2 * TILE:
            return
        level = _shrunk(level)


def _is_big(slide: SyntheticSlide) -> bool:
    return slide.width * slide.height > 2e9


def load_truth(path: Path | str) -> dict[str, Any]:
    """Return the truth of a written slide, given the slide's or the truth file's path."""
    truth: dict[str, Any] = json.loads(Path(path).with_suffix(".json").read_text())
    return truth


def main(arguments: Sequence[str] | None = None) -> None:
    """Write one synthetic slide, as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the TIFF to write; its truth gets the suffix .json")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=5120, help="level-0 pixels")
    parser.add_argument("--height", type=int, default=3840, help="level-0 pixels")
    parser.add_argument("--mpp", type=float, default=0.5, help="µm/px")
    parser.add_argument("--stain", choices=sorted(STAINS), default="A")
    parser.add_argument("--quality", type=int, default=75, help="JPEG quality")
    chosen = parser.parse_args(arguments)
    slide = SyntheticSlide(chosen.seed, chosen.width, chosen.height, chosen.mpp, chosen.stain)
    write_slide(slide, chosen.out, chosen.quality)
    longest, count = slide.truth()["longest_feret_mm"], len(slide.layout.nests)
    print(f"{chosen.out}: {slide.width} × {slide.height} px, {count} nests, longest {longest} mm")


if __name__ == "__main__":
    main()
