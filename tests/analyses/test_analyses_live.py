"""Live numbers against those that measuring the result anew gives, to the last bit."""

from __future__ import annotations

import math
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from measured_results import ONE, THREE, level_0, make_result, plain_features, plain_regions

from napari_breastpath.analyses import measure_result
from napari_breastpath.analyses.effects import category_warning, effects
from napari_breastpath.analyses.held import HeldMap
from napari_breastpath.analyses.live import LiveMeasurement
from napari_breastpath.core.errors import UsageError
from napari_breastpath.measure import slide_score, summarise
from napari_breastpath.results import Result

EVERYTHING = slice(None), slice(None)


def check(numbers, result: Result, threshold: float) -> None:
    """Hold numbers against whole rasters measured anew."""
    table = plain_regions(result, threshold)
    pd.testing.assert_frame_equal(numbers.regions, table, check_exact=True)
    roles = {kind["name"]: kind["role"] for kind in result.classes}
    assert numbers.summary == summarise(table, result.record["specimen"], roles)
    for row, features in plain_features(result).iterrows():
        assert numbers.score[row]["value"] == slide_score(features).value
    assert numbers.threshold == threshold


@pytest.fixture(scope="module", params=[ONE, THREE], ids=["one class", "three classes"])
def result(request, tmp_path_factory):
    return make_result(tmp_path_factory.mktemp("live") / "r", request.param, seed=4)


def test_numbers_equal_what_measuring_writes(result):
    numbers = LiveMeasurement.prepare(result).at(0.5)
    check(numbers, result, 0.5)
    measure_result(result)
    assert result.record["score"] == numbers.score
    assert {k: result.record["regions"][k] for k in numbers.summary} == numbers.summary
    written = result.regions
    for name in ("region_id", "class", "feret_x1", "area_mm2", "mean_probability", "edited"):
        np.testing.assert_allclose(
            *(
                pd.factorize(t[name])[0] if name == "class" else t[name]
                for t in (written, numbers.regions)
            )
        )


@pytest.mark.parametrize("classes", [ONE, THREE], ids=["one class", "three classes"])
def test_the_ellipse_is_that_of_the_longest_moment_axis(tmp_path, classes):
    result = make_result(tmp_path / "r", classes, seed=5)
    numbers = LiveMeasurement.prepare(result).at(0.5)
    found, summary = numbers.ellipse, numbers.summary
    assert found.major == summary["slide_major_axis_mm"]
    row = numbers.regions.set_index("major_axis_mm").loc[found.major]
    assert found.minor == row["minor_axis_mm"]
    lattice = result.lattice
    x_mm = (found.x - row["feret_x1"]) / lattice.step_x * lattice.mpp[0] / 1e3
    y_mm = (found.y - row["feret_y1"]) / lattice.step_y * lattice.mpp[1] / 1e3
    assert math.hypot(x_mm, y_mm) < row["feret_max_mm"]


def test_no_region_no_ellipse(tmp_path):
    assert (
        LiveMeasurement.prepare(make_result(tmp_path / "r", edited=False)).at(1.0).ellipse is None
    )


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.31, 127 / 255, 0.5, 0.9, 0.999, 1.0])
def test_every_threshold_equals_measuring_anew(tmp_path, threshold):
    made = make_result(tmp_path / "r", seed=7)
    live = LiveMeasurement.prepare(made)
    check(live.at(threshold), made, threshold)
    mask = live.mask(slice(10, 200), slice(0, 150), step=3)
    heat, edits = level_0(made.map.probability)[0], level_0(made.map.label("edits"))
    expected = np.where(edits == 0, heat > threshold * 255, edits == 1)[10:200:3, 0:150:3]
    np.testing.assert_array_equal(mask, expected)


