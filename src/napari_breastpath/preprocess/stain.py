"""Stain normalisation with one matrix per slide: its two stains exchanged for a target's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from napari_breastpath.core.errors import UsageError
from napari_breastpath.preprocess.colour_table import ColourTable
from napari_breastpath.preprocess.concentrations import concentrations
from napari_breastpath.preprocess.optical_density import (
    Floats,
    Rgb,
    is_stained,
    optical_density,
    require_rgb,
)
from napari_breastpath.preprocess.stain_matrix import angle_degrees, macenko, vahadane

if TYPE_CHECKING:
    import torch

ESTIMATORS = {"vahadane": vahadane, "macenko": macenko}
MAX_CONCENTRATION_PERCENTILE = 99
MIN_STAINED_PIXELS = 1000
DICTIONARY_PIXELS = 100_000
PERCENTILE_PIXELS = 2_000_000
# Below these nothing tells haematoxylin from eosin: one dye, grey, or a single flat colour.
MIN_ANGLE_DEGREES = 1.0
MIN_MAX_CONCENTRATION = 0.05


class UnusableStainError(ValueError):
    """The pixels do not show two stains; the message says why."""


@dataclass(frozen=True, slots=True)
class Stains:
    """Two stains as an image shows them.

    Attributes
    ----------
    matrix : (2, 3) float64
        Haematoxylin and eosin, rows of length 1, in natural optical density.
    max_concentration : (2,) float64
        99th percentile of each one's concentration.
    """

    matrix: Floats
    max_concentration: Floats

    @classmethod
    def of(cls, matrix: npt.ArrayLike, max_concentration: npt.ArrayLike) -> Self:
        """Return checked stains; raise `UsageError` where they are unusable as a target."""
        stains = cls(np.array(matrix, np.float64), np.array(max_concentration, np.float64).ravel())
        shapes_fit = stains.matrix.shape == (2, 3) and stains.max_concentration.shape == (2,)
        if not shapes_fit or not stains.is_usable():
            raise UsageError(
                "stain target",
                "its stain matrix (2, 3) or maximum concentrations (2,) are unusable",
                "give two different rows and two positive numbers",
            )
        return stains

    @classmethod
    def estimate(cls, rgb: Rgb, method: str) -> Self:
        """Estimate the stains of some pixels.

        The matrix comes from the pixels darker than L* 79.8 (at most 100 000, spread evenly), the
        maximum from all pixels (at most 2 000 000), as in StainTools.

        Parameters
        ----------
        rgb : (…, 3) uint8
        method : {"vahadane", "macenko"}

        Raises
        ------
        UnusableStainError
            With too little tissue, or not two stains.
        """
        require_rgb(rgb)
        pixels = rgb.reshape(-1, 3)
        stained = pixels[is_stained(pixels)]
        if len(stained) < MIN_STAINED_PIXELS:
            raise UnusableStainError(f"too little tissue ({len(stained)} stained pixels)")
        density = optical_density(thinned(stained, DICTIONARY_PIXELS))
        if np.ptp(density, axis=0).max() == 0:
            raise UnusableStainError("all stained pixels have one colour")
        matrix = ESTIMATORS[method](density)
        if not np.isfinite(matrix).all() or angle_degrees(matrix) < MIN_ANGLE_DEGREES:
            raise UnusableStainError("two stains cannot be told apart")
        amounts = concentrations(thinned(pixels, PERCENTILE_PIXELS), matrix)
        stains = cls(matrix, np.percentile(amounts, MAX_CONCENTRATION_PERCENTILE, axis=0))
        if not stains.is_usable():
            raise UnusableStainError("only one stain was found")
        return stains

    def is_usable(self) -> bool:
        """Return whether both stains are there and differ."""
        finite = np.isfinite(self.matrix).all() and np.isfinite(self.max_concentration).all()
        if not finite or self.max_concentration.min() < MIN_MAX_CONCENTRATION:
            return False
        return angle_degrees(self.matrix) >= MIN_ANGLE_DEGREES

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values; floats survive exactly."""
        return {
            "stain_matrix": self.matrix.tolist(),
            "max_concentration": self.max_concentration.tolist(),
        }


