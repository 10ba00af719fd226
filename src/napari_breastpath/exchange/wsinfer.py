"""Tile probabilities as WSInfer writes them (`model-outputs-csv/<slide>.csv`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import ResultError
from napari_breastpath.core.geometry import Lattice
from napari_breastpath.core.grid import Grid
from napari_breastpath.results import Result
from napari_breastpath.results.files import whole
from napari_breastpath.results.maps import DONE

Floats = NDArray[np.float64]
BOX = ("minx", "miny", "width", "height")


def export_tiles(result: Result, path: Path) -> None:
    """Write one row per tile that was inferred: its box and the mean probability of each class.

    The columns are `minx,miny,width,height,prob_<class>…`. Boxes are whole level-0 pixels counted
    from the scanner's origin (`bounds_offset` added); tiles overlap as they did in the run. A
    probability is the *mean of the blended map* over the tile's analysed pixels, not the network's
    answer for that tile alone. WSInfer's classifiers answer per tile; ours segment.
    """
    import pandas as pd

    grid = run_grid(result)
    names = [*BOX, *(f"prob_{kind['name']}" for kind in result.classes)]
    rows = [row for band in range(grid.shape[0]) for row in _tile_rows(result, grid, band)]
    table = pd.DataFrame(rows, columns=names).astype(dict.fromkeys(BOX, int))
    with whole(path) as draft:
        table.to_csv(draft, index=False, float_format="%.6f")


def run_grid(result: Result) -> Grid:
    """Return the tiles of the run that made a result.

    Raises
    ------
    ResultError
        The record does not say how large its tiles were.
    """
    slide, model = result.record["slide"], result.record["model"]
    if "tile_size" not in model:
        raise ResultError(result.path, "does not say how large its tiles are", "analyse it again")
    lattice = Lattice.over(slide["width"], slide["height"], result.slide_mpp, model["mpp"])
    overlap = result.record["settings"]["overlap"]
    grid = Grid.over(lattice, model["tile_size"], overlap, model["output_stride"])
    if grid.shape != result.map.tile_state.shape:
        raise ResultError(result.path, "its tiles are not those of its model", "analyse it again")
    return grid


def _tile_rows(result: Result, grid: Grid, band: int) -> Iterator[list[float]]:
    """Yield the rows of the inferred tiles of one row of the grid."""
    done = np.flatnonzero(result.map.tile_state[band] == DONE)
    if not len(done):
        return
    means = _means(result, grid, band)
    offset_x, offset_y = result.record["slide"].get("bounds_offset", (0.0, 0.0))
    for column in done[np.isfinite(means[0, done])]:
        box = grid.box(band, int(column))
        corner = round(box.x + offset_x), round(box.y + offset_y)
        yield [*corner, round(box.width), round(box.height), *means[:, column]]


def _means(result: Result, grid: Grid, band: int) -> Floats:
    """Return the mean probability (class, column) over the analysed pixels of a row of tiles."""
    windows = [grid.window(band, column)[1] for column in range(grid.shape[1])]
    heat = result.map.probability.read(grid.window(band, 0)[0], slice(None))
    sums, counts = (
        np.pad(part.sum(axis=1).cumsum(axis=-1), ((0, 0), (1, 0)))
        for part in (heat.astype(np.int64), heat > 0)
    )
    starts, stops = [w.start for w in windows], [w.stop for w in windows]
    with np.errstate(invalid="ignore"):
        means: Floats = (sums[:, stops] - sums[:, starts]) / (counts[:, stops] - counts[:, starts])
    return means / 255