SMALL = (111, 90)
windows = st.tuples(
    st.integers(-5, SMALL[0] - 1),
    st.integers(-5, SMALL[1] - 1),
    st.integers(1, 40),
    st.integers(1, 40),
)
strokes = st.lists(
    st.tuples(windows, st.sampled_from([0, 1, 2, 255, "noise"]), st.floats(0.1, 0.9)),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(strokes, st.booleans(), st.integers(0, 2**32 - 1))
def test_any_edits_give_what_measuring_everything_anew_gives(tmp_path_factory, strokes, many, seed):
    classes, rng = THREE if many else ONE, np.random.default_rng(seed)
    made = make_result(tmp_path_factory.mktemp("edits") / "r", classes, SMALL, seed % 5)
    live, label, threshold = LiveMeasurement.prepare(made), made.map.label("edits"), 0.5
    for (row, column, height, width), value, wanted in strokes:
        values = rng.choice([0, 1, len(classes), 255], (height, width)).astype(np.uint8)
        if value != "noise":
            values[:] = min(value, len(classes)) if value != 255 else 255
        inner = values[max(-row, 0) :, max(-column, 0) :][
            : SMALL[0] - max(row, 0), : SMALL[1] - max(column, 0)
        ]
        label.write(max(row, 0), max(column, 0), inner)
        check(live.edited(row, column, values), made, threshold)
        if not many:
            threshold = wanted
            check(live.at(threshold), made, threshold)


def test_edits_at_one_threshold_only_touch_regions_in_reach(tmp_path, monkeypatch):
    made = make_result(tmp_path / "r", edited=False)
    live = LiveMeasurement.prepare(made)
    before = live.at(0.5).regions
    measured = []
    from napari_breastpath.analyses import following

    whole = following.components_of
    monkeypatch.setattr(
        following,
        "components_of",
        lambda found, *rest: measured.append(found) or whole(found, *rest),
    )
    live.edited(0, 0, np.full((4, 4), 1, np.uint8))  # a corner without tissue
    assert [len(found.runs) for found in measured] == [4]
    after = live.at(0.5).regions
    assert len(after) == len(before) + 1


def test_levels_ahead_are_there_and_right_until_pixels_change(tmp_path):
    made = make_result(tmp_path / "r")
    live = LiveMeasurement.prepare(made)
    live.at(0.5)
    live.ahead(reach=2)
    measured = live._measured
    live._measured = None  # what is ahead needs no measuring
    kept = [live.at(level / 255) for level in (125, 126, 127, 128, 129)]
    live._measured = measured
    for numbers in kept:
        check(numbers, made, numbers.threshold)
    live.edited(0, 0, np.full((9, 9), 1, np.uint8))
    made.map.label("edits").write(0, 0, np.full((9, 9), 1, np.uint8))
    check(live.at(126 / 255), made, 126 / 255)


def test_another_specimen_has_other_words_only(tmp_path):
    made = make_result(tmp_path / "r")
    live = LiveMeasurement.prepare(made)
    node, primary = live.at(0.4), live.with_specimen("primary")
    assert node.summary["category"] is not None
    assert primary.summary["category"] is None
    assert set(primary.regions["category"]) == {""}
    rest = node.regions.columns.drop("category")
    assert node.regions[rest].equals(primary.regions[rest])


def test_preparing_can_be_abandoned(tmp_path):
    made, stop = make_result(tmp_path / "r", shape=(600, 300)), threading.Event()
    seen = []

    def stopping(progress):
        seen.append(progress.done)
        stop.set()

    assert LiveMeasurement.prepare(made, stop=stop, progress=stopping) is None
    assert seen == [1]


@pytest.mark.parametrize(
    ("classes", "threshold", "words"),
    [(ONE, 1.2, "between|within"), (ONE, math.nan, "within"), (THREE, 0.4, "several classes")],
)
def test_wrong_thresholds_are_refused(tmp_path, classes, threshold, words):
    live = LiveMeasurement.prepare(make_result(tmp_path / "r", classes))
    with pytest.raises(UsageError, match=words):
        live.at(threshold)
    assert len(live.at(0.5).regions)


def test_a_category_that_rests_on_the_threshold_is_said_so(tmp_path):
    made = make_result(tmp_path / "r", edited=False)
    heat = np.ones(made.lattice.shape, np.uint8)
    heat[100:110, 50:150], heat[100:110, 90:120] = 150, 250  # 400 µm, of them 120 µm dark
    made.map.probability.write(0, 0, heat[None])
    live = LiveMeasurement.prepare(made)
    assert category_warning(live) == "Category micro is not firm: ITC at threshold 0.7"
    assert live.threshold == 0.5
    live.with_specimen("primary")
    assert category_warning(live) == ""


def test_advice_leaves_what_edits_go_on_from(tmp_path, monkeypatch):
    made = make_result(tmp_path / "r")
    live, stroke = LiveMeasurement.prepare(made), np.full((9, 9), 1, np.uint8)
    category_warning(live)
    monkeypatch.setattr(HeldMap, "classes", None)  # the whole map is not gone through again
    made.map.label("edits").write(30, 40, stroke)
    check(live.edited(30, 40, stroke), made, 0.5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (17, 1), (257, 255)])
def test_odd_maps_follow_too(tmp_path, shape):
    made = make_result(tmp_path / "r", THREE, shape=shape, edited=False)
    made.map.probability.write(0, 0, np.full((3, *shape), 80, np.uint8))
    live, stroke = LiveMeasurement.prepare(made), np.full((2, 2), 2, np.uint8)
    made.map.label("edits").write(0, 0, stroke[: shape[0], : shape[1]])
    check(live.edited(0, 0, stroke), made, 0.5)
    assert live.mask(slice(None), slice(None)).any()
    assert set(effects(live, live.at(0.5))["category_after"]) == {"negative"}


def test_where_to_look_names_every_region_once(tmp_path):
    made = make_result(tmp_path / "r")
    live = LiveMeasurement.prepare(made)
    numbers = live.at(0.5)
    found = effects(live, numbers)
    assert sorted(found["region_id"]) == numbers.regions["region_id"].tolist()
    assert found["why"].str.len().min() > 0
    unread = numbers.regions.set_index("region_id")["touches_unread"]
    assert (found.set_index("region_id")["touches_unread"].sort_index() == unread).all()
