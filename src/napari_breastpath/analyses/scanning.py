"""One pass over a result's map and edits: runs of every class, block sums, unread tissue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.analyses.preparing import stored_tissue, tissue_factor
from napari_breastpath.measure import (
    Around,
    Columns,
    Frame,
    Regions,
    Runs,
    measured,
    region_table,
    stored_features,
    stored_sums,
)
from napari_breastpath.measure.columns import ranks
from napari_breastpath.measure.runs import (
    Components,
    band_runs,
    connected,
    enlarged,
    joined,
    label_runs,
    together,
)
from napari_breastpath.measure.values import RunValues, band_values, joined_values
from napari_breastpath.preprocess import tissue_pieces
from napari_breastpath.results import Result
from napari_breastpath.results.masks import (
    Band,
    bands,
    corrected_heat,
    measured_mask,
    scored_heat,
)

if TYPE_CHECKING:
    import pandas as pd

UInt8Array: TypeAlias = NDArray[np.uint8]
MAX_PIECES = 255


@dataclass(frozen=True, slots=True)
class ClassRuns:
    """The runs of one class of the mask, and the class's probabilities along them."""

    runs: Runs
    values: RunValues

    def take(self, which: Any) -> ClassRuns:
        """Return some of the runs."""
        return ClassRuns(self.runs.take(which), self.values.take(which))

    def relabelled(self, label: NDArray[np.integer]) -> ClassRuns:
        """Return the same runs with other labels."""
        return ClassRuns(self.runs.relabelled(label), self.values)


def joined_runs(parts: Sequence[ClassRuns], shape: tuple[int, int]) -> ClassRuns:
    """Return the runs of several parts, one after the other."""
    values = joined_values([part.values for part in parts])
    return ClassRuns(joined([part.runs for part in parts], shape), values)


def class_values(classes: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Return the values in the mask of the classes that are measured, and their names."""
    return {k + 1: c["name"] for k, c in enumerate(classes) if c["role"] != "background"}


def band_of_class(runs: Runs, value: int, heat: NDArray[Any], top: int) -> ClassRuns:
    """Return one class's runs of a band of the mask, `heat` (y, x) being its probabilities."""
    mine = runs.take(runs.label == value)
    return ClassRuns(mine, band_values(heat, mine, top))


@dataclass
class Scan:
    """What a pass over a result finds.

    Attributes
    ----------
    classes : dict of int to ClassRuns
        By value in the mask.
    around : Around
    model_sums, corrected_sums : ndarray of int64
        Sums of 4 × 4 px of the scored heat, as the model gave it and with edits laid over it.
    tissue_px, unread_px, edited_px : int
    """

    classes: dict[int, ClassRuns]
    around: Around
    model_sums: NDArray[np.int64]
    corrected_sums: NDArray[np.int64]
    tissue_px: int
    unread_px: int
    edited_px: int


@dataclass
class _Parts:
    """What the bands of a map gave, from top to bottom."""

    classes: dict[int, list[ClassRuns]]
    unread: list[Runs] = field(default_factory=list)
    edited: list[Runs] = field(default_factory=list)
    model_sums: list[NDArray[np.int64]] = field(default_factory=list)
    corrected_sums: list[NDArray[np.int64]] = field(default_factory=list)
    tissue_px: int = 0


def scan(result: Result, threshold: float) -> Scan:
    """Read map, edits and tissue once, by rows of blocks, and return what is measured of them."""
    shape, label = result.lattice.shape, result.map.label("tissue")
    parts = _Parts({value: [] for value in class_values(result.classes)})
    for band in bands(result):
        _scan_band(parts, band, label.read(band.rows, slice(None)) > 0, result, threshold)
    unread, edited = joined(parts.unread, shape), joined(parts.edited, shape)
    return Scan(
        {value: joined_runs(found, shape) for value, found in parts.classes.items()},
        Around(piece_runs(result), unread, edited),
        np.concatenate(parts.model_sums),
        np.concatenate(parts.corrected_sums),
        parts.tissue_px,
        int(unread.length.sum()),
        int(edited.length.sum()),
    )


def _scan_band(
    parts: _Parts, band: Band, tissue: NDArray[np.bool_], result: Result, threshold: float
) -> None:
    top, height, classes = band.rows.start, result.lattice.height, result.classes
    runs = band_runs(measured_mask(band, classes, threshold), top, height)
    for value, found in parts.classes.items():
        found.append(band_of_class(runs, value, band.heat[value - 1], top))
    parts.tissue_px += int(np.count_nonzero(tissue))
    parts.unread.append(band_runs(tissue & ~band.heat.any(axis=0), top, height))
    parts.edited.append(band_runs(band.edits != 0, top, height))
    model = stored_sums(scored_heat(band.heat, classes))
    parts.model_sums.append(model)
    edited = len(parts.edited[-1]) > 0
    parts.corrected_sums.append(stored_sums(corrected_heat(band, classes)) if edited else model)


def piece_runs(result: Result) -> Runs:
    """Return the runs of the tissue pieces, found near the tissue's own resolution."""
    coarsest = 2 ** (len(result.map.label("tissue").levels) - 1)
    factor = min(tissue_factor(result.lattice.mpp_x), coarsest)
    coarse = result.lattice.coarser(factor)
    pieces = tissue_pieces(stored_tissue(result, factor), coarse.mpp)
    return enlarged(label_runs(np.minimum(pieces, MAX_PIECES)), factor, result.lattice.shape)


def frame_of(result: Result) -> Frame:
    """Return where a result's map lies."""
    lattice = result.lattice
    return Frame(lattice.mpp, (lattice.step_x, lattice.step_y))


def components_of(found: ClassRuns, frame: Frame, around: Around) -> tuple[Components, Columns]:
    """Return the regions of one class and their measurements."""
    components = connected(found.runs)
    return components, measured(components, found.values, frame, around)


def scanned_regions(result: Result, found: Scan, specimen: str) -> Regions:
    """Measure the regions of every class and number them together, longest first."""
    frame, names = frame_of(result), class_values(result.classes)
    parts = [components_of(runs, frame, found.around) for runs in found.classes.values()]
    classes = zip((names[value] for value in found.classes), (c for _, c in parts), strict=True)
    table, order = region_table(list(classes), specimen)
    before = np.cumsum([0, *(part.count for part, _ in parts)])
    runs = together(
        part.runs.relabelled(part.runs.label + offset)
        for (part, _), offset in zip(parts, before, strict=False)
    )
    return Regions(runs.relabelled(ranks(order)[runs.label]), table)


def scanned_features(found: Scan) -> pd.DataFrame:
    """Return the 28 features of the model's map and of the map as corrected by hand."""
    import pandas as pd

    model = stored_features(found.model_sums)
    corrected = stored_features(found.corrected_sums) if found.edited_px else model
    return pd.DataFrame([model, corrected], index=pd.Index(["model", "corrected"], name="row"))
