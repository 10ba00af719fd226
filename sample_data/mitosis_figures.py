"""How well heat tells mitotic figures from what is around them, and from other tissue.

MIDOG's crops show one figure each, in the middle, and look-alikes are not marked: sensitivity and
AUC against tissue around the figures can be measured, precision cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from held_out_images import Network, Rgb, by_source, extent, read_whole
from napari_breastpath.models import ModelBundle
from napari_breastpath.training.evaluation.bootstrap import bootstrap
from napari_breastpath.training.evaluation.slide_measures import roc_auc
from napari_breastpath.training.sources import Sample
from napari_breastpath.training.truth import PointTruth

Heat: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]
Scored: TypeAlias = list[tuple[str, float]]
"""Patient and score, one for each place that is looked at."""
NEAR_UM, FAR_UM, CELL_UM = 3.0, 10.0, 8.0
INSIDE_PX = 8


def measure(
    samples: Sequence[Sample], network: Network, bundle: ModelBundle
) -> dict[str, dict[str, Any]]:
    """Return figures of the crops around figures, then of each source without any.

    AUC with its 95 % interval, patients (slides) resampled.
    """
    sources = by_source(samples)
    crops = [s for own in sources.values() for s in own if not s.source.empty]
    fixed, moved = _crop_scores(crops, network, bundle.mpp)
    found = {crops[0].source.title: extent(crops) | _crop_figures(fixed, moved, bundle.threshold)}
    for title, own in sources.items():
        if own[0].source.empty:
            cells = _cell_scores(own, network, bundle.mpp)
            found[title] = extent(own) | _other_figures(fixed[0], cells, bundle.threshold)
    return found


def _crop_figures(
    fixed: tuple[Scored, Scored], moved: tuple[Scored, Scored], threshold: float
) -> dict[str, Any]:
    return {
        "AUC, figure against its crop's corners": auc(*fixed),
        "AUC, figure anywhere in half of its crop against the rest beyond 10 µm": auc(*moved),
        "figures above the threshold": share_above(fixed[0], threshold),
        "corners above the threshold": share_above(fixed[1], threshold),
    }


def _other_figures(figures: Scored, cells: Scored, threshold: float) -> dict[str, Any]:
    share = share_above(cells, threshold)
    return {
        "squares of 8 µm": len(cells),
        "AUC, figure against squares": auc(figures, cells),
        "squares above the threshold per mm²": round(share * 1e6 / CELL_UM**2),
    }


def _crop_scores(
    crops: Sequence[Sample], network: Network, mpp: float
) -> tuple[tuple[Scored, Scored], tuple[Scored, Scored]]:
    """Return (figures, the rest): in crops as they are, and in halves that lie anyhow around it."""
    rng = np.random.default_rng(0)
    fixed: tuple[Scored, Scored] = [], []
    moved: tuple[Scored, Scored] = [], []
    for sample in crops:
        rgb, point = read_whole(sample, mpp), _point(sample, mpp)
        heat = network(rgb)[0]
        fixed[0].append((sample.patient, near(heat, point, mpp)))
        fixed[1].extend((sample.patient, value) for value in corners(heat, mpp))
        part, place = moved_part(rgb, point, rng)
        heat = network(part)[0]
        moved[0].append((sample.patient, near(heat, place, mpp)))
        moved[1].append((sample.patient, far(heat, place, mpp)))
    return fixed, moved


def _point(sample: Sample, mpp: float) -> Floats:
    """Return x, y of a crop's figure in pixels of some µm/px."""
    assert isinstance(sample.truth, PointTruth)
    own = sample.slide.mpp
    point: Floats = sample.truth.points[0] * (own.x, own.y) / mpp
    return point


def _cell_scores(samples: Sequence[Sample], network: Network, mpp: float) -> Scored:
    return [
        (sample.patient, float(value))
        for sample in samples
        for value in cells(network(read_whole(sample, mpp))[0], mpp)
    ]


def near(heat: Heat, point: Floats, mpp: float) -> float:
    """Return the largest heat within 3 µm of a point (x, y)."""
    return float(heat[distances_um(heat.shape, point, mpp) < NEAR_UM].max())


def far(heat: Heat, point: Floats, mpp: float) -> float:
    """Return the largest heat farther than 10 µm from a point (x, y)."""
    return float(heat[distances_um(heat.shape, point, mpp) > FAR_UM].max())


def distances_um(shape: tuple[int, ...], point: Floats, mpp: float) -> Floats:
    """Return the distance of every pixel's centre from a point (x, y), (y, x)."""
    ys, xs = ((np.arange(n) + 0.5 - p) * mpp for n, p in zip(shape, point[::-1], strict=True))
    distance: Floats = np.hypot(ys[:, None], xs[None])
    return distance


def corners(heat: Heat, mpp: float) -> list[float]:
    """Return the largest heat in each corner's square of 8 µm."""
    side = round(CELL_UM / mpp)
    return [float(heat[y][:, x].max()) for y in _ends(side) for x in _ends(side)]


def _ends(side: int) -> tuple[slice, slice]:
    return slice(None, side), slice(-side, None)


def cells(heat: Heat, mpp: float) -> Heat:
    """Return the largest heat in each square of 8 µm; what is left over at the edges is not."""
    side = round(CELL_UM / mpp)
    rows, columns = (length // side for length in heat.shape)
    whole = heat[: rows * side, : columns * side].reshape(rows, side, columns, side)
    largest: Heat = whole.max(axis=(1, 3)).ravel()
    return largest


def moved_part(rgb: Rgb, point: Floats, rng: np.random.Generator) -> tuple[Rgb, Floats]:
    """Return half of a crop's edges, with the point anywhere in it, and where it is there."""
    x, y = (int(rng.integers(*_starts(p, n))) for p, n in zip(point, rgb.shape[1::-1], strict=True))
    height, width = rgb.shape[0] // 2, rgb.shape[1] // 2
    return rgb[y : y + height, x : x + width], point - (x, y)


def _starts(place: float, length: int) -> tuple[int, int]:
    """Return where a half may start so that it holds a place at least 8 px from its ends."""
    half = length // 2
    return max(0, int(place) + INSIDE_PX - half), min(half, int(place) - INSIDE_PX) + 1


def auc(positive: Scored, negative: Scored) -> list[float]:
    """Return AUC and the ends of its 95 % interval, patients resampled."""
    patients, scores = zip(*positive, *negative, strict=True)
    truth = np.repeat([True, False], (len(positive), len(negative)))
    score = np.array(scores)
    one = bootstrap(lambda cases: {"auc": roc_auc(truth[cases], score[cases])}, patients)["auc"]
    return [round(float(value), 3) for value in (one.value, one.low, one.high)]


def share_above(scored: Scored, threshold: float) -> float:
    """Return the share of places whose score is above a threshold."""
    return round(float(np.mean([score > threshold for _, score in scored])), 4)
