"""The objects of a result as a table, one row each, in flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import ResultError
from napari_breastpath.results import ObjectBatch, Result

if TYPE_CHECKING:
    import pandas as pd

ROWS: Final = 16_384


def centroids(batch: ObjectBatch) -> NDArray[np.float64]:
    """Return the centre of gravity of every outline, level-0 (x, y) px, shape (n, 2).

    Of a polygon by its signed area (Bourke 1988, "Calculating the area and centroid of a polygon");
    of a point, or of an outline without area, the mean of its vertices.
    """
    vertices, sizes = batch.vertices()
    starts = sizes.cumsum() - sizes
    means = np.add.reduceat(vertices, starts, dtype=float) / sizes[:, None]
    here = vertices - means.repeat(sizes, axis=0)
    following = np.arange(1, len(here) + 1)
    following[starts + sizes - 1] = starts
    after = here[following]
    doubled = here[:, 0] * after[:, 1] - after[:, 0] * here[:, 1]
    total = np.add.reduceat(doubled, starts)[:, None]
    moment = np.add.reduceat((here + after) * doubled[:, None], starts)
    flat = np.abs(total) < 1e-9
    return means + np.where(flat, 0, moment / np.where(flat, 1, 3 * total))


def object_tables(result: Result, facts: Mapping[str, Any]) -> Iterator[pd.DataFrame]:
    """Yield the table of a result's objects in parts, the first one even if there are none.

    Parameters
    ----------
    result : Result
        Of an analysis that looks for objects; `ResultError` for another.
    facts : mapping
        More columns, of one value each.

    Yields
    ------
    DataFrame
        One row per object: `object` (from 1), `class`, `centroid_x_level0_px`,
        `centroid_y_level0_px`, the measurements by their names (float32, NaN unknown), the facts.
    """
    if (objects := result.objects) is None:
        cause = f"the analysis {result.record['analysis']} does not look for objects"
        raise ResultError(result.path, cause, "leave out --objects for its regions")
    nothing = {name: np.zeros(0, np.float32) for name in objects.names}
    none = ObjectBatch(np.zeros((0, 2)), np.zeros(0, int), nothing)
    names, first = [kind["name"] for kind in objects.classes], 1
    for batch in objects.batches(ROWS) if len(objects) else [none]:
        yield _table(batch, first, names).assign(**facts)
        first += len(batch.shapes)


def _table(batch: ObjectBatch, first: int, names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    x, y = centroids(batch).round(2).T
    columns = {
        "object": np.arange(first, first + len(x)),
        "class": np.array(names, object)[batch.class_index],
        "centroid_x_level0_px": x,
        "centroid_y_level0_px": y,
    }
    return pd.DataFrame({**columns, **batch.measurements})
