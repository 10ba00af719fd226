"""Switching overlays, walking through regions, zooming like a microscope."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from viewer_results import make_result

from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import commands, navigate
from napari_breastpath.viewer.session import Session

OVERLAYS = ("probability", "tissue", "mask", "regions")
REGIONS = pd.DataFrame(
    {
        "region_id": [1, 2, 3],
        "feret_max_mm": [0.1, 0.5, 0.2],
        "feret_x1": [100.5, 1000.5, 2000.5],
        "feret_y1": [200.5, 1000.5, 3000.5],
        "feret_x2": [300.5, 2000.5, 2000.5],
        "feret_y2": [200.5, 1000.5, 3400.5],
        "category": [None, None, None],
    }
)


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def session(viewer: ViewerModel, tmp_path: Path) -> Session:
    """A measured result with three regions."""
    result = make_result(tmp_path, slide=open_slide(sample_slide_path()))
    result.write_table("regions.csv", REGIONS)
    result.save(status="complete")
    session = Session.of(viewer)
    session.open_result(result.path)
    return session


def visible(session: Session) -> list[bool]:
    return [bool(layer.visible) for role in OVERLAYS if (layer := session.layer(role))]


def said() -> str:
    return str(notification_manager.records[-1].message)


def test_all_overlays_go_and_the_same_ones_come_back(session: Session, viewer: ViewerModel) -> None:
    before = visible(session)
    commands.toggle_overlays(viewer)
    assert not any(visible(session))
    commands.toggle_overlays(viewer)
    assert visible(session) == before


def test_a_held_key_only_looks(session: Session, viewer: ViewerModel) -> None:
    before = visible(session)
    for command in (commands.toggle_overlays, commands.toggle_mask, commands.toggle_probability):
        restore = command(viewer)
        assert visible(session) != before
        assert restore is not None
        restore()
        assert visible(session) == before


def test_regions_are_visited_from_the_longest_and_round(
    session: Session, viewer: ViewerModel
) -> None:
    visited = []
    for _ in range(4):
        commands.next_region(viewer)
        visited.append(session.region)
    commands.previous_region(viewer)
    assert [*visited, session.region] == [2, 3, 1, 2, 1]


def test_a_region_is_brought_to_the_middle_and_fits(session: Session, viewer: ViewerModel) -> None:
    session.go_to_region(2)
    camera = viewer.scene.camera
    assert tuple(camera.center[-2:]) == pytest.approx((500.0, 750.0))
    assert camera.zoom * 500 < min(viewer.canvas.size) < camera.zoom * 1000


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (commands.show_identity, "No slide is open."),
        (commands.toggle_overlays, "No overlays yet."),
        (commands.toggle_mask, "No mask yet."),
        (commands.next_region, "No regions yet."),
    ],
)
def test_with_nothing_open_one_line_says_so(viewer: ViewerModel, command: Any, words: str) -> None:
    command(viewer)
    assert said() == words


def test_no_regions_above_the_threshold(session: Session, viewer: ViewerModel) -> None:
    assert session.result is not None
    session.result.write_table("regions.csv", REGIONS.iloc[:0])
    commands.next_region(viewer)
    assert said() == "No regions above the threshold."


@pytest.mark.parametrize(("power", "um_per_px"), [(1.25, 8), (10, 1), (40, 0.25)])
def test_an_objective_is_a_screen_pixel_of_that_size(power: float, um_per_px: float) -> None:
    assert 1 / navigate.zoom_of(power) == um_per_px


def test_ends_of_an_extent_in_the_world() -> None:
    ends = navigate.feret_world(REGIONS.iloc[0], PixelSize(0.5, 0.25))
    assert ends.tolist() == [[50, 50], [50, 150]]


def test_a_cell_is_not_zoomed_in_on_beyond_sense() -> None:
    assert navigate.fitting_zoom(1.0, (800, 600)) == 600 / navigate.SMALLEST_VIEW_UM
    assert np.isfinite(navigate.fitting_zoom(0.0, (800, 600)))
