"""What was seen: cells of a raster, their share of the tissue, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_breastpath.core.errors import ResultError
from napari_breastpath.core.geometry import Box, Lattice, PixelSize
from napari_breastpath.viewer.visited import OBJECTIVES, Visited, nearest, rank, taken

MPP = PixelSize(0.5, 0.25)
LATTICE = Lattice.over(4000, 6000, MPP, 32.0)
"""2.0 × 1.5 mm: 63 columns of 64 px, 47 rows of 128 px."""
boxes = st.builds(
    Box, st.floats(-500, 4500), st.floats(-500, 6500), st.floats(1, 5000), st.floats(1, 7000)
)
views = st.lists(st.tuples(boxes, st.floats(0.1, 80)), max_size=6)


def visited() -> Visited:
    return Visited.over(LATTICE)


@pytest.mark.parametrize(
    ("power", "reached", "near"),
    [(0.5, 0, 1.25), (1.25, 1, 1.25), (9.6, 4, 10), (9.4, 3, 10), (15, 4, 20), (400, 6, 40)],
)
def test_a_power_reaches_objectives_and_is_near_one(
    power: float, reached: int, near: float
) -> None:
    assert rank(power) == reached
    assert nearest(power) == near


@given(views)
def test_each_cell_keeps_the_closest_look_at_its_middle(looks: list[tuple[Box, float]]) -> None:
    seen, expected = visited(), np.zeros(LATTICE.shape, np.uint8)
    y, x = np.mgrid[: LATTICE.height, : LATTICE.width] + 0.5
    for box, power in looks:
        news = seen.see(box, power)
        inside = (
            (x * LATTICE.step_x >= box.x)
            & (x * LATTICE.step_x < box.right)
            & (y * LATTICE.step_y >= box.y)
            & (y * LATTICE.step_y < box.bottom)
        )
        after = np.where(inside, np.maximum(expected, rank(power)), expected)
        assert news == (after != expected).any()
        expected = after
    assert np.array_equal(seen.ranks, expected)
    shares = [seen.share(np.ones(LATTICE.shape, bool), power) for power in OBJECTIVES]
    assert shares == sorted(shares, reverse=True)


def test_the_share_is_of_tissue_only() -> None:
    seen, tissue = visited(), np.zeros(LATTICE.shape, bool)
    assert seen.share(tissue, 10) is None
    tissue[:20] = True
    seen.see(Box(-9, 0, 5000, 10 * LATTICE.step_y), 20)
    assert seen.share(tissue, 10) == 0.5
    assert seen.share(tissue, 40) == 0


def test_what_was_seen_is_kept_and_added_to(tmp_path: Path) -> None:
    path, first, second = tmp_path / "visited.npz", visited(), visited()
    first.see(Box(0, 0, 2000, 6000), 5)
    first.save(path, "f")
    second.see(Box(1000, 0, 3000, 3000), 20)
    second.load(path, "f")
    assert second.share(np.ones(LATTICE.shape, bool), 5) > first.share(
        np.ones(LATTICE.shape, bool), 5
    )
    assert [p.name for p in tmp_path.iterdir()] == ["visited.npz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", None])
def test_a_file_that_is_no_use_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "visited.npz"
    if content is None:
        visited().save(path, "0")
    else:
        path.write_bytes(content)
    with pytest.raises(ResultError, match=r"is damaged|another slide"):
        visited().load(path, "f")


@pytest.mark.parametrize("shape", [(2, 3), (5, 4), (40, 60)])
def test_a_raster_is_taken_at_another_size(shape: tuple[int, int]) -> None:
    values = np.arange(20).reshape(5, 4)
    again = taken(values, shape)
    assert again.shape == shape
    assert set(np.unique(again)) <= set(range(20))
    assert np.array_equal(taken(values, (5, 4)), values)
