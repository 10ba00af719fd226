"""StainTools as it is: the winner's way, one stain matrix per tile.

The only place that imports it. StainTools pulls in OpenCV, whose import points Qt at plugins of its
own and so keeps napari from opening a window; the environment is put back afterwards.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from napari_breastpath.preprocess.optical_density import Rgb, require_rgb
from napari_breastpath.preprocess.stain import Stains

if TYPE_CHECKING:
    import torch

QT_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
_importing = threading.Lock()


@cache
def staintools() -> ModuleType:
    """Import StainTools, leaving Qt's environment variables as they were."""
    with _importing:
        before = {name: os.environ.get(name) for name in QT_VARIABLES}
        try:
            import staintools as module
        finally:
            for name, value in before.items():
                _restore(name, value)
    return module  # type: ignore[no-any-return]


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def standardize_luminosity(rgb: Rgb, percentile: float = 95) -> Rgb:
    """Return (h, w, 3) uint8 brightened until that percentile of lightness is white.

    StainTools' `LuminosityStandardizer`; its normaliser does not call it, the winner does, for the
    target and for each tile.
    """
    require_rgb(rgb)
    bright: Rgb = staintools().LuminosityStandardizer.standardize(rgb.copy(), percentile)
    return bright


class StaintoolsNormalizer:
    """StainTools' Vahadane with a new matrix for each tile, as the winner of HeLP 2019 ran it.

    Slow (a second per tile) and not reproducible: its dictionary trains for one second of wall
    clock. A tile that it cannot do (blank, no second stain) is passed through unchanged and
    counted; the winner's code made it black.

    Parameters
    ----------
    luminosity : bool
        Standardise the luminosity of the target and of each tile first, as the winner does.

    Attributes
    ----------
    passed_through : int
        Tiles returned unchanged so far.
    source_flag : None
        There is no source to be flagged: each tile is its own.
    """

    method = "staintools"
    source_flag: str | None = None

    def __init__(self, luminosity: bool = True) -> None:
        self.luminosity = luminosity
        self.passed_through = 0
        self._normalizer = staintools().StainNormalizer(method="vahadane")

    def fit(self, target_rgb: Rgb) -> Self:
        """Take the target's colours from an (h, w, 3) uint8 image, as StainTools does."""
        self._normalizer.fit(self._prepared(target_rgb))
        return self

    @classmethod
    def from_target(
        cls,
        stain_matrix: npt.ArrayLike,
        max_concentration: npt.ArrayLike,
        luminosity: bool = True,
    ) -> Self:
        """Return a normaliser with the target of a model bundle, (2, 3) and (2,) floats."""
        target = Stains.of(stain_matrix, max_concentration)
        normalizer = cls(luminosity)
        normalizer._normalizer.stain_matrix_target = target.matrix
        normalizer._normalizer.maxC_target = target.max_concentration.reshape(1, 2)
        return normalizer

    def transform(self, rgb: Rgb) -> Rgb:
        """Return (h, w, 3) uint8 in the target's stains, or unchanged where StainTools fails."""
        require_rgb(rgb)
        try:
            with np.errstate(divide="raise", invalid="raise"):
                changed: Rgb = self._normalizer.transform(self._prepared(rgb))
        except Exception:  # noqa: BLE001 - it raises bare ones of its own, SPAMS', OpenCV's, NumPy's
            self.passed_through += 1
            return rgb
        return changed

    def transform_batch(self, batch: torch.Tensor) -> torch.Tensor:
        """Return an (N, H, W, 3) uint8 tensor on the same device, tile by tile on the CPU."""
        import torch

        tiles = [self.transform(tile) for tile in batch.cpu().numpy()]
        return torch.from_numpy(np.stack(tiles)).to(batch.device)

    def to_dict(self) -> dict[str, Any]:
        """Return what can be recorded: the target, and how many tiles were passed through."""
        target = Stains(
            np.asarray(self._normalizer.stain_matrix_target),
            np.asarray(self._normalizer.maxC_target).ravel(),
        )
        return {
            "method": self.method,
            "luminosity": self.luminosity,
            "target": target.to_dict(),
            "passed_through": self.passed_through,
        }

    def _prepared(self, rgb: Rgb) -> Rgb:
        """Return a copy (StainTools writes into its input), brightened where asked for."""
        return standardize_luminosity(rgb) if self.luminosity else rgb.copy()


def staintools_normalizer(
    stain_matrix: npt.ArrayLike, max_concentration: npt.ArrayLike, luminosity: bool = True
) -> StaintoolsNormalizer:
    """Return the winner's per-tile normaliser towards a model's target, for `--stain staintools`.

    Parameters
    ----------
    stain_matrix : (2, 3) floats
    max_concentration : (2,) floats
    luminosity : bool
        Standardise each tile's luminosity first, as the winner does.
    """
    return StaintoolsNormalizer.from_target(stain_matrix, max_concentration, luminosity)
