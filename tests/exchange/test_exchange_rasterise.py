"""Areas as pixels: the inverse of outlines, shapely's answer, islands in holes, bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.exchange.annotation import Annotation
from napari_breastpath.exchange.annotations import read_annotations
from napari_breastpath.exchange.geojson import write_geojson
from napari_breastpath.exchange.rasterise import fill_part, fill_ring, paint, painting_order
from napari_breastpath.measure import find_regions, region_polygons
from napari_breastpath.results.maps import ERASED

MASKS = arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))
STEPS = st.sampled_from([1.0, 4.0, 8.04, 0.4987])
CLASSES = [{"name": "tumour", "color": (200, 0, 0), "role": "tumour"}]


def lattice(shape: tuple[int, int], step: float = 1.0) -> Lattice:
    return Lattice(*shape, step, step, 2.0, 2.0)


def area(*rings: object, kind: str = "polygon") -> Annotation:
    return Annotation(kind, (tuple(np.array(ring, float) for ring in rings),))


def square(left: float, top: float, size: float) -> list[tuple[float, float]]:
    right, bottom = left + size, top + size
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


@settings(max_examples=60, deadline=None)
@given(MASKS, STEPS)
def test_mask_to_geojson_to_mask(
    tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray, step: float
) -> None:
    if not mask.any():
        return
    path = tmp_path_factory.mktemp("round") / "a.geojson"
    regions = find_regions(mask, (2.0, 2.0), None, "tumour", step=(step, step))
    write_geojson(path, regions.labels, regions.table, (step, step), CLASSES)
    found = read_annotations(path)
    assert len(found) == regions.labels.max()
    raster, missed = paint([(each, 1) for each in found], lattice(mask.shape, step))
    np.testing.assert_array_equal(raster > 0, mask)
    assert not missed


@settings(max_examples=60, deadline=None)
@given(MASKS, st.randoms(use_true_random=False))
def test_rings_with_holes_as_areas_of_their_own(mask: np.ndarray, chance: object) -> None:
    areas = [
        (area(ring), 1 if k == 0 else ERASED)
        for polygons in region_polygons(mask.astype(np.uint8)).values()
        for part in polygons
        for k, ring in enumerate(part)
    ]
    chance.shuffle(areas)
    raster, _ = paint(painting_order(areas, ERASED), lattice(mask.shape))
    np.testing.assert_array_equal(raster == 1, mask)


CORNERS = st.lists(
    st.tuples(st.floats(-5, 25, width=32), st.floats(-5, 25, width=32)), min_size=3, max_size=9
)


@settings(max_examples=100, deadline=None)
@given(CORNERS)
def test_pixels_are_those_whose_centres_shapely_finds_inside(corners: list) -> None:
    polygon = shapely.Polygon(corners)
    window = fill_ring(np.array(corners, float), lattice((20, 20)))
    found = np.zeros((20, 20), bool)
    if window is not None:
        found[window.index] = window.inside
    rows, columns = np.mgrid[:20, :20] + 0.5
    if not polygon.is_valid:
        return
    points = shapely.points(columns, rows)
    clear = shapely.distance(polygon.boundary, points) > 1e-9
    inside = shapely.contains(polygon, points)
    np.testing.assert_array_equal(found[clear], inside[clear])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.1, 19.9), min_size=2, max_size=2), st.integers(0, 40))
def test_areas_that_share_an_edge_share_no_pixel_and_leave_none(cut: list, quarter: int) -> None:
    low, high = cut[0], quarter / 2
    left = [(0, 0), (low, 0), (high, 20), (0, 20)]
    right = [(high, 20), (low, 0), (20, 0), (20, 20)]
    counts = np.zeros((20, 20), int)
    for ring in (left, right):
        window = fill_ring(np.array(ring, float), lattice((20, 20)))
        if window is not None:
            counts[window.index] += window.inside
    assert (counts == 1).all()


def test_self_crossing_closed_and_degenerate_rings() -> None:
    bow = np.array([(0, 0), (8, 8), (8, 0), (0, 8)], float)
    window = fill_ring(bow, lattice((8, 8)))
    assert window is not None
    assert window.inside.sum() == pytest.approx(32, abs=8)
    closed = fill_ring(np.array([*square(1, 1, 4), (1, 1)], float), lattice((8, 8)))
    assert closed is not None
    assert closed.inside.sum() == 16
    for nothing in ([(1, 1)], [(1, 1), (5, 5)], [(1, 1), (5, 1), (3, 1)], square(50, 50, 4)):
        _, missed = paint([(area(nothing), 1)], lattice((8, 8)))
        assert len(missed) == 1


def test_a_hole_beyond_its_exterior_adds_nothing() -> None:
    window = fill_part(area(square(0, 0, 6), square(4, 4, 10)).parts[0], lattice((20, 20)))
    assert window is not None
    assert window.inside.sum() == 36 - 4


def test_what_is_cut_out_wins_where_areas_only_overlap() -> None:
    areas = [(area(square(0, 0, 6)), 1), (area(square(4, 4, 10)), ERASED)]
    for order in (areas, areas[::-1]):
        raster, _ = paint(painting_order(order, ERASED), lattice((20, 20)))
        assert (raster == 1).sum() == 36 - 4


def test_small_areas_lie_on_large_ones() -> None:
    areas = [(area(square(4, 4, 4)), 2), (area(square(0, 0, 20)), 1)]
    raster, _ = paint(painting_order(areas, ERASED), lattice((20, 20)))
    assert (raster == 2).sum() == 16


def test_parts_off_the_lattice_are_cut() -> None:
    raster, _ = paint([(area(square(-1e6, -1e6, 2e6)), 1)], lattice((30, 20)))
    assert raster.all()


def test_memory_is_bounded_by_the_window() -> None:
    star = np.random.default_rng(0).uniform(0, 500, (20_000, 2))
    tracemalloc.start()
    window = fill_ring(star, lattice((50_000, 50_000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert window is not None
    assert window.inside.shape <= (500, 500)
    assert peak < 300e6  # 20 000 edges × 170 rows are 3.4 million crossings


def test_the_same_tissue_with_and_without_bounds(tmp_path: Path) -> None:
    """A slide cropped to its bounds and the whole scan: one ASAP file lands on the same tissue."""
    corners = "".join(
        f'<Coordinate Order="{k}" X="{x + 100}" Y="{y + 40}"/>'
        for k, (x, y) in enumerate(square(8, 4, 12))
    )
    path = tmp_path / "a.xml"
    path.write_text(
        '<ASAP_Annotations><Annotations><Annotation Name="a" Type="Polygon" PartOfGroup="None">'
        f"<Coordinates>{corners}</Coordinates></Annotation></Annotations></ASAP_Annotations>"
    )
    mpp = PixelSize(0.5, 0.5)
    whole, cropped = Lattice.over(160, 80, mpp, 2.0), Lattice.over(60, 40, mpp, 2.0)
    scan, _ = paint([(read_annotations(path)[0], 1)], whole)
    crop, _ = paint([(read_annotations(path, (100, 40))[0], 1)], cropped)
    assert crop.sum() == 9
    np.testing.assert_array_equal(scan[10:20, 25:40], crop)
