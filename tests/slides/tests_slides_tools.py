"""What the tests of slides share: small files, and an area mean computed another way."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from hypothesis import strategies as st
from numpy.typing import NDArray


def noise(*shape: int, dtype: str = "uint8", seed: int = 0) -> NDArray[Any]:
    """Return reproducible noise over the dtype's whole range."""
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, shape, dtype, endpoint=True)


def tiff(path: Path, *levels: NDArray[Any], mpp: float | None = None, **how: Any) -> Path:
    """Write levels, finest first, as one pyramidal tiled TIFF."""
    options: dict[str, Any] = {"tile": (64, 64), "photometric": "rgb", "metadata": None} | how
    with tifffile.TiffWriter(path) as writer:
        for index, level in enumerate(levels):
            if mpp is not None:
                density = 1e4 / mpp * level.shape[0] / levels[0].shape[0]
                options |= {"resolution": (density, density), "resolutionunit": "CENTIMETER"}
            writer.write(level, subfiletype=int(index > 0), **options)
    return path


def integral_mean(
    image: NDArray[np.uint8],
    x: float,
    y: float,
    columns: int,
    rows: int,
    step_x: float,
    step_y: float,
) -> NDArray[np.float64]:
    """Return footprint means from the image's integral, white around it."""
    pad = 400
    wide = np.pad(image.astype(float), ((pad, pad), (pad, pad), (0, 0)), constant_values=255)
    down = _between(wide, pad + y + step_y * np.arange(rows + 1), axis=0) / step_y
    return _between(down, pad + x + step_x * np.arange(columns + 1), axis=1) / step_x


def _between(values: NDArray[np.float64], edges: NDArray[np.float64], axis: int) -> Any:
    total = np.insert(np.cumsum(values, axis), 0, 0, axis)
    below = np.floor(edges).astype(int)
    shape = [-1 if n == axis else 1 for n in range(values.ndim)]
    at = np.take(total, below, axis) + np.take(values, below, axis) * (edges - below).reshape(shape)
    return np.diff(at, axis=axis)


def cut(length: int, data: st.DataObject) -> list[tuple[int, int]]:
    """Return adjoining pieces of a length, cut where hypothesis likes."""
    inner = data.draw(st.sets(st.integers(1, length - 1), max_size=3))
    edges = [0, *sorted(inner), length]
    return list(itertools.pairwise(edges))