class StainNormalizer:
    """Vahadane or Macenko stain normalisation, one source matrix per slide.

    `fit` (or `from_target`) says what the slide shall look like, `fit_source` what it is made of,
    `transform` and `transform_batch` change its pixels. Equal pixels give equal matrices, and a
    pixel becomes the same colour in whichever tile or batch and on whichever device.

    Parameters
    ----------
    method : {"vahadane", "macenko"}
        How the stain vectors are estimated.

    Attributes
    ----------
    target, source : Stains or None
        What was fitted.
    source_flag : str or None
        Why the source has no usable stains; `transform` then returns its input unchanged.
    """

    def __init__(self, method: str = "vahadane") -> None:
        if method not in ESTIMATORS:
            raise UsageError(method, "no such stain method", f"use one of {', '.join(ESTIMATORS)}")
        self.method = method
        self.target: Stains | None = None
        self.source: Stains | None = None
        self.source_flag: str | None = None
        self._colours: ColourTable | None = None
        self._tables: dict[torch.device, torch.Tensor] = {}

    @classmethod
    def from_target(
        cls, method: str, stain_matrix: npt.ArrayLike, max_concentration: npt.ArrayLike
    ) -> Self:
        """Return a normaliser with the target of a model bundle.

        Parameters
        ----------
        method : {"vahadane", "macenko"}
        stain_matrix : (2, 3) floats
        max_concentration : (2,) floats
        """
        normalizer = cls(method)
        normalizer.target = Stains.of(stain_matrix, max_concentration)
        return normalizer

    @property
    def stain_matrix_target(self) -> Floats | None:
        """(2, 3) float64: haematoxylin and eosin of the target."""
        return self.target.matrix if self.target else None

    @property
    def stain_matrix_source(self) -> Floats | None:
        """(2, 3) float64: haematoxylin and eosin of the slide."""
        return self.source.matrix if self.source else None

    @property
    def max_concentration_target(self) -> Floats | None:
        """(2,) float64: 99th percentile of each stain in the target."""
        return self.target.max_concentration if self.target else None

    @property
    def max_concentration_source(self) -> Floats | None:
        """(2,) float64: 99th percentile of each stain in the slide."""
        return self.source.max_concentration if self.source else None

    def fit(self, target_rgb: Rgb) -> Self:
        """Take the colours that slides shall get from an image.

        Parameters
        ----------
        target_rgb : (…, 3) uint8
            H&E pixels.

        Raises
        ------
        UsageError
            When the image holds too little tissue or not two stains.
        """
        try:
            self.target = Stains.estimate(target_rgb, self.method)
        except UnusableStainError as error:
            advice = "give an H&E image with more tissue"
            raise UsageError("stain target", str(error), advice) from error
        self._forget_colours()
        return self

    def fit_source(self, rgb: Rgb) -> Self:
        """Estimate what the slide at hand is stained with; where that fails set `source_flag`.

        Parameters
        ----------
        rgb : (…, 3) uint8
            A sample of the slide's tissue, as `sample_tissue_pixels` gives it.
        """
        self.source, self.source_flag = None, None
        try:
            self.source = Stains.estimate(rgb, self.method)
        except UnusableStainError as error:
            self.source_flag = str(error)
        self._forget_colours()
        return self

    def transform(self, rgb: Rgb) -> Rgb:
        """Return (…, 3) uint8 with the slide's two stains exchanged for the target's."""
        require_rgb(rgb)
        return rgb if self.source_flag is not None else self._colour_table().recoloured(rgb)

    def transform_batch(self, batch: torch.Tensor) -> torch.Tensor:
        """Return an (N, H, W, 3) uint8 tensor, on the same device, with the stains exchanged."""
        import torch

        if self.source_flag is not None:
            return batch
        if batch.device.type == "cpu":
            return torch.from_numpy(self._colour_table().recoloured(batch.numpy()))
        red, green, blue = batch.reshape(-1, 3).unbind(-1)
        colours = red.to(torch.int32).mul_(256).add_(green).mul_(256).add_(blue)
        return self._table_on(batch.device).index_select(0, colours).view(batch.shape)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON-able values; floats survive exactly."""
        return {
            "method": self.method,
            "target": self.target.to_dict() if self.target else None,
            "source": self.source.to_dict() if self.source else None,
            "source_flag": self.source_flag,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the normaliser that `to_dict` wrote, giving the same pixels bit for bit."""
        normalizer = cls(values["method"])
        normalizer.target, normalizer.source = (
            Stains.of(values[key]["stain_matrix"], values[key]["max_concentration"])
            if values[key]
            else None
            for key in ("target", "source")
        )
        normalizer.source_flag = values["source_flag"]
        return normalizer

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_colours": None, "_tables": {}}

    def _forget_colours(self) -> None:
        self._colours = None
        self._tables.clear()

    def _table_on(self, device: torch.device) -> torch.Tensor:
        """Return the whole table on a device that cannot ask for one colour at a time."""
        import torch

        if device not in self._tables:
            self._tables[device] = torch.from_numpy(self._colour_table().whole()).to(device)
        return self._tables[device]

    def _colour_table(self) -> ColourTable:
        """Return the colours known so far; there are none at the first call.

        Two threads may each make a table at first: whichever stays, the colours are the same.
        """
        if self._colours is None:
            self._colours = self._new_table()
        return self._colours

    def _new_table(self) -> ColourTable:
        if self.target is None or self.source is None:
            missing = "target" if self.target is None else "source"
            advice = "call fit or from_target, then fit_source"
            raise UsageError("stain normaliser", f"it has no {missing}", advice)
        ratio = self.target.max_concentration / self.source.max_concentration
        return ColourTable(self.source.matrix, self.target.matrix, ratio)


def thinned(pixels: Rgb, count: int) -> Rgb:
    """Return at most `count` of the (n, 3) pixels, evenly spread and always the same."""
    if len(pixels) <= count:
        return pixels
    return pixels[np.linspace(0, len(pixels) - 1, count).round().astype(np.int64)]
