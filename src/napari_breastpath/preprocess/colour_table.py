"""What each of the 2²⁴ colours of a slide becomes, worked out as the colours are met."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from napari_breastpath.preprocess.concentrations import REGULARIZER, active_sets
from napari_breastpath.preprocess.optical_density import Floats, Rgb, density_table

COLOURS = 1 << 24


class ColourTable:
    """A slide's colours with its two stains exchanged for another's.

    A colour's new value depends on nothing but the colour and the two matrices. A slide shows
    less than a million of the 16.8: each is computed once, when it is first met (30 ms a slide
    instead of 500 for all; `benchmarks/stain.py`), on the CPU, so that every device shows the same.

    Parameters
    ----------
    source, target : (2, 3) float64
        Stain matrices.
    scale : (2,) float64
        Factor on each concentration, maximum of the target over that of the source.
    regularizer : float
        λ of `concentrations`.
    """

    def __init__(
        self, source: Floats, target: Floats, scale: Floats, regularizer: float = REGULARIZER
    ) -> None:
        weights, offsets = active_sets(source, regularizer)
        scales = np.concatenate([scale, scale])
        self._planes = (weights * scales[:, None])[:, :, None] * density_table()
        self._offsets = offsets * scales
        self._is_smaller = bool(source[0] @ source[1] >= 0)
        self._target = np.ascontiguousarray(target)
        self._known = np.zeros(COLOURS, np.uint32)

    def recoloured(self, rgb: Rgb) -> Rgb:
        """Return (…, 3) uint8 in the new colours; from any number of threads."""
        from napari_breastpath.preprocess.kernels import recolour

        out = np.empty(rgb.shape, np.uint8)
        # One type of array, so that Numba compiles once.
        pixels = np.ascontiguousarray(rgb).reshape(-1, 3)
        pixels.setflags(write=False)
        matrices = self._planes, self._offsets, self._is_smaller, self._target
        recolour(pixels, self._known, *matrices, out.reshape(-1, 3))
        return out

    def whole(self) -> Rgb:
        """Return the new value of every colour, (2²⁴, 3), at 65536·r + 256·g + b."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.concatenate(list(pool.map(self._of_red, range(256))))

    def _of_red(self, red: int) -> Rgb:
        green, blue = np.divmod(np.arange(1 << 16), 256)
        rgb = np.stack([np.full_like(green, red), green, blue], axis=-1)
        return self.recoloured(rgb.astype(np.uint8))
