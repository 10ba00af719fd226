"""A pathologist at a real window, by mouse.

`python viewer_pathologist.py RESULT` paints for ever.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_breastpath.results import load_result
from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.session import Session

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
DOCKS = ("Measurements", "Correct")
SHORT_MS, LONG_MS = 20_000, 60_000
BRUSH_UM = 40.0
# Free of regions, in µm (height, width): room for a bar painted along its middle.
BARE_UM = (120.0, 320.0)
Place = tuple[float, float]


class Pathologist:
    """Hands at a napari window with our docks.

    Parameters
    ----------
    viewer : napari.Viewer
    path : Path
        A measured result, which is opened as by dropping it.
    wait_until : callable
        Waits until a function returns True: (function, timeout=milliseconds).
    """

    def __init__(self, viewer: Any, path: Path, wait_until: Callable[..., None]) -> None:
        self.viewer, self.path, self.wait_until = viewer, path, wait_until
        add = viewer.window.add_plugin_dock_widget
        # As `launch.dock` does: one below the other they would be higher than a screen.
        docks = [add("napari-breastpath", name, tabify=True)[1] for name in DOCKS]
        self.measurements, self.correct = docks
        viewer.open(str(path), plugin="napari-breastpath")
        self.session = Session.of(viewer)
        self.editor = self.correct.editor
        # What the docks say when numbers arrive moves the canvas; a hand would wait for that.
        live = self.measurements.live
        wait_until(lambda: live.is_ready and live.effects is not None, timeout=LONG_MS)
        QTest.qWait(300)

    # ------------------------------------------------------------------ where things are
    @property
    def canvas(self) -> Any:
        return self.viewer.window._qt_viewer.canvas.native

    def screen(self, world: Any) -> QPoint:
        """Return where a point of the world (y, x in µm) is on the canvas."""
        camera = self.viewer.scene.camera
        half = np.array([self.canvas.height(), self.canvas.width()]) / 2
        down, right = (np.asarray(world) - camera.center[-2:]) * camera.zoom + half
        return QPoint(round(right), round(down))

    def world(self, place: QPoint) -> np.ndarray:
        """Return which point of the world (y, x in µm) is at a place of the canvas."""
        camera = self.viewer.scene.camera
        half = np.array([self.canvas.height(), self.canvas.width()]) / 2
        return (np.array([place.y(), place.x()]) - half) / camera.zoom + camera.center[-2:]

    def on_map(self, row: float, column: float) -> np.ndarray:
        """Return a map pixel's centre in the world."""
        return np.asarray(self.session.layer("mask").data_to_world((row, column)))

    def in_view(self) -> tuple[slice, slice]:
        """Return the map pixels in view."""
        window = self.editor.canvas.seen()
        return window.rows, window.columns

    # ------------------------------------------------------------------ gestures
    def take(self, name: str) -> None:
        if not self.correct.buttons[name].isChecked():
            self.correct.buttons[name].click()
        self.wait_until(lambda: self.editor.canvas.layer is not None, timeout=SHORT_MS)
        self.settle()

    def put_down(self, name: str) -> None:
        self.correct.buttons[name].click()
        self.settle()

    def drag(self, *places: QPoint, steps: int = 6) -> None:
        QTest.mouseMove(self.canvas, places[0])
        QTest.qWait(20)
        QTest.mousePress(self.canvas, LEFT, NONE, places[0])
        for one, two in pairwise(places):
            for share in np.linspace(0, 1, steps)[1:]:
                QTest.mouseMove(self.canvas, one + (two - one) * float(share))
                QTest.qWait(10)
        QTest.mouseRelease(self.canvas, LEFT, NONE, places[-1])

    def stroke(self, *points: Place) -> None:
        """Drag over map pixels (row, column), and let it be written."""
        self.drag(*(self.screen(self.on_map(*point)) for point in points))
        self.settle()

    def corners(self, *points: Place) -> None:
        """Click at map pixels one after the other, the last one twice; let it be written."""
        for point in points:
            self.drag(self.screen(self.on_map(*point)))
            QTest.qWait(20)
        QTest.mouseDClick(self.canvas, LEFT, NONE, self.screen(self.on_map(*points[-1])))
        self.settle()

    def undo(self) -> None:
        QTest.keyClick(self.canvas, Qt.Key.Key_Z, CTRL)
        self.settle()

    def redo(self) -> None:
        QTest.keyClick(self.canvas, Qt.Key.Key_Z, CTRL | SHIFT)
        self.settle()

    def settle(self) -> None:
        QTest.qWait(50)
        assert self.editor.drain()

    def saved(self) -> None:
        """Wait until the numbers of all that was done are on disk."""
        live, runner = self.measurements.live, self.measurements.runner
        self.wait_until(lambda: live.is_saved and runner.idle, timeout=LONG_MS)

    def leave(self) -> None:
        """Let go of everything, with nothing under way."""
        self.settle()
        self.saved()
        self.wait_until(lambda: all(x.loaded for x in self.viewer.layers), timeout=SHORT_MS)
        QTest.qWait(100)
        vars(self).clear()


