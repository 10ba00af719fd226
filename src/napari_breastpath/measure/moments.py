"""Area, moment axes and Crofton perimeter of labelled regions, from their runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.measure.runs import Components, Runs, sum_by_label

Floats = NDArray[np.float64]


def region_areas(runs: Runs, count: int) -> NDArray[np.int64]:
    """Return the number of pixels of the labels 1..count."""
    return sum_by_label(runs.label, runs.length, count)


def _sum_of_squares(n: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0² + 1² + … + (n−1)²."""
    return (n - 1) * n * (2 * n - 1) // 6


def _central(
    squares: NDArray[np.int64],
    sums: tuple[NDArray[np.int64], NDArray[np.int64]],
    area: NDArray[np.int64],
) -> Floats:
    """Return the covariance Σuv/n − (Σu/n)(Σv/n), shifted in integers to the nearest pixel first.

    Without the shift, a small region far from the origin would lose all its digits.
    """
    (su, sv), (cu, cv) = sums, [np.rint(s / area).astype(np.int64) for s in sums]
    shifted = squares - cu * sv - cv * su + cu * cv * area
    covariance: Floats = shifted / area - (su - cu * area) / area * ((sv - cv * area) / area)
    return covariance


def covariances(runs: Runs, area: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Return (var x, var y, cov xy) of the pixel centres of every label, in px²."""
    count, label = len(area), runs.label
    length, row = runs.length, runs.row.astype(np.int64)
    start, end = runs.start.astype(np.int64), runs.end.astype(np.int64)
    x = length * (start + end - 1) // 2
    sx, sy = sum_by_label(label, x, count), sum_by_label(label, row * length, count)
    xx = sum_by_label(label, _sum_of_squares(end) - _sum_of_squares(start), count)
    yy, xy = sum_by_label(label, row * row * length, count), sum_by_label(label, row * x, count)
    return (
        _central(xx, (sx, sx), area),
        _central(yy, (sy, sy), area),
        _central(xy, (sx, sy), area),
    )


def moment_axes(
    runs: Runs, area: NDArray[np.int64], mpp: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Return the major and minor axis of every label, in the unit of `mpp`.

    They are those of the ellipse with the same second moments as the pixel centres, 4·√λ with λ
    the eigenvalues of the covariance: scikit-image's ``axis_major_length`` (pixels count as points,
    so one pixel has 0), which is the HeLP challenge's "major axis".
    """
    xx, yy, xy = covariances(runs, area)
    a, c, b = xx * mpp[0] ** 2, yy * mpp[1] ** 2, xy * mpp[0] * mpp[1]
    mean, spread = (a + c) / 2, np.hypot((a - c) / 2, b)
    return 4 * np.sqrt(mean + spread), 4 * np.sqrt(np.maximum(mean - spread, 0))


@dataclass(frozen=True, slots=True)
class Ellipse:
    """The ellipse with a region's second moments.

    Attributes
    ----------
    x, y : float
        Centre: (0, 0) is the outer corner of the frame's first pixel.
    major, minor : float
        Axes from end to end; 0 where all pixels lie in one line.
    angle : float
        Of the major axis, in radians from the x axis towards the y axis (downwards), −π/2 … π/2,
        as it lies in the tissue and not in the raster: µm/px may differ in x and y.
    """

    x: float
    y: float
    major: float
    minor: float
    angle: float


def moment_ellipse(runs: Runs, mpp: tuple[float, float]) -> Ellipse:
    """Return the ellipse of one region, given its runs; centre in px, axes in the unit of `mpp`.

    Its axes are those of `moment_axes`. The direction is the first eigenvector of the covariance:
    half the angle of (Σxx − Σyy, 2Σxy).
    """
    one = runs.relabelled(np.ones(len(runs), np.int32))
    area = region_areas(one, 1)
    (major,), (minor,) = moment_axes(one, area, mpp)
    (xx,), (yy,), (xy,) = covariances(one, area)
    a, c, b = xx * mpp[0] ** 2, yy * mpp[1] ** 2, xy * mpp[0] * mpp[1]
    length = runs.length
    x = float(length @ (runs.start + runs.end) / 2 / area[0])
    y = float(length @ (runs.row + 0.5) / area[0])
    return Ellipse(x, y, float(major), float(minor), math.atan2(2 * b, a - c) / 2)


def crofton_weights(mpp: tuple[float, float]) -> tuple[float, float, float]:
    """Return the length per entry into a region along rows, columns and diagonals.

    Crofton's formula with lines through the pixel centres in four directions: the distance between
    the lines times the angle that falls to the direction. Source: Lehmann & Legland, "Efficient
    N-dimensional surface estimation using Crofton formula and run-length encoding", Insight
    Journal 2012. Square pixels give ``skimage.measure.perimeter_crofton(directions=4)``.
    """
    x, y = mpp
    slant = math.atan2(y, x)
    diagonal = math.pi / 4 * x * y / math.hypot(x, y)
    return slant * y, (math.pi / 2 - slant) * x, diagonal


def crofton_perimeters(
    components: Components, area: NDArray[np.int64], mpp: tuple[float, float]
) -> Floats:
    """Return the Crofton perimeter (four directions) of every label, in the unit of `mpp`.

    Entries into a region are its pixels less the pairs of neighbours along the direction.
    """
    along_row, along_column, diagonal = crofton_weights(mpp)
    label, count = components.runs.label, len(area)
    rows = sum_by_label(label, np.ones_like(label), count)
    back, columns, on = (area - sum_by_label(label, pairs, count) for pairs in components.pairs.T)
    slants = back + on
    perimeter: Floats = along_row * rows + along_column * columns + diagonal * slants
    return perimeter
