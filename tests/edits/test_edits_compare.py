"""Two readers: figures against scikit-image and SciPy, differences where they were made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from edits_results import MPP, THREE, make_result, opened, square, stored
from scipy import ndimage
from scipy.spatial.distance import cdist

from napari_breastpath.cli import main
from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.progress import Progress
from napari_breastpath.edits.compare import compare_readers, outline, outline_distances
from napari_breastpath.measure import measure_regions
from napari_breastpath.results import Result
from napari_breastpath.results.maps import ERASED

SHAPE = (120, 141)


def drawn(seed: int, shape: tuple[int, int] = (40, 50)) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape)
    return ndimage.gaussian_filter(noise, 3) > 0.02


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Result, Result]:
    """One slide's result, corrected by two readers: two classes, blocks apart."""
    heat = np.full((3, *SHAPE), 5, np.uint8)
    heat[0] = 100
    heat[1][20:60, 20:80] = 250
    heat[2][80:100, 20:80] = 250
    results = [make_result(tmp_path / name, SHAPE, THREE, heat) for name in "ab"]
    one, other = opened(results[0], "A"), opened(results[1], "B")
    one.apply(square(20, 80, 40, 9, 2), "brush")
    one.apply(square(110, 130, 2, 3, 2), "brush")
    other.apply(square(20, 20, 10, 60, ERASED), "eraser")
    return one.result, other.result


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("mpp", [(2.0, 2.0), MPP])
def test_outline_distances_equal_brute_force(seed: int, mpp: tuple) -> None:
    a, b = drawn(seed), drawn(seed + 50)
    points = []
    for mask in (a, b):
        edge = mask & ~ndimage.binary_erosion(mask)
        np.testing.assert_array_equal(outline(mask), edge)
        points.append(np.argwhere(edge) * mpp[::-1])
    between = cdist(*points)
    both = between.min(axis=1), between.min(axis=0)
    largest, most = outline_distances(a, b, mpp)
    assert largest == pytest.approx(max(d.max() for d in both))
    assert most == pytest.approx(max(np.percentile(d, 95) for d in both))


def test_figures_are_those_of_the_masks(pair: tuple[Result, Result]) -> None:
    found = compare_readers(*pair)
    assert found.readers == (("A",), ("B",))
    assert [c.class_name for c in found.classes] == ["invasive", "in situ"]
    a, b = (stored(result, "mask") == 2 for result in pair)
    tumour, in_situ = found.classes
    assert tumour.dice == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))
    for k, mask in enumerate((a, b)):
        table = measure_regions(mask, MPP)
        assert tumour.area_mm2[k] == pytest.approx(mask.sum() * 6e-6)
        assert tumour.longest_feret_mm[k] == table["feret_max_mm"].max()
    assert (in_situ.dice, in_situ.hausdorff_um, in_situ.hausdorff95_um) == (1, 0, 0)


def test_tumour_as_a_whole_is_one_mask_with_the_category_of_its_longest_region(
    tmp_path: Path,
) -> None:
    classes = (*THREE[:2], {**THREE[2], "role": "tumour"})
    heat = np.full((3, *SHAPE), 5, np.uint8)
    heat[1][20:60, 20:80] = 250
    heat[2][60:80, 20:80] = 250
    a, b = (make_result(tmp_path / name, SHAPE, classes, heat) for name in "ab")
    opened(b, "B").apply(square(20, 20, 60, 60, ERASED), "eraser")
    for result in (a, b):
        result.save(specimen="node")
    found = compare_readers(a, b)
    one, whole = found.classes[0], found.tumour
    assert whole.dice == 0.0
    assert whole.area_mm2 == pytest.approx((60 * 60 * 6e-6, 0))
    assert whole.longest_feret_mm == (one.longest_feret_mm[0], 0)
    assert (whole.category, found.classes[1].category) == (("ITC", "negative"),) * 2
    assert found.to_dict()["tumour"]["hausdorff_um"] is None


def test_what_progress_raises_ends_a_comparison(pair: tuple[Result, Result]) -> None:
    steps = []

    def stop(progress: Progress) -> None:
        steps.append(progress.done)
        if progress.done:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        compare_readers(*pair, progress=stop)
    assert steps == [0, 1]


def test_differences_are_listed_largest_first_in_level_0(pair: tuple[Result, Result]) -> None:
    table = compare_readers(*pair).differences
    rows = table[["class", "kind", "x", "y", "width", "height"]].to_numpy().tolist()
    assert rows == [
        ["invasive", "only A", 160, 160, 552, 320],
        ["invasive", "only A", 1040, 880, 24, 16],
    ]
    assert table["area_mm2"].tolist() == pytest.approx([(40 * 69 - 30 * 60) * 6e-6, 36e-6])
    back = compare_readers(*pair[::-1]).differences
    assert set(back["kind"]) == {"only B"}


def test_nothing_painted_by_anyone_is_not_known(tmp_path: Path) -> None:
    heat = np.full((1, *SHAPE), 5, np.uint8)
    a, b = (make_result(tmp_path / name, SHAPE, heat=heat) for name in "ab")
    (only,) = compare_readers(a, b).to_dict()["classes"]
    assert (only["dice"], only["hausdorff_um"], only["area_mm2"]) == (None, None, (0, 0))


def test_results_of_different_slides_are_refused(tmp_path: Path) -> None:
    a = make_result(tmp_path / "a", SHAPE)
    others = {
        "slide": make_result(tmp_path / "b", SHAPE, fingerprint="1" * 64),
        "map": make_result(tmp_path / "c", (120, 140)),
        "classes": make_result(tmp_path / "d", SHAPE, THREE),
    }
    for what, other in others.items():
        with pytest.raises(UsageError, match=f"its {what} is not that of a"):
            compare_readers(a, other)


def test_the_terminal_shows_log_and_comparison(
    pair: tuple[Result, Result], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(result.path) for result in pair]
    assert main(["log", paths[0]]) == 0
    heading, first, *_ = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["number", "time", "action", "tool"]
    assert {"1", "edit", "brush", "hand", "A", "360"} <= set(first.split())
    assert main(["log", paths[0], "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["pixels"] for line in lines] == [360, 6]
    assert main(["compare", *paths]) == 0
    assert "Dice" in capsys.readouterr().out
    assert main(["compare", *paths, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["differences"]) == 2
    assert main(["compare", paths[0], "/nowhere"]) == 1
