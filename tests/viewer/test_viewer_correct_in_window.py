"""Correcting in a real napari window, by mouse and keys, on a real slide."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewer_measured import measured_result
from viewer_pathologist import Pathologist, mask_on_disk

from napari_breastpath.edits import Corrections
from napari_breastpath.results import load_result
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import preferences

pytestmark = pytest.mark.window


@pytest.fixture
def sit_down(
    make_napari_viewer: Callable[..., Any], qtbot: Any
) -> Iterator[Callable[[Path], Pathologist]]:
    """Open a result in a window, the whole slide in view."""
    held: list[Pathologist] = []

    def sit(path: Path) -> Pathologist:
        preferences.answer(True)
        preferences.set_reader_name("A. Reader")
        held.append(Pathologist(make_napari_viewer(show=True), path, qtbot.waitUntil))
        held[-1].viewer.reset_view()
        return held[-1]

    yield sit
    for hands in held:
        if vars(hands):
            hands.leave()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return measured_result(tmp_path, open_slide(sample_slide_path())).path


def test_a_pathologist_corrects_by_mouse_and_keys(
    sit_down: Callable[[Path], Pathologist], path: Path
) -> None:
    hands, before = sit_down(path), mask_on_disk(path)
    hands.take("brush")
    hands.stroke((350, 200), (350, 300))
    painted = mask_on_disk(path)
    assert painted[350, 200:300].all()

    hands.stroke((400, 200), (400, 300))
    hands.undo()
    np.testing.assert_array_equal(mask_on_disk(path), painted)

    hands.viewer.layers.selection.active = hands.session.slide_layer
    hands.undo()
    np.testing.assert_array_equal(mask_on_disk(path), before)
    hands.redo()
    np.testing.assert_array_equal(mask_on_disk(path), painted)

    reopened = Corrections.open(load_result(path))
    assert [e.tool for e in reopened.log if e.action == "edit"] == ["brush", "brush"]
    whole = slice(0, before.shape[0]), slice(0, before.shape[1])
    np.testing.assert_array_equal(reopened.mask(*whole), painted)
    assert reopened.undo() is not None
    np.testing.assert_array_equal(mask_on_disk(path), before)


def test_moving_on_with_the_brush_in_hand_opens_the_next_field(
    sit_down: Callable[[Path], Pathologist], path: Path
) -> None:
    hands = sit_down(path)
    camera, canvas = hands.viewer.scene.camera, hands.editor.canvas
    camera.zoom, camera.center = 6, (400, 400)
    hands.take("brush")
    camera.zoom, camera.center = 2, (1400, 2000)
    hands.wait_until(lambda: canvas.window.holds(canvas.seen()))
    assert canvas.layer.mode == "paint"
    hands.stroke((340, 490), (340, 500))
    assert mask_on_disk(path)[340, 495] == 1


def test_closing_the_window_waits_for_strokes(
    sit_down: Callable[[Path], Pathologist], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = sit_down(path)
    hands.take("brush")
    apply = Corrections.apply

    def slowly(self: Corrections, *values: Any, **options: Any) -> Any:
        time.sleep(0.5)
        return apply(self, *values, **options)

    monkeypatch.setattr(Corrections, "apply", slowly)
    viewer, layer = hands.viewer, hands.editor.canvas.layer
    layer.paint((350, 300), 1)
    vars(hands).clear()
    viewer.close()
    assert mask_on_disk(path)[350, 300] == 1
