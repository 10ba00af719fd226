"""Two readers' corrections of one slide, side by side.

Distances are between outlines: the pixels of a mask that have a 4-neighbour outside it. Of both
directions the larger counts (Maier-Hein et al., Metrics reloaded, Nature Methods 2024).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.progress import Progress, ProgressCallback, ignore_progress
from napari_breastpath.edits.entry import BoolArray
from napari_breastpath.edits.journal import read_log
from napari_breastpath.results import Result
from napari_breastpath.results.masks import scored_channels

if TYPE_CHECKING:
    import pandas as pd

    from napari_breastpath.measure.runs import Runs

    Tables: TypeAlias = tuple[pd.DataFrame, pd.DataFrame]

FloatArray: TypeAlias = NDArray[np.float64]
ONLY_A, ONLY_B = "only A", "only B"
DIFFERENCE_COLUMNS = ("class", "kind", "area_mm2", "x", "y", "width", "height")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two readers agree on one class; NaN where it cannot be said.

    Attributes
    ----------
    class_name : str
    dice : float
        2·|A ∩ B| / (|A| + |B|); NaN when neither has the class.
    hausdorff_um, hausdorff95_um : float
        Largest distance, and 95th percentile of distances, from one outline to the other in µm; NaN
        when a reader has none.
    area_mm2, longest_feret_mm : (A, B)
        Of all regions together, and of the longest region; 0 where there is none.
    category : (A, B)
        Nodal category of the longest region that is not below the size of a cell; None unless the
        specimen is a node.
    """

    class_name: str
    dice: float
    hausdorff_um: float
    hausdorff95_um: float
    area_mm2: tuple[float, float]
    longest_feret_mm: tuple[float, float]
    category: tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two results of one slide.

    Attributes
    ----------
    paths : (A, B)
    readers : (A, B)
        Who worked at each, as in the edit logs.
    classes : tuple of Agreement
        Of every class but background.
    tumour : Agreement
        Of what counts as tumour, as one mask; lengths are of its classes' own regions, as in
        result.json. With one class the same as that class.
    differences : DataFrame
        One row per 8-connected difference, largest first: class, kind (`only A`, `only B`), area in
        mm², box (x, y, width, height) in level-0 px.
    """

    paths: tuple[Path, Path]
    readers: tuple[tuple[str, ...], tuple[str, ...]]
    classes: tuple[Agreement, ...]
    tumour: Agreement
    differences: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; null for what cannot be said."""
        return {
            "results": [str(path) for path in self.paths],
            "readers": [list(names) for names in self.readers],
            "classes": [_without_nan(asdict(each)) for each in self.classes],
            "tumour": _without_nan(asdict(self.tumour)),
            "differences": self.differences.to_dict("records"),
        }


def compare_readers(
    a: Result, b: Result, progress: ProgressCallback = ignore_progress
) -> Comparison:
    """Compare the masks of two results of one slide.

    Parameters
    ----------
    a, b : Result
    progress : callable
        Called with stage `compare` before each class; what it raises ends the comparison.

    Raises
    ------
    UsageError
        The results are of different slides, maps or classes.
    """
    import pandas as pd

    check_same(a, b)
    kinds, steps = _kinds(a), len(_kinds(a)) + 1
    tables: dict[str, Tables] = {}
    agreements, differences = [], []
    for step, (name, value) in enumerate(kinds.items()):
        progress(Progress("compare", step, steps))
        masks = _mask(a, [value]), _mask(b, [value])
        tables[name] = _regions(name, masks[0], a), _regions(name, masks[1], b)
        agreements.append(_agreement(name, masks, tables[name], (a, b)))
        differences.append(_differences(name, masks, a))
    progress(Progress("compare", steps - 1, steps))
    tumour = _tumour(agreements, tables, (a, b))
    table = pd.concat(differences, ignore_index=True)
    table = table.sort_values("area_mm2", ascending=False, kind="stable", ignore_index=True)
    readers = _readers(a), _readers(b)
    return Comparison((a.path, b.path), readers, tuple(agreements), tumour, table)


def check_same(a: Result, b: Result) -> None:
    """Raise `UsageError` unless two results are of one slide, map and classes."""
    wanted = {
        "slide": [r.record["slide"]["fingerprint"] for r in (a, b)],
        "map": [r.lattice for r in (a, b)],
        "classes": [[kind["name"] for kind in r.classes] for r in (a, b)],
    }
    for what, (one, other) in wanted.items():
        if one != other:
            cause = f"its {what} is not that of {a.path.name}"
            raise UsageError(b.path, cause, "give two results of one slide and model")


def _kinds(result: Result) -> dict[str, int]:
    """Return the label value of each class but background, by name."""
    kinds = enumerate(result.classes, 1)
    return {str(kind["name"]): value for value, kind in kinds if kind["role"] != "background"}


def _mask(result: Result, values: Sequence[int]) -> BoolArray:
    mask: BoolArray = np.isin(result.map.label("mask").read(slice(None), slice(None)), values)
    return mask


