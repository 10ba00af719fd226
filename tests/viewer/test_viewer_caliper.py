"""The caliper keeps its size on screen and its text clear of the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from viewer_measured import measured_result

from napari_breastpath.sample import sample_slide_path
from napari_breastpath.viewer.caliper import TICK_PX, Caliper, plate, unit_across, with_ticks
from napari_breastpath.viewer.session import Session

coordinate = st.floats(-5000, 5000)
lines = (
    st.tuples(coordinate, coordinate, coordinate, coordinate)
    .map(lambda v: np.array(v).reshape(2, 2))
    .filter(lambda ends: np.linalg.norm(ends[1] - ends[0]) > 1)
)


@given(lines, st.floats(0.01, 100))
def test_ticks_stand_across_the_ends(ends: np.ndarray, pixel_um: float) -> None:
    line, *ticks = with_ticks(ends, pixel_um)
    for end, tick in zip(line, ticks, strict=True):
        assert np.allclose(tick.mean(axis=0), end)
        assert np.linalg.norm(tick[1] - tick[0]) == pytest.approx(2 * TICK_PX * pixel_um)
        along = (line[1] - line[0]) / np.linalg.norm(line[1] - line[0])
        assert abs((tick[1] - tick[0]) @ along) < 1e-6 * max(pixel_um, 1)


@given(lines, st.floats(0.01, 100))
def test_the_text_is_beside_the_line(ends: np.ndarray, pixel_um: float) -> None:
    distance = (plate(ends, "1.82 mm", pixel_um) - ends[0]) @ unit_across(ends)
    assert (distance > 0).all()


def test_the_longest_extent_is_drawn_and_follows_the_zoom(tmp_path: Path, qtbot: object) -> None:
    session = Session.of(viewer := ViewerModel())
    slide = session.open_slide(sample_slide_path())
    caliper = Caliper.of(session)
    viewer.scene.camera.zoom = 0.1
    caliper.show(measured_result(tmp_path, slide))
    layer = session.layer("caliper")
    assert layer.text.values[-1] == "0.825 mm"
    line, widths = np.array(layer.data[0]), list(layer.edge_width)
    assert np.linalg.norm(line[1] - line[0]) == pytest.approx(824.6, abs=0.1)
    viewer.scene.camera.zoom = 0.2
    qtbot.waitUntil(lambda: layer.edge_width[0] == widths[0] / 2)
    assert np.allclose(layer.data[0], line)
    caliper.show(None)
    assert session.layer("caliper") is None
