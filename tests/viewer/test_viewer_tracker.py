"""What a session remembers of looking, on a ViewerModel: seen tissue, the view, reopening."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from viewer_measured import measured_result

from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer.coordinates import to_level0
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.tracker import VIEW, VISITED, Tracker, read_view


@pytest.fixture
def tracker(qtbot: QtBot, tmp_path: Path) -> Any:
    """A tracker of a session with a measured result of the sample slide."""
    viewer = ViewerModel()
    session = Session.of(viewer)
    slide = open_slide(sample_slide_path(), mpp=(0.5, 0.25))
    session.open_result(measured_result(tmp_path, slide).path)
    tracker = Tracker.of(session)
    tracker.viewer = viewer
    qtbot.waitUntil(lambda: tracker.ground is not None)
    return tracker


def look(tracker: Tracker, x: float, y: float, power: float) -> None:
    tracker.go_to(x, y, power)
    tracker._look()


def test_the_view_is_known_in_slide_pixels(tracker: Tracker) -> None:
    tracker.go_to(1000, 2000, 5)
    view = tracker.view()
    height, width = tracker.viewer.canvas.size
    assert (view.x + view.width / 2, view.y + view.height / 2) == pytest.approx((1000, 2000))
    assert (view.width * 0.5, view.height * 0.25) == pytest.approx((width * 2, height * 2))
    assert tracker.power == pytest.approx(5)


def test_only_close_enough_looks_at_tissue_count(tracker: Tracker) -> None:
    session = Session.of(tracker.viewer)
    assert session.visited_share == 0
    look(tracker, 1000, 2000, 5)
    assert session.visited_share == 0
    tracker.count_from(5)
    at_five = session.visited_share
    assert 0 < at_five <= 1
    look(tracker, 1000, 2000, 40)
    tracker.count_from(40)
    assert 0 < session.visited_share < at_five


def test_a_view_counts_only_when_it_stays(tracker: Tracker, qtbot: QtBot) -> None:
    for x in range(0, 2000, 200):
        tracker.go_to(x, 2000, 10)
        qtbot.wait(20)
    assert not tracker.visited.seen_at(10).any()
    qtbot.waitUntil(lambda: bool(tracker.visited.seen_at(10).any()), timeout=3000)


def test_reopening_goes_on_where_one_was(tracker: Tracker, qtbot: QtBot) -> None:
    path = Session.of(tracker.viewer).result.path
    look(tracker, 1200, 800, 20)
    tracker.save()
    again = ViewerModel()
    session = Session.of(again)
    session.open_result(path)
    second = Tracker.of(session)
    assert np.array_equal(second.visited.ranks, tracker.visited.ranks)
    assert second.power == pytest.approx(20)
    middle = to_level0([again.scene.camera.center[-2:]], session.slide.mpp)
    assert np.allclose(middle, (1200, 800))


def test_a_result_opened_on_an_open_slide_leaves_the_view_alone(
    tracker: Tracker, qtbot: QtBot
) -> None:
    path = Session.of(tracker.viewer).result.path
    look(tracker, 1200, 800, 20)
    tracker.save()
    again = ViewerModel()
    session = Session.of(again)
    session.open_slide(sample_slide_path(), mpp=(0.5, 0.25))
    qtbot.wait(10)
    zoom = again.scene.camera.zoom
    session.open_result(path)
    assert again.scene.camera.zoom == zoom


def test_closing_a_result_keeps_its_visits_and_starts_the_next_ones_afresh(
    tracker: Tracker, tmp_path: Path
) -> None:
    session = Session.of(tracker.viewer)
    path, slide = session.result.path, session.slide
    look(tracker, 1200, 800, 20)
    session.close_result()
    assert (path / VISITED).is_file()
    assert tracker.visited.ranks.any(), "seen in this sitting"
    session.close_slide()
    assert tracker.visited is None
    session.open_slide(slide.path, mpp=(0.5, 0.25))
    assert not tracker.visited.ranks.any()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"center_px": [1], "power": 2}', '{"center_px": [1, NaN], "power": 2}'],
)
def test_a_view_that_is_no_use_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / VIEW).write_text(content)
    assert read_view(tmp_path / VIEW) is None
    (tmp_path / VIEW).write_text(json.dumps({"center_px": [1, 2], "power": 3}))
    assert read_view(tmp_path / VIEW) == (1, 2, 3)


def test_the_map_shows_mask_and_probabilities(tracker: Tracker) -> None:
    overlays = tracker.ground.overlays
    assert {"mask", "probability"} <= set(overlays)
    assert all(rgba.shape[2] == 4 and rgba[..., 3].any() for rgba in overlays.values())
