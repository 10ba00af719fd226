"""Runs against label images: components, painting, and what runs of other rasters they meet."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from napari_breastpath.measure import runs as measured_runs
from napari_breastpath.measure import values
from napari_breastpath.measure.runs import connected, enlarged, label_runs, overlaps, touching

shapes = st.tuples(st.integers(1, 20), st.integers(1, 20))
EIGHT = np.ones((3, 3), bool)


def two_rasters(number: int):
    """Two rasters of one shape with the values 0..number."""
    return shapes.flatmap(
        lambda s: st.tuples(*[arrays(np.uint8, s, elements=st.integers(0, n)) for n in (1, number)])
    )


def painted(runs):
    return measured_runs.PaintedRuns(runs)[:]


@settings(deadline=None, max_examples=300)
@given(arrays(bool, shapes), st.integers(1, 40))
def test_components_equal_those_of_ndimage(mask, band_pixels):
    found = connected(label_runs(mask))
    labels, count = ndimage.label(mask, EIGHT)
    assert found.count == count
    np.testing.assert_array_equal(painted(found.runs), labels)
    bands = measured_runs.row_bands(mask.shape, band_pixels)
    some = [measured_runs.PaintedRuns(found.runs)[rows] for rows in bands]
    np.testing.assert_array_equal(np.concatenate(some), labels)


@settings(deadline=None)
@given(arrays(bool, shapes))
def test_pairs_of_pixels_across_rows_are_counted(mask):
    pairs = connected(label_runs(mask)).pairs.sum(axis=0)
    wide = np.pad(mask, 1)
    upper = [wide[:-2, 1 + k : wide.shape[1] - 1 + k] for k in (-1, 0, 1)]
    assert pairs.tolist() == [int((mask & neighbour).sum()) for neighbour in upper]


@settings(deadline=None)
@given(arrays(np.uint8, shapes, elements=st.integers(0, 3)))
def test_runs_of_touching_labels_paint_the_image_again(image):
    runs = label_runs(image)
    np.testing.assert_array_equal(painted(runs), image)
    assert (np.diff(runs.keys()[0]) > 0).all()


@settings(deadline=None)
@given(two_rasters(1), st.integers(0, 1))
def test_touching_equals_growing_the_raster(rasters, reach):
    mask, flag = rasters
    found = connected(label_runs(mask))
    grown = ndimage.binary_dilation(flag, EIGHT) if reach else flag > 0
    expected = np.isin(np.arange(1, found.count + 1), painted(found.runs)[grown])
    flags = values.flagged(found.runs, label_runs(flag), found.count, reach)
    np.testing.assert_array_equal(flags, expected)
    some = touching(found.runs, label_runs(flag))
    np.testing.assert_array_equal(some, [flag[r, a:b].any() for r, a, b in columns_of(found.runs)])


def columns_of(runs):
    return zip(runs.row.tolist(), runs.start.tolist(), runs.end.tolist(), strict=True)


@settings(deadline=None)
@given(two_rasters(3))
def test_overlaps_and_the_main_piece_equal_counting_pixels(rasters):
    mask, pieces = rasters
    found, others = connected(label_runs(mask)), label_runs(pieces)
    run, other, pixels = overlaps(found.runs, others)
    assert pixels.sum() == np.count_nonzero(mask & (pieces > 0))
    assert (found.runs.row[run] == others.row[other]).all()
    labels = painted(found.runs)
    counts = [
        [int(((labels == k) & (pieces == p)).sum()) for p in (1, 2, 3)]
        for k in range(1, found.count + 1)
    ]
    expected = [int(np.argmax(n)) + 1 if any(n) else 0 for n in counts]
    assert values.main_piece(found.runs, others, found.count).tolist() == expected


@settings(deadline=None)
@given(arrays(np.uint8, shapes, elements=st.integers(0, 3)), st.integers(1, 4), st.data())
def test_enlarged_runs_equal_repeated_pixels(image, factor, data):
    height, width = (n * factor - data.draw(st.integers(0, factor - 1)) for n in image.shape)
    whole = image.repeat(factor, axis=0).repeat(factor, axis=1)[:height, :width]
    finer = enlarged(label_runs(image), factor, (height, width))
    np.testing.assert_array_equal(painted(finer), whole)
    assert (np.diff(finer.keys()[0]) > 0).all()
