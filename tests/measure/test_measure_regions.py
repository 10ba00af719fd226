"""Regions against scikit-image, brute force and shapes of known size."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.measure import perimeter_crofton, regionprops

from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure import (
    REGION_COLUMNS,
    find_regions,
    measure_regions,
    merge_regions,
    moment_ellipse,
)
from napari_breastpath.measure.runs import label_runs

CONTRACT = (
    "region_id, class, piece, area_mm2, feret_max_mm, feret_x1, feret_y1, feret_x2, feret_y2, "
    "feret_min_mm, major_axis_mm, minor_axis_mm, perimeter_mm, max_probability, mean_probability, "
    "category, below_cell_size, touches_edge, touches_unread, edited"
)
masks = arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14)))
sizes = st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.536])


def disc(u, v, r):
    return u**2 + v**2 <= r**2


def ring(u, v):
    return disc(u, v, 250) & ~disc(u, v, 230)


def triangle(u, v):
    down = v + 500 / math.sqrt(12)
    return (down >= 0) & (down <= math.sqrt(3) * (250 - abs(u)))


# Shape (µm), moment major axis, longest Feret; the figures are those of the continuous shapes.
SHAPES = {
    "disc": (lambda u, v: disc(u, v, 200), 400, 400),
    "ellipse": (lambda u, v: disc(u / 250, v / 100, 1), 500, 500),
    "square": (lambda u, v: (abs(u) < 200) & (abs(v) < 200), 461.9, 565.7),
    "triangle": (triangle, 408.2, 500),
    "bar": (lambda u, v: (abs(u) < 250) & (abs(v) < 10), 577.4, 500.4),
    "ring": (ring, 679.4, 500),
    "half ring": (lambda u, v: ring(u, v) & (v > 0), 679.4, 500),
    "dumbbell": (
        lambda u, v: disc(abs(u) - 200, v, 80) | ((abs(u) < 200) & (abs(v) < 1.5)),
        809.4,
        560,
    ),
    "spike": (
        lambda u, v: disc(u, v, 150) | ((u > 0) & (u < 390) & (abs(v) < 2)),
        324.3,
        540,
    ),
}


def drawn(shape, mpp, degrees):
    """Rasterise a shape of the plane (µm) on pixels of mpp (x, y), rotated about its origin."""
    n_x, n_y = (math.ceil(900 / m) for m in mpp)
    y, x = np.mgrid[:n_y, :n_x]
    x, y = (x + 0.5) * mpp[0] - 450, (y + 0.5) * mpp[1] - 450
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return shape(c * x + s * y, c * y - s * x)


@pytest.mark.parametrize("mpp", [(0.7, 0.7), (1.0, 1.0), (1.3, 1.3), (0.6, 1.2)], ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_lengths_of_known_shapes_whatever_the_rotation(name, mpp):
    shape, major_um, feret_um = SHAPES[name]
    tables = [measure_regions(drawn(shape, mpp, angle), mpp) for angle in (0, 11, 30, 45, 90)]
    assert [len(table) for table in tables] == [1] * len(tables)
    ferets = np.array([table["feret_max_mm"][0] for table in tables]) * 1000
    # Corners add up to one pixel diagonal; a tip loses the pixels whose centres lie outside.
    assert np.abs(ferets - feret_um).max() < 1.5 * math.hypot(*mpp)
    majors = np.array([table["major_axis_mm"][0] for table in tables]) * 1000
    assert majors == pytest.approx(np.full(len(tables), major_um), rel=0.02)


def test_a_ring_cut_in_four_has_four_regions_of_a_quarter():
    table = measure_regions(
        drawn(lambda u, v: ring(u, v) & (abs(u) > 7) & (abs(v) > 7), (1, 1), 0), 1
    )
    assert len(table) == 4
    quarter_um = math.sqrt(2) * (math.sqrt(250**2 - 7**2) - 7)
    assert (table["feret_max_mm"] * 1000).tolist() == pytest.approx([quarter_um] * 4, abs=2)


def test_the_perimeter_of_a_disc_is_near_its_circumference_on_oblong_pixels():
    for mpp in ((1, 1), (1, 2), (2, 1)):
        table = measure_regions(drawn(SHAPES["disc"][0], mpp, 0), mpp)
        assert table["perimeter_mm"][0] == pytest.approx(0.4 * math.pi, rel=0.03)


def test_columns_are_those_of_the_contract():
    assert ", ".join(REGION_COLUMNS) == CONTRACT
    assert list(measure_regions(np.eye(3, dtype=bool), 1).columns) == list(REGION_COLUMNS)


@pytest.mark.parametrize("shape", [(0, 0), (5, 7)])
def test_an_empty_mask_gives_no_rows_and_the_same_types(shape):
    empty = measure_regions(np.zeros(shape, bool), 2.0, specimen="node")
    full = measure_regions(np.ones((5, 7), bool), 2.0, specimen="node")
    assert len(empty) == 0
    assert empty.dtypes.equals(full.dtypes)


def test_one_pixel_of_one_by_two_um():
    mask = np.zeros((4, 4), bool)
    mask[1, 2] = True
    row = measure_regions(mask, (1.0, 2.0), step=(4, 8), origin=(100, 1000)).loc[0]
    assert row["feret_max_mm"] == pytest.approx(math.sqrt(5) / 1000)
    assert row["feret_min_mm"] == pytest.approx(0.001)
    assert (row["major_axis_mm"], row["minor_axis_mm"]) == (0, 0)
    assert row["area_mm2"] == pytest.approx(2e-6)
    ends = row[["feret_x1", "feret_y1", "feret_x2", "feret_y2"]].tolist()
    assert ends in ([108, 1008, 112, 1016], [108, 1016, 112, 1008])
    assert row["below_cell_size"]
    assert not row["touches_edge"]


@settings(deadline=None)
@given(masks, sizes, sizes)
def test_moment_axes_and_areas_equal_regionprops(mask, mpp_x, mpp_y):
    found = find_regions(mask, (mpp_x, mpp_y))
    theirs = regionprops(found.labels, spacing=(mpp_y, mpp_x))
    assert len(found.table) == len(theirs)
    for row, other in zip(found.table.itertuples(), theirs, strict=True):
        assert row.area_mm2 * 1e6 == pytest.approx(other.area)
        assert row.major_axis_mm * 1e3 == pytest.approx(other.axis_major_length, abs=1e-6)
        assert row.minor_axis_mm * 1e3 == pytest.approx(other.axis_minor_length, abs=1e-6)


@settings(deadline=None)
@given(masks, sizes)
def test_the_perimeter_equals_skimage_on_square_pixels(mask, mpp):
    found = find_regions(mask, mpp)
    for row in found.table.itertuples():
        alone = found.labels == row.region_id
        assert row.perimeter_mm * 1e3 == pytest.approx(perimeter_crofton(alone) * mpp)


def corners_of(labels, region):
    y, x = np.nonzero(labels == region)
    return np.concatenate([np.column_stack((x + i, y + j)) for i in (0, 1) for j in (0, 1)])


def least_width(points):
    """Smallest extent across any edge of the hull."""
    hull = points[ConvexHull(points).vertices]
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.column_stack((-edges[:, 1], edges[:, 0])) / np.hypot(*edges.T)[:, None]
    return np.ptp(hull @ normals.T, axis=0).min()


@settings(deadline=None)
@given(masks, sizes, sizes)
def test_feret_diameters_equal_brute_force_over_pixel_corners(mask, mpp_x, mpp_y):
    found = find_regions(mask, (mpp_x, mpp_y))
    for row in found.table.itertuples():
        corners = corners_of(found.labels, row.region_id)
        points = corners * np.array([mpp_x, mpp_y])
        assert row.feret_max_mm * 1e3 == pytest.approx(pdist(points).max())
        assert row.feret_min_mm * 1e3 == pytest.approx(least_width(points))
        ends = [(row.feret_x1, row.feret_y1), (row.feret_x2, row.feret_y2)]
        assert set(ends) <= set(map(tuple, corners.tolist()))
        (x1, y1), (x2, y2) = ends
        reach = math.hypot((x2 - x1) * mpp_x, (y2 - y1) * mpp_y)
        assert row.feret_max_mm * 1e3 == pytest.approx(reach)


@settings(deadline=None)
@given(masks, sizes, sizes)
def test_a_transposed_mask_has_the_same_measures(mask, mpp_x, mpp_y):
    names = ["area_mm2", "feret_max_mm", "feret_min_mm", "major_axis_mm", "perimeter_mm"]
    one = measure_regions(mask, (mpp_x, mpp_y))[names].sort_values(names)
    other = measure_regions(mask.T, (mpp_y, mpp_x))[names].sort_values(names)
    np.testing.assert_allclose(np.sort(one, axis=0), np.sort(other, axis=0), atol=1e-9)


def test_small_regions_far_from_the_origin_lose_no_digits():
    near, far = np.zeros((8, 8), bool), np.zeros((600, 60_000), bool)
    blob = np.array([[1, 1, 0, 0], [0, 1, 1, 1]], bool)
    near[1:3, 1:5], far[590:592, 59_990:59_994] = blob, blob
    names = ["major_axis_mm", "minor_axis_mm", "perimeter_mm", "feret_max_mm", "feret_min_mm"]
    assert measure_regions(near, 2)[names].equals(measure_regions(far, 2)[names])


def test_rows_are_sorted_by_length_and_labels_follow():
    mask = np.zeros((60, 200), bool)
    mask[2:42, 2:42] = True  # largest area
    mask[50, 5:105] = True  # longest
    mask[10, 100:110] = mask[30, 100:110] = True  # equal: raster order
    found = find_regions(mask, 1.0)
    assert found.table["region_id"].tolist() == [1, 2, 3, 4]
    assert [found.labels[y, x] for y, x in ((50, 5), (2, 2), (10, 100), (30, 100))] == [1, 2, 3, 4]
    assert np.array_equal(found.labels > 0, mask)
    assert found.table["area_mm2"].idxmax() == 1
    assert found.table["feret_max_mm"].is_monotonic_decreasing


@pytest.mark.parametrize("stored", [True, False])
def test_probabilities_count_inferred_pixels_only(stored):
    mask = np.zeros((3, 8), bool)
    mask[0, :4] = mask[2, 4:6] = mask[2, 7] = True
    heat = np.full(mask.shape, 255, np.uint8)
    heat[0, :4] = [0, 51, 102, 204]
    heat[2, 4:6], heat[2, 7] = 0, 127
    if not stored:
        heat = np.where(heat == 0, np.nan, heat / 255)
    table = measure_regions(mask, 1.0, heat)
    assert table["max_probability"].tolist() == pytest.approx([0.8, np.nan, 127 / 255], nan_ok=True)
    assert table["mean_probability"].tolist() == pytest.approx(
        [119 / 255, np.nan, 127 / 255], nan_ok=True
    )
    without = measure_regions(mask, 1.0)
    assert without[["max_probability", "mean_probability"]].isna().all(axis=None)


@settings(deadline=None)
@given(masks, st.integers(0, 2**32 - 1))
def test_probability_statistics_equal_regionprops(mask, seed):
    heat = np.random.default_rng(seed).random(mask.shape)
    found = find_regions(mask, 1.0, heat)
    theirs = regionprops(found.labels, heat)
    for row, other in zip(found.table.itertuples(), theirs, strict=True):
        assert row.max_probability == other.intensity_max
        assert row.mean_probability == pytest.approx(other.intensity_mean)


def test_where_a_region_lies():
    mask = np.zeros((9, 12), bool)
    mask[0, 0] = True  # on the border
    mask[2:4, 2:6] = True  # mostly piece 2, diagonal to something unread
    mask[6, 3:10] = True  # in no piece, edited at its end
    pieces, unread, edited = (
        np.zeros((9, 12), int),
        np.zeros((9, 12), bool),
        np.zeros((9, 12), bool),
    )
    pieces[2:4, 2:4], pieces[2:4, 4:6], pieces[3, 3] = 1, 2, 2
    unread[4, 6] = unread[8, 5] = edited[6, 9] = edited[8, 8] = True
    found = find_regions(mask, 20.0, pieces=pieces, unread=unread, edited=edited)
    at = {place: found.table.loc[found.labels[place] - 1] for place in ((0, 0), (2, 2), (6, 3))}
    assert [at[p]["piece"] for p in at] == [0, 2, 0]
    assert [at[p]["touches_edge"] for p in at] == [True, False, False]
    assert [at[p]["touches_unread"] for p in at] == [False, True, False]
    assert [at[p]["edited"] for p in at] == [False, False, True]


def test_only_a_node_has_categories_and_specks_have_none():
    mask = np.zeros((20, 1200), bool)
    mask[1, 1:1101] = mask[5:9, 1:201] = mask[12:16, 1:50] = mask[18, 5] = True
    node = measure_regions(mask, 2.0, specimen="node")
    assert node["category"].tolist() == ["macro", "micro", "ITC", ""]
    assert node["below_cell_size"].tolist() == [False, False, False, True]
    for other in ("primary", "unspecified"):
        assert measure_regions(mask, 2.0, specimen=other)["category"].tolist() == [""] * 4


def test_merged_classes_are_numbered_together():
    a, b = np.zeros((10, 30), bool), np.zeros((10, 30), bool)
    a[1, 1:5] = a[4, 1:20] = True
    b[5, 1:10] = b[8, 1:28] = True
    parts = [find_regions(m, 1.0, class_name=name) for m, name in ((a, "x"), (b, "y"))]
    merged = merge_regions(iter(parts))
    assert merge_regions(parts[:1]).table.equals(parts[0].table)
    assert merged.table["class"].tolist() == ["y", "x", "y", "x"]
    assert [merged.labels[p] for p in ((8, 1), (4, 1), (5, 1), (1, 1))] == [1, 2, 3, 4]
    assert np.array_equal(merged.labels > 0, a | b)
    kept = ["area_mm2", "feret_max_mm", "feret_x1"]
    both = pd.concat([part.table for part in parts]).sort_values("feret_max_mm", ascending=False)
    assert merged.table[kept].to_numpy().tolist() == both[kept].to_numpy().tolist()


def test_nothing_to_merge_is_refused():
    with pytest.raises(UsageError, match="no class"):
        merge_regions([])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mpp": 0}, "mpp"),
        ({"mpp": (1, 2, 3)}, "mpp"),
        ({"mask": np.zeros((2, 2, 2), bool)}, "mask of shape"),
        ({"probability": np.zeros((3, 4))}, "same lattice"),
        ({"probability": np.zeros((4, 4), int)}, "int64"),
        ({"probability": np.full((4, 4), 200.0)}, "over 1"),
        ({"pieces": np.zeros((1, 4), int)}, "pieces"),
        ({"specimen": "liver"}, "liver"),
        ({"step": -1}, "step"),
    ],
)
def test_requests_without_sense_are_refused_in_one_line(arguments, words):
    with pytest.raises(UsageError, match=words) as refusal:
        measure_regions(**({"mask": np.ones((4, 4), bool), "mpp": 1.0} | arguments))
    assert "\n" not in str(refusal.value)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-1.5, 1.5),
    st.booleans(),
    st.tuples(st.floats(0.5, 4), st.floats(0.5, 4)),
    st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
)
def test_the_moment_ellipse_is_scikit_images(angle, is_ellipse, mpp, shift):
    y, x = np.mgrid[:120, :140]
    dx, dy = (x - 70 - shift[0]) * mpp[0], (y - 60 - shift[1]) * mpp[1]
    u = dx * math.cos(angle) + dy * math.sin(angle)
    v = dy * math.cos(angle) - dx * math.sin(angle)
    reach = 40 * min(mpp)
    mask = (
        disc(u / reach, v * 2.5 / reach, 1)
        if is_ellipse
        else (abs(u) < reach) & (abs(v) < reach / 3)
    )
    found = moment_ellipse(label_runs(mask), mpp)
    (theirs,) = regionprops(mask.astype(np.uint8), spacing=(mpp[1], mpp[0]))
    cy, cx = theirs.centroid
    assert (found.x * mpp[0], found.y * mpp[1]) == pytest.approx((cx + mpp[0] / 2, cy + mpp[1] / 2))
    axes = theirs.axis_major_length, theirs.axis_minor_length
    assert (found.major, found.minor) == pytest.approx(axes, rel=1e-6)
    # scikit-image's orientation counts from the rows' axis; a direction and its opposite are one.
    turn = found.angle - (math.pi / 2 - theirs.orientation)
    assert math.sin(turn) == pytest.approx(0, abs=1e-6)
    assert math.sin(found.angle - angle) == pytest.approx(0, abs=0.05)
