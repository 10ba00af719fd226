"""Maps of nuclei come back as the nuclei they were made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_breastpath.measure.instances import nuclei_of_boundaries, nuclei_of_distances
from napari_breastpath.training.instances import distance_map, nucleus_classes


def _discs(centres: list[tuple[int, int]], radius: int = 8) -> NDArray[np.int32]:
    rows, columns = np.mgrid[:96, :96]
    labels = np.zeros((96, 96), np.int32)
    for number, (y, x) in enumerate(centres, 1):
        labels[((rows - y) ** 2 + (columns - x) ** 2 < radius**2) & (labels == 0)] = number
    return labels


def _chances(labels: NDArray[np.int32]) -> NDArray[np.float64]:
    return np.moveaxis(np.eye(3)[nucleus_classes(labels, 1)] * 0.9 + 0.1 / 3, -1, 0)


TOUCHING = [(30, 30), (30, 46), (46, 38), (75, 75)]


def test_touching_nuclei_are_told_apart() -> None:
    labels = _discs(TOUCHING)
    found = nuclei_of_boundaries(_chances(labels), (0.5, 0.5))
    assert found.max() == 4
    assert ((found > 0) == (labels > 0)).mean() > 0.999
    for number in range(1, 5):
        own = np.bincount(found[labels == number])
        assert own.max() / own.sum() > 0.97


def test_distances_tell_them_apart_too() -> None:
    found = nuclei_of_distances(distance_map(_discs(TOUCHING)), (0.5, 0.5))
    assert found.max() == 4


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(10, 85), st.integers(10, 85)), max_size=6))
def test_numbers_are_whole_and_specks_are_left_out(centres: list[tuple[int, int]]) -> None:
    found = nuclei_of_boundaries(_chances(_discs(centres)), (0.5, 0.25))
    assert sorted(set(found.ravel()) - {0}) == list(range(1, found.max() + 1))
    areas = np.bincount(found.ravel())[1:] * 0.5 * 0.25
    assert (areas >= 8.0).all()


@pytest.mark.parametrize("mpp", [(0.5, 0.5), (2.0, 2.0)])
def test_a_speck_is_judged_in_square_micrometres(mpp: tuple[float, float]) -> None:
    found = nuclei_of_boundaries(_chances(_discs([(40, 40)], radius=3)), mpp)
    assert found.any() == (mpp[0] == 2.0)
