"""Rulers and areas: right figures in µm, drawn by mouse, kept in the journal, brought back."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from shapely import box
from viewer_measured import measured_result

from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.edits import Corrections
from napari_breastpath.results import load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer.coordinates import to_level0
from napari_breastpath.viewer.pen import Pen
from napari_breastpath.viewer.ruler_layers import LABEL, LABELS_ROLE
from napari_breastpath.viewer.ruler_notes import Noted, steps
from napari_breastpath.viewer.ruler_shapes import (
    AREA,
    RULER,
    Figure,
    apart,
    crosses_itself,
    figure_of,
    is_slip,
    label_plate,
    simplified,
)
from napari_breastpath.viewer.rulers import Rulers
from napari_breastpath.viewer.session import Session

MPP = (0.5, 0.25)
coordinate = st.floats(-1e4, 1e4)
points = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=12).map(np.array)
SQUARE = np.array([(0, 0), (0, 1000), (500, 1000), (500, 0)], float)
BOW_TIE = SQUARE[[0, 2, 1, 3]]


@given(points, coordinate, coordinate, st.floats(0, 6.3))
def test_figures_do_not_change_when_moved_or_turned(
    outline: np.ndarray, dy: float, dx: float, angle: float
) -> None:
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    here, there = Figure(AREA, outline), Figure(AREA, outline @ turn + (dy, dx))
    assert there.area_um2 == pytest.approx(here.area_um2, rel=1e-6, abs=1e-2)
    assert there.length_um == pytest.approx(here.length_um, rel=1e-6, abs=1e-2)


@pytest.mark.parametrize(
    ("kind", "shape", "text"),
    [
        (RULER, [(0, 0), (300, 400)], "0.500 mm"),
        (RULER, [(0, 0), (30, 40)], "50.0 µm"),
        (RULER, [(0, 0), (0, 1000), (1000, 1000)], "2.00 mm"),
        (AREA, SQUARE, "0.500 mm² · perimeter 3.00 mm"),
        (AREA, SQUARE / 8, "0.00781 mm² · perimeter 0.375 mm"),
        (AREA, SQUARE / 100, "50 µm² · perimeter 30.0 µm"),
        (AREA, BOW_TIE, "the outline crosses itself"),
    ],
)
def test_labels_say_length_or_area_with_its_unit(kind: str, shape: Any, text: str) -> None:
    assert Figure(kind, np.array(shape, float)).text == text


def test_napari_shapes_of_all_kinds_are_measured() -> None:
    corners = np.array([(0, 0), (0, 200), (100, 200), (100, 0)], float)
    assert figure_of("rectangle", corners).area_um2 == 20_000
    assert figure_of("line", corners[:2]).length_um == 200
    assert figure_of("ellipse", corners).area_um2 == pytest.approx(np.pi * 5000, rel=2e-3)


def test_touching_sides_do_not_cross() -> None:
    assert not crosses_itself(SQUARE)
    assert crosses_itself(BOW_TIE)


@given(points, st.floats(0.05, 50))
def test_the_label_is_clear_of_what_it_measures(outline: np.ndarray, pixel_um: float) -> None:
    assert label_plate(Figure(AREA, outline), pixel_um)[:, 0].min() > outline[:, 0].max()


@given(st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=8))
def test_labels_do_not_cover_each_other(corners: list[tuple[float, float]]) -> None:
    plate = np.array([(0, 0), (0, 3000), (1000, 3000), (1000, 0)], float)
    placed = apart([plate + corner for corner in corners], 1.0)
    drawn = [box(*p.min(axis=0), *p.max(axis=0)) for p in placed]
    assert all(one.intersection(two).area == 0 for one, two in combinations(drawn, 2))


def test_a_freehand_outline_is_thinned_without_changing_its_area() -> None:
    angle = np.linspace(0, 2 * np.pi, 800)
    circle = 1000 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    thin = simplified(circle, 2.0)
    assert len(thin) < 200
    assert Figure(AREA, thin[:-1]).area_um2 == pytest.approx(np.pi * 1e6, rel=2e-3)


@pytest.mark.parametrize(
    ("figure", "slip"),
    [
        (Figure(RULER, np.zeros((2, 2))), True),
        (Figure(RULER, SQUARE[:1]), True),
        (Figure(AREA, SQUARE[:2]), True),
        (Figure(RULER, SQUARE[:2]), False),
    ],
)
def test_a_slip_of_the_hand_is_no_figure(figure: Figure, slip: bool) -> None:
    assert is_slip(figure, 1.0) == slip


def test_steps_bring_the_journal_up_to_what_is_drawn() -> None:
    one, two = Figure(RULER, SQUARE[:2]), Figure(AREA, SQUARE)
    noted = {1: Noted(7, one), 2: Noted(8, two), 3: Noted(9, two)}
    moved = Figure(RULER, SQUARE[:2] + 5)
    wanted = steps({1: moved, 2: Figure(AREA, SQUARE + 1e-5), 4: one}, noted)
    assert [(s.key, s.old, s.figure) for s in wanted] == [
        (3, 9, None),
        (1, 7, moved),
        (4, None, one),
    ]


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path) -> Any:
    """A session with a measured result of a slide whose pixels are not square."""
    viewer = ViewerModel()
    session = Session.of(viewer)
    slide = open_slide(sample_slide_path(), mpp=MPP)
    path = measured_result(tmp_path, slide).path
    session.open_result(path)
    viewer.scene.camera.zoom = 1.0
    return SimpleNamespace(viewer=viewer, session=session, path=path, pen=Pen.of(session))


def mouse(bench: Any, *events: tuple[str, float, float]) -> None:
    """Do what napari does with mouse events on the active layer, at (y, x) in world µm."""
    from napari.utils import interactions
    from napari.utils._proxies import ReadOnlyWrapper

    callbacks = {
        "mouse_press": interactions.mouse_press_callbacks,
        "mouse_move": interactions.mouse_move_callbacks,
        "mouse_release": interactions.mouse_release_callbacks,
        "mouse_double_click": interactions.mouse_double_click_callbacks,
    }
    pressed = False
    for kind, y, x in events:
        pressed = (pressed or kind == "mouse_press") and kind != "mouse_release"
        event = SimpleNamespace(
            type=kind, position=(y, x), pos=(x, y), button=1, modifiers=(), is_dragging=pressed
        )
        callbacks[kind](bench.viewer.layers.selection.active, ReadOnlyWrapper(event))


def click(y: float, x: float) -> tuple[tuple[str, float, float], ...]:
    return ("mouse_press", y, x), ("mouse_release", y, x)


def rulers_on_disk(path: Path) -> Any:
    return Corrections.open(load_result(path)).state.rulers


def labels(bench: Any) -> list[str]:
    layer = bench.session.layer(LABELS_ROLE)
    return [text for text in layer.features[LABEL] if text]


@pytest.mark.parametrize(
    "events",
    [
        [*click(100, 200), ("mouse_move", 300, 300), *click(400, 600)],
        [("mouse_press", 100, 200), ("mouse_move", 400, 600), ("mouse_release", 400, 600)],
    ],
)
def test_a_ruler_is_two_clicks_or_a_drag(bench: Any, events: Any, qtbot: QtBot) -> None:
    bench.pen.take(RULER)
    mouse(bench, *events)
    assert bench.pen.kind == ""
    assert labels(bench) == ["0.500 mm"]
    qtbot.waitUntil(lambda: len(rulers_on_disk(bench.path)) == 1)
    (ruler,) = rulers_on_disk(bench.path)
    level0 = to_level0([(100, 200), (400, 600)], PixelSize(*MPP))
    assert np.allclose(ruler.points, level0)
    um = np.diff(np.array(ruler.points), axis=0)[0] * MPP
    assert np.hypot(*um) == pytest.approx(500)


@pytest.mark.parametrize("freehand", [True, False])
def test_an_area_is_drawn_freehand_or_by_corners(bench: Any, freehand: bool) -> None:
    bench.pen.take(AREA)
    if freehand:
        path = [(0, x) for x in range(0, 1000, 20)] + [(y, 1000) for y in range(0, 500, 20)]
        path += [(500, x) for x in range(1000, 0, -20)] + [(y, 0) for y in range(500, 0, -20)]
        mouse(bench, ("mouse_press", 0, 0), *(("mouse_move", *p) for p in path))
        mouse(bench, ("mouse_release", 0, 0))
    else:
        for corner in SQUARE:
            mouse(bench, *click(*corner))
        mouse(bench, ("mouse_double_click", *SQUARE[-1]))
    assert labels(bench) == ["0.500 mm² · perimeter 3.00 mm"]


def test_moved_deleted_and_copied_figures_follow_in_the_journal(bench: Any, qtbot: QtBot) -> None:
    rulers = Rulers.of(bench.session)
    for shift in (0, 100):
        rulers.add(Figure(RULER, SQUARE[:2] + shift))
    qtbot.waitUntil(lambda: len(rulers_on_disk(bench.path)) == 2)
    layer = rulers.layer
    layer.data = [layer.data[0] + 50, layer.data[1]]
    layer.selected_data = {1}
    rulers.delete_selected()
    expected = to_level0(SQUARE[:2] + 50, PixelSize(*MPP))
    qtbot.waitUntil(
        lambda: (
            len(rulers_on_disk(bench.path)) == 1
            and np.allclose(rulers_on_disk(bench.path)[0].points, expected)
        )
    )


def test_reopening_brings_figures_back(bench: Any, qtbot: QtBot) -> None:
    Rulers.of(bench.session).add(Figure(AREA, SQUARE))
    qtbot.waitUntil(lambda: len(rulers_on_disk(bench.path)) == 1)
    bench.session.close_result()
    assert len(Rulers.of(bench.session).layer.data) == 0
    bench.session.open_result(bench.path)
    assert labels(bench) == ["0.500 mm² · perimeter 3.00 mm"]
    qtbot.wait(500)
    assert len(rulers_on_disk(bench.path)) == 1, "noted once"


def test_a_figure_drawn_before_there_was_a_result_is_kept_with_it(bench: Any, qtbot: QtBot) -> None:
    bench.session.close_result()
    Rulers.of(bench.session).add(Figure(RULER, SQUARE[:2]))
    bench.session.open_result(bench.path)
    qtbot.waitUntil(lambda: len(rulers_on_disk(bench.path)) == 1)


def test_a_reviewed_result_takes_no_more_and_says_so(bench: Any, qtbot: QtBot) -> None:
    rulers, said = Rulers.of(bench.session), []
    rulers.failed.connect(said.append)
    rulers.add(Figure(RULER, SQUARE[:2]))
    qtbot.waitUntil(lambda: len(rulers_on_disk(bench.path)) == 1)
    bench.session.corrections.note("review")
    rulers.delete_selected()
    qtbot.waitUntil(lambda: len(said) == 1)
    assert "review" in said[0]
    assert len(rulers.layer.data) == len(rulers_on_disk(bench.path)) == 1


def test_escape_and_another_layer_put_the_pen_away(bench: Any) -> None:
    bench.pen.take(RULER)
    mouse(bench, *click(100, 200), ("mouse_move", 300, 300))
    assert labels(bench) == ["0.224 mm"]
    bench.viewer.layers.selection.active = bench.session.slide_layer
    assert bench.pen.kind == ""
    assert labels(bench) == []
    assert bench.viewer.layers.selection.active is bench.session.slide_layer


def test_without_a_slide_there_is_nothing_to_measure(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    assert not Pen.of(Session.of(viewer)).take(RULER)
    assert len(viewer.layers) == 0
