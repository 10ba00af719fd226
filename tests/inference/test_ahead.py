"""Work done ahead: in order, bounded by its weight."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_breastpath.inference.ahead import ahead, threads


@given(st.lists(st.integers(1, 4)), st.integers(4, 9))
def test_results_come_in_order_and_no_more_than_allowed_is_under_way(
    weights: list[int], count: int
) -> None:
    taken: list[int] = []

    def offered() -> Iterator[int]:
        for weight in weights:
            taken.append(weight)
            yield weight

    given_out: list[int] = []
    with threads(2, "test") as pool:
        for found in ahead(pool, lambda weight: weight, offered(), count, lambda weight: weight):
            given_out.append(found)
            assert sum(taken) - sum(given_out) <= count + max(weights)
    assert given_out == weights == taken


def test_an_error_is_raised_when_its_turn_comes() -> None:
    with threads(2, "test") as pool:
        found = ahead(pool, lambda number: 1 // number, [1, 1, 0, 1], 3)
        assert [next(found), next(found)] == [1, 1]
        with pytest.raises(ZeroDivisionError):
            next(found)
