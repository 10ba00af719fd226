"""Growing, specks and pieces, in micrometres."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_breastpath.preprocess import drop_specks, grow, morphology, tissue_pieces


def grown_by_hand(
    mask: npt.NDArray[np.bool_], um: float, mpp: tuple[float, float]
) -> npt.NDArray[np.bool_]:
    rows, columns = np.indices(mask.shape)
    grown = np.zeros(mask.shape, bool)
    for row, column in np.argwhere(mask):
        distance = np.hypot((rows - row) * mpp[1], (columns - column) * mpp[0])
        grown |= distance <= um * (1 + 1e-9)
    return grown


@settings(max_examples=60, deadline=None)
@given(
    mask=arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14))),
    um=st.floats(0, 40),
    mpp=st.tuples(st.sampled_from([2.0, 3.5, 8.0]), st.sampled_from([2.0, 3.5, 8.0])),
    rows=st.integers(1, 20),
)
def test_grow_is_the_euclidean_dilation(
    mask: npt.NDArray[np.bool_], um: float, mpp: tuple[float, float], rows: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(morphology, "ROWS_PER_STEP", rows)
        assert np.array_equal(grow(mask, um, mpp), grown_by_hand(mask, um, mpp))


def test_grow_reaches_exactly_the_distance() -> None:
    mask = np.zeros((41, 41), bool)
    mask[20, 20] = True
    grown = grow(mask, 48.0, 8.0)
    assert grown[20, 26]
    assert not grown[20, 27]
    assert not grown[25, 25]


@pytest.mark.parametrize(("side", "kept"), [(5, False), (6, True)])
def test_specks_are_measured_in_um2(side: int, kept: bool) -> None:
    mask = np.zeros((20, 20), bool)
    mask[5 : 5 + side, 5 : 5 + side] = True
    assert drop_specks(mask, 2000, (8.0, 8.0)).any() == kept
    assert drop_specks(mask, 2000, (1.0, 1.0)).any() is np.False_


def test_diagonal_neighbours_are_one_component() -> None:
    mask = np.eye(40, dtype=bool)
    assert drop_specks(mask, 40 * 64, 8.0).all(where=mask)


def test_pieces_bridge_tears_and_keep_sections_apart() -> None:
    mask = np.zeros((100, 400), bool)
    mask[10:60, 10:60] = mask[10:60, 71:120] = True  # 88 µm apart
    mask[5:95, 200:390] = True
    mask[80:90, 20:40] = True  # 160 µm below the first
    labels = tissue_pieces(mask, 8.0)
    assert labels.dtype == np.int32
    assert np.array_equal(labels > 0, mask)
    assert labels[50, 300] == 1
    assert labels[20, 20] == labels[20, 100] == 2
    assert labels[85, 30] == 3
    areas = np.bincount(labels.ravel())[1:]
    assert list(areas) == sorted(areas, reverse=True)


def test_no_tissue_has_no_pieces() -> None:
    assert not tissue_pieces(np.zeros((30, 30), bool), 8.0).any()
