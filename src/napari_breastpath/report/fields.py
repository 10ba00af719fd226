"""The fields of view where the model is surest of tumour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import Box, Lattice
from napari_breastpath.results import Result
from napari_breastpath.results.maps import ERASED, pyramid_lattices
from napari_breastpath.results.masks import scored_channels

FIELD_UM: Final = (400.0, 300.0)
"""Width and height of a field in µm."""
FIELD_COUNT: Final = 6
SEARCH_MPP: Final = 16.0
PEAK_MAP_PX: Final = 16  # the scale of the slide score, the maximum of the 1/16 map

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of view.

    Attributes
    ----------
    number : int
        1 for the surest.
    box : Box
        Level-0 pixels.
    max_probability, mean_probability : float
        Over the field's inferred map pixels, where no hand erased.
    """

    number: int
    box: Box
    max_probability: float
    mean_probability: float


def likeliest_fields(result: Result, count: int = FIELD_COUNT) -> list[Field]:
    """Return fields that do not overlap, surest first.

    A field is placed around the highest probability of tumour, averaged over 16 × 16 map pixels (so
    that a small cluster counts as much as a large focus); among equals the one with the higher mean
    goes first. Where a hand erased, there is no probability.

    Parameters
    ----------
    result : Result
    count : int
        At most so many; fewer where the map holds fewer.
    """
    level = _search_level(result)
    lattice = pyramid_lattices(result.lattice, len(result.map.probability.levels))[level]
    heat = _tumour_heat(result, level, slice(None), slice(None))
    boxes = (
        _field_box(lattice, row, column, result)
        for row, column in _peaks(heat, lattice, result.lattice.mpp, count)
    )
    return [_measured(result, number, box) for number, box in enumerate(boxes, 1)]


def _search_level(result: Result) -> int:
    """Return the coarsest pyramid level of at most `SEARCH_MPP`, level 0 where all are coarser."""
    finest, levels = max(result.lattice.mpp), len(result.map.probability.levels)
    return max((k for k in range(levels) if finest * 2**k <= SEARCH_MPP), default=0)


def _tumour_heat(result: Result, level: int, rows: slice, columns: slice) -> Floats:
    """Return the summed probability of the tumour classes times 255, 0 where a hand erased."""
    values = result.map.probability.read(rows, columns, level)
    heat: Floats = values[list(scored_channels(result.classes))].sum(axis=0, dtype=np.float32)
    heat[result.map.label("edits").read(rows, columns, level) == ERASED] = 0
    return heat.clip(max=255)


def _peaks(
    heat: Floats, lattice: Lattice, map_mpp: tuple[float, float], count: int
) -> list[tuple[int, int]]:
    """Return the (row, column) of the fields' centres on a coarse lattice."""
    from scipy.ndimage import uniform_filter

    tall, wide = FIELD_UM[1] / lattice.mpp_y, FIELD_UM[0] / lattice.mpp_x
    peak_size = [
        max(1, round(PEAK_MAP_PX * fine / coarse))
        for fine, coarse in zip(map_mpp[::-1], lattice.mpp[::-1], strict=True)
    ]
    peak = np.floor(uniform_filter(heat, peak_size, mode="constant"))
    rank = peak + uniform_filter(heat, (max(1, round(tall)), max(1, round(wide)))) / 256
    rank[heat == 0] = 0
    found: list[tuple[int, int]] = []
    while len(found) < count and rank.size and rank.max() > 0:
        row, column = (int(v) for v in np.unravel_index(rank.argmax(), rank.shape))
        found.append((row, column))
        top, left = max(0, int(row - tall)), max(0, int(column - wide))
        rank[top : int(row + tall) + 2, left : int(column + wide) + 2] = 0
    return found


def _field_box(lattice: Lattice, row: int, column: int, result: Result) -> Box:
    """Return the field around a lattice pixel, moved into the slide where it sticks out."""
    slide, mpp = result.record["slide"], result.slide_mpp
    width, height = FIELD_UM[0] / mpp.x, FIELD_UM[1] / mpp.y
    x = (column + 0.5) * lattice.step_x - width / 2
    y = (row + 0.5) * lattice.step_y - height / 2
    return Box(
        max(0.0, min(x, slide["width"] - width)),
        max(0.0, min(y, slide["height"] - height)),
        min(width, slide["width"]),
        min(height, slide["height"]),
    )


def _measured(result: Result, number: int, box: Box) -> Field:
    values = _tumour_heat(result, 0, *result.lattice.window(box)) / 255
    inferred = values[values > 0]
    highest, mean = (float(inferred.max()), float(inferred.mean())) if inferred.size else (0.0, 0.0)
    return Field(number, box, highest, mean)