def _readers(result: Result) -> tuple[str, ...]:
    return tuple(sorted({entry.reader for entry in read_log(result) if entry.reader}))


def _regions(name: str, mask: BoolArray, result: Result) -> pd.DataFrame:
    from napari_breastpath.measure import measure_regions

    return measure_regions(mask, result.lattice.mpp, class_name=name)


def _agreement(
    name: str,
    masks: tuple[BoolArray, BoolArray],
    tables: Tables,
    results: tuple[Result, Result],
    roles: Mapping[str, str] | None = None,
) -> Agreement:
    """Return how far two masks agree, whose regions are in `tables`."""
    from napari_breastpath.measure import summarise

    specimens = [str(result.record.get("specimen", "unspecified")) for result in results]
    one, other = (summarise(t, s, roles) for t, s in zip(tables, specimens, strict=True))
    return Agreement(
        name,
        _dice(*masks),
        *outline_distances(*masks, results[0].lattice.mpp),
        (one["total_area_mm2"], other["total_area_mm2"]),
        (one["longest_feret_mm"], other["longest_feret_mm"]),
        (one["category"], other["category"]),
    )


def _tumour(
    agreements: Sequence[Agreement],
    tables: Mapping[str, Tables],
    results: tuple[Result, Result],
) -> Agreement:
    """Return the agreement on the classes that count as tumour, as one mask."""
    import pandas as pd

    classes = results[0].classes
    roles = {classes[k]["name"]: classes[k]["role"] for k in scored_channels(classes)}
    parts = [tables[name] for name in roles if name in tables]
    if len(parts) == 1:
        return next(each for each in agreements if each.class_name in roles)
    values = [value for name, value in _kinds(results[0]).items() if name in roles]
    masks = _mask(results[0], values), _mask(results[1], values)
    both = pd.concat([a for a, _ in parts]), pd.concat([b for _, b in parts])
    return _agreement("tumour, all classes", masks, both, results, roles)


def _dice(a: BoolArray, b: BoolArray) -> float:
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / total if total else math.nan


def outline(mask: BoolArray) -> BoolArray:
    """Return the pixels of a mask with a 4-neighbour outside it; beyond the edge is outside."""
    inner = mask.copy()
    inner[0] = inner[-1] = inner[:, 0] = inner[:, -1] = False
    inner[1:-1] &= mask[:-2] & mask[2:]
    inner[:, 1:-1] &= mask[:, :-2] & mask[:, 2:]
    return mask & ~inner


def outline_distances(a: BoolArray, b: BoolArray, mpp: tuple[float, float]) -> tuple[float, float]:
    """Return the Hausdorff distance of two masks' outlines and its 95 % version, in µm."""
    if not (a.any() and b.any()):
        return math.nan, math.nan
    edges = outline(a), outline(b)
    both = _to_outline(edges[0], edges[1], mpp), _to_outline(edges[1], edges[0], mpp)
    largest = max(float(distances.max()) for distances in both)
    return largest, max(float(np.percentile(distances, 95)) for distances in both)


def _to_outline(edge: BoolArray, other: BoolArray, mpp: tuple[float, float]) -> FloatArray:
    """Return the distance in µm of every pixel of an outline to another outline."""
    from scipy.spatial import KDTree

    distances = np.zeros(np.count_nonzero(edge))
    away = ~other[edge]
    tree = KDTree(np.argwhere(other) * mpp[::-1])
    distances[away] = tree.query(np.argwhere(edge & ~other) * mpp[::-1])[0]
    return distances


def _differences(name: str, masks: tuple[BoolArray, BoolArray], result: Result) -> pd.DataFrame:
    import pandas as pd

    from napari_breastpath.measure import find_regions

    tables = []
    for kind, (own, other) in ((ONLY_A, masks), (ONLY_B, masks[::-1])):
        regions = find_regions(own & ~other, result.lattice.mpp)
        table = pd.DataFrame({"class": name, "kind": kind, "area_mm2": regions.table["area_mm2"]})
        tables.append(table.join(_boxes(regions.runs, len(table), result)))
    return pd.concat(tables, ignore_index=True)[list(DIFFERENCE_COLUMNS)]


def _boxes(runs: Runs, count: int, result: Result) -> pd.DataFrame:
    """Return the level-0 boxes of the labels 1..count."""
    import pandas as pd

    label, far = runs.label - 1, np.iinfo(np.int32).max
    top, left = np.full(count, far), np.full(count, far)
    bottom, right = np.zeros(count, np.int32), np.zeros(count, np.int32)
    for low, values in ((top, runs.row), (left, runs.start)):
        np.minimum.at(low, label, values)
    for high, values in ((bottom, runs.row + 1), (right, runs.end)):
        np.maximum.at(high, label, values)
    step_x, step_y = result.lattice.step_x, result.lattice.step_y
    boxes = {"x": left * step_x, "y": top * step_y}
    size = {"width": (right - left) * step_x, "height": (bottom - top) * step_y}
    return pd.DataFrame(boxes | size)


def _without_nan(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in values.items()
    }
