"""Outlines on pixel edges: the mask comes back, and every polygon is a valid one."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from shapely.geometry import MultiPolygon, Polygon

from napari_breastpath.measure import region_polygons

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
label_images = arrays(np.int32, shapes, elements=st.integers(0, 3))
PINCHED_OUTSIDE = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 1]])
PINCHED_INSIDE = np.pad(np.array([[0, 1], [1, 0]]), 1, constant_values=1)
NESTED = np.pad(np.pad(np.pad([[1]], 1), 1, constant_values=1), 1)


def shape_of(polygons):
    return MultiPolygon([Polygon(rings[0], rings[1:]) for rings in polygons])


def filled(outlines, shape):
    """Rasterise at pixel centres."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    labels = np.zeros(shape, np.int32)
    for label, polygons in outlines.items():
        labels[shapely.contains_xy(shape_of(polygons), x, y)] = label
    return labels


@settings(deadline=None, max_examples=300)
@given(label_images | arrays(bool, shapes))
@example(PINCHED_OUTSIDE)
@example(PINCHED_INSIDE)
@example(NESTED)
@example(np.eye(4, dtype=np.int32))
@example(np.kron(np.eye(3, dtype=np.int32), PINCHED_OUTSIDE))
def test_labels_come_back_from_valid_polygons_of_their_4_connected_parts(labels):
    outlines = region_polygons(labels)
    assert np.array_equal(filled(outlines, labels.shape), labels)
    for label, polygons in outlines.items():
        mask = labels == label
        outline = shape_of(polygons)
        assert outline.is_valid, shapely.is_valid_reason(outline)
        assert outline.area == mask.sum()
        assert len(polygons) == ndimage.label(mask)[1]


@given(label_images)
def test_rings_are_closed_and_turn_the_way_geojson_wants(labels):
    for polygons in region_polygons(labels).values():
        for exterior, *holes in polygons:
            assert Polygon(exterior).exterior.is_ccw
            assert not any(Polygon(hole).exterior.is_ccw for hole in holes)
            assert all((ring[0] == ring[-1]).all() for ring in (exterior, *holes))


def test_vertices_are_corners_only():
    (((exterior,),),) = region_polygons(np.ones((50, 70), bool)).values()
    assert sorted(map(tuple, exterior[:-1])) == [(0, 0), (0, 50), (70, 0), (70, 50)]


@pytest.mark.parametrize(
    ("mask", "rings"), [(PINCHED_OUTSIDE, [2]), (PINCHED_INSIDE, [3]), (NESTED, [2, 1])]
)
def test_holes_are_interior_rings_also_where_they_touch(mask, rings):
    (polygons,) = region_polygons(mask).values()
    assert sorted((len(polygon) for polygon in polygons), reverse=True) == rings


def test_rings_begin_where_ids_expect_them():
    labels = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 2], [0, 0, 2, 2]])
    found = {
        label: [ring.tolist() for polygon in polygons for ring in polygon]
        for label, polygons in region_polygons(labels).items()
    }
    assert found == {
        1: [
            [[2, 1], [1, 1], [1, 2], [0, 2], [0, 0], [2, 0], [2, 1]],
            [[2, 1], [3, 1], [3, 3], [1, 3], [1, 2], [2, 2], [2, 1]],
        ],
        2: [[[4, 4], [2, 4], [2, 3], [3, 3], [3, 2], [4, 2], [4, 4]]],
    }


def test_outlines_are_in_level_0_pixels():
    mask = np.zeros((6, 6), bool)
    mask[2, 3] = True
    (((exterior,),),) = region_polygons(mask, (4.0, 2.5), (100.0, 1000.0)).values()
    assert exterior.min(axis=0).tolist() == [112, 1005]
    assert exterior.max(axis=0).tolist() == [116, 1007.5]


def test_a_map_read_in_several_bands_has_the_same_outlines():
    noise = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((900, 7000)), 9)
    mask = noise > 0.01
    polygons = region_polygons(mask)[1]
    whole = shape_of(polygons)
    assert whole.area == mask.sum()
    assert len(polygons) == ndimage.label(mask)[1]
