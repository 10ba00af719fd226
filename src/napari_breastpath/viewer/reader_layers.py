"""Layers of two readers: the outlines of each, and where they differ, over one slide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.results import Result
from napari_breastpath.viewer.coordinates import lattice_placement
from napari_breastpath.viewer.layers import TAG, LayerData, label_look
from napari_breastpath.viewer.level_view import LevelView
from napari_breastpath.viewer.outlines import outlines
from napari_breastpath.viewer.palette import Rgb

READER_A, READER_B, DIFFERENCES = "reader A", "reader B", "differences"
READER_ROLES = (READER_A, READER_B, DIFFERENCES)
# Okabe & Ito (2008): blue and yellow differ for every kind of colour vision, and from H&E.
COLOURS: tuple[Rgb, Rgb] = ((0, 114, 178), (240, 228, 66))
BOTH_RGB: Rgb = (0, 0, 0)
ONLY_A, ONLY_B, OTHER_CLASS = 1, 2, 3


@dataclass(frozen=True, slots=True)
class DifferenceView(LevelView):
    """Where two masks (y, x) differ; reads both when it is indexed.

    Attributes
    ----------
    a, b : zarr.Array
        uint8 (y, x): 0 nothing, k class k; of one shape.
    background : tuple of int
        Label values that are nothing, too.
    """

    a: Any
    b: Any
    background: tuple[int, ...] = ()

    @property
    def source(self) -> Any:
        """`a`."""
        return self.a

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """Return 1 only A, 2 only B, 3 both but another class, 0 no difference."""
        a, b = self._present(self.a[key]), self._present(self.b[key])
        kinds = (a == b, b == 0, a == 0)
        return np.select(kinds, (0, ONLY_A, ONLY_B), OTHER_CLASS).astype(np.uint8)

    def _present(self, values: Any) -> NDArray[np.uint8]:
        mask: NDArray[np.uint8] = np.asarray(values)
        return np.where(np.isin(mask, self.background), 0, mask) if self.background else mask


def reader_layers(a: Result, b: Result, names: tuple[str, str]) -> list[LayerData]:
    """Describe the layers of two readers, from the bottom up; all belong to the shown `a`."""
    kinds = {ONLY_A: f"only {names[0]}", ONLY_B: f"only {names[1]}", OTHER_CLASS: "another class"}
    colours = {ONLY_A: COLOURS[0], ONLY_B: COLOURS[1], OTHER_CLASS: BOTH_RGB}
    look = label_look({value: (kinds[value], colours[value]) for value in kinds})
    differences = {"name": "Differences", "opacity": 0.4, **look, **_of(a, DIFFERENCES)}
    layers: list[LayerData] = [(difference_levels(a, b), differences, "labels")]
    for result, role, name, colour in zip((a, b), READER_ROLES, names, COLOURS, strict=False):
        arguments = {"name": name, **_one_colour(a.classes, colour), **_of(a, role)}
        layers.append((outlines(result.map.label("mask").levels), arguments, "labels"))
    return layers


def difference_levels(a: Result, b: Result) -> list[DifferenceView]:
    """Return where two results differ, a view a level; they have one lattice."""
    levels = zip(a.map.label("mask").levels, b.map.label("mask").levels, strict=True)
    background = tuple(background_values(a.classes))
    return [DifferenceView(one, other, background) for one, other in levels]


def background_values(classes: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the label values whose class is background."""
    return [value for value, kind in enumerate(classes, 1) if kind["role"] == "background"]


def _one_colour(classes: Sequence[Mapping[str, Any]], colour: Rgb) -> dict[str, Any]:
    nothing = background_values(classes)
    named: dict[int, tuple[str, tuple[int, ...]]] = {
        k: (str(c["name"]), colour) for k, c in enumerate(classes, 1) if k not in nothing
    }
    return label_look(named)


def _of(result: Result, role: str) -> dict[str, Any]:
    return {
        "metadata": {TAG: {"role": role, "result": result.path}},
        **lattice_placement(result.lattice, result.slide_mpp),
    }