# ---------------------------------------------------------------------- what is on disk
def mask_on_disk(path: Path) -> np.ndarray:
    """Return the stored mask of a result, uint8 (y, x)."""
    return np.asarray(load_result(path).map.label("mask").levels[0][:])


def mask_of_journal(path: Path, leave_out_last_edit: bool = False) -> np.ndarray:
    """Return the mask that a one-class result's journal stands for, written down plainly."""
    result = load_result(path)
    lines = [json.loads(line) for line in journal_lines(path)]
    if leave_out_last_edit:
        last = max(line["number"] for line in lines if line["action"] == "edit")
        lines = [line for line in lines if line["number"] != last]
    edits = np.zeros(result.lattice.shape, np.uint8)
    for line in lines:
        if line["action"] in ("edit", "redo", "undo"):
            side = "old" if line["action"] == "undo" else "new"
            put(edits, path / "journal" / f"{line['of'] or line['number']:06d}.npz", side)
    heat = np.asarray(result.map.probability.levels[0][0])
    model = heat / 255 > result.record["settings"]["threshold"]
    return np.where(edits == 0, model, (edits > 0) & (edits < 255)).astype(np.uint8)


def put(edits: np.ndarray, file: Path, side: str) -> None:
    with np.load(file) as blocks:
        for name in blocks.files:
            row, column, which = name.split("_")
            if which == side:
                block = blocks[name]
                rows, columns = int(row), int(column)
                edits[rows : rows + block.shape[0], columns : columns + block.shape[1]] = block


def journal_lines(path: Path) -> list[str]:
    """Return the whole lines of a journal."""
    text = (path / "journal" / "log.jsonl").read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1].splitlines()


def bare_box(mask: np.ndarray, rows: slice, columns: slice, mpp: tuple[float, float]) -> Place:
    """Return the corner of a box of `BARE_UM` within rows and columns that the mask leaves free."""
    height, width = round(BARE_UM[0] / mpp[1]), round(BARE_UM[1] / mpp[0])
    for row in range(rows.start, rows.stop - height, 5):
        for column in range(columns.start, columns.stop - width, 5):
            if not mask[row : row + height, column : column + width].any():
                return row, column
    raise AssertionError("no room for a bar in view")


def paint_for_ever(path: Path) -> None:
    """Open a result in napari and paint stroke after stroke, until somebody kills this."""
    import napari
    from qtpy.QtWidgets import QApplication

    def wait_until(is_so: Callable[[], bool], timeout: int) -> None:
        while not is_so():
            QApplication.processEvents()

    preferences.answer(True)
    preferences.set_reader_name("A. Reader")
    hands = Pathologist(napari.Viewer(), path, wait_until)
    hands.measurements.go_to_longest()
    QTest.qWait(300)
    hands.take("brush")
    rows, columns = hands.in_view()
    rng = np.random.default_rng(0)
    while True:
        share = rng.uniform(0.1, 0.9, (2, 2))
        low, high = np.array([rows.start, columns.start]), np.array([rows.stop, columns.stop])
        hands.drag(*(hands.screen(hands.on_map(*(low + s * (high - low)))) for s in share))
        QTest.qWait(10)


if __name__ == "__main__":
    paint_for_ever(Path(sys.argv[1]))
