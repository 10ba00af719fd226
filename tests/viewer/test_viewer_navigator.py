"""The navigator: the map's geometry, and a dock that follows the view and moves it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QRectF, Qt
from viewer_measured import measured_result

from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import wording
from napari_breastpath.viewer.map_view import SMALLEST_FRAME_PX, fitted, frame_on
from napari_breastpath.viewer.navigator_dock import NavigatorDock
from napari_breastpath.viewer.session import Session

length = st.floats(1, 2000)


@given(st.floats(0.01, 100), length, length)
def test_the_map_fits_keeps_its_aspect_and_touches_two_sides(
    aspect: float, width: float, height: float
) -> None:
    target = fitted(aspect, width, height)
    assert target.width() == pytest.approx(aspect * target.height())
    assert target.width() == pytest.approx(width) or target.height() == pytest.approx(height)
    assert target.center().x() == pytest.approx(width / 2)
    assert (target.left(), target.top()) >= (-1e-6, -1e-6)


def test_a_frame_is_never_too_small_to_see() -> None:
    frame = frame_on(QRectF(10, 20, 200, 100), QRectF(0.5, 0.5, 0, 0))
    assert (frame.width(), frame.height()) == (SMALLEST_FRAME_PX, SMALLEST_FRAME_PX)
    assert (frame.center().x(), frame.center().y()) == (110, 70)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "Nothing to look at yet"),
        (0, "You have seen 0 % of the tissue at"),
        (0.999, "You have seen 99 % of the tissue at"),
        (1, "You have seen 100 % of the tissue at"),
    ],
)
def test_all_is_only_said_of_all(share: float | None, text: str) -> None:
    assert wording.seen_text(share) == text


@pytest.fixture
def dock(qtbot: QtBot, tmp_path: Path) -> Any:
    viewer = ViewerModel()
    dock = NavigatorDock(viewer)
    qtbot.addWidget(dock)
    session = Session.of(viewer)
    slide = open_slide(sample_slide_path(), mpp=(0.5, 0.25))
    session.open_result(measured_result(tmp_path, slide).path)
    qtbot.waitUntil(lambda: dock.tracker.ground is not None)
    dock.resize(340, 600)
    dock.show()
    return SimpleNamespace(dock=dock, session=session, viewer=viewer)


def test_buttons_go_to_an_objective_and_say_where_one_is(dock: Any) -> None:
    dock.dock.objectives[20.0].click()
    assert dock.viewer.scene.camera.zoom == 2.0
    assert dock.dock.magnification.text() == "20× · 0.50 µm per screen px"
    checked = [power for power, button in dock.dock.objectives.items() if button.isChecked()]
    assert checked == [20.0]


def test_a_click_on_the_map_moves_the_view_there(dock: Any, qtbot: QtBot) -> None:
    target = dock.dock.map.target()
    point = QPoint(round(target.x() + target.width() / 4), round(target.center().y()))
    qtbot.mouseClick(dock.dock.map, Qt.MouseButton.LeftButton, pos=point)
    slide, view = dock.session.slide, dock.dock.tracker.view()
    px = slide.width / target.width()
    assert view.x + view.width / 2 == pytest.approx(slide.width / 4, abs=px)
    assert view.y + view.height / 2 == pytest.approx(slide.height / 2, abs=px * 2)


def test_the_share_follows_the_objective_that_counts(dock: Any, qtbot: QtBot) -> None:
    dock.dock.tracker.go_to(1000, 2000, 5)
    qtbot.waitUntil(lambda: bool(dock.dock.tracker.visited.seen_at(5).any()))
    assert "seen 0 %" in dock.dock.share.text()
    dock.dock.counted.setCurrentIndex(dock.dock.counted.findData(5.0))
    assert "seen 0 %" not in dock.dock.share.text()
    assert dock.session.visited_share > 0


def test_without_a_slide_there_is_nowhere_to_go(dock: Any) -> None:
    dock.session.close_slide()
    assert not any(button.isEnabled() for button in dock.dock.objectives.values())
    assert dock.dock.magnification.text() == ""
    assert dock.dock.share.text() == "Nothing to look at yet"
