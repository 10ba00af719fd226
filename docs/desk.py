"""The napari window of `screenshots.py` with our docks, and what a person does at it."""

from __future__ import annotations

from typing import Any

from camera import Hand, pump, save, wait_for, window_picture

LOOK_PX = 320
"""How much of the screen the longest region fills."""


class Desk:
    """The window with its docks, and a hand.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        from napari_breastpath.viewer.launch import DOCKS, PLUGIN

        add = viewer.window.add_plugin_dock_widget
        self.viewer, self.hand = viewer, Hand(viewer)
        docks = [add(PLUGIN, name)[1] for name in DOCKS[:4]]
        self.analysis, self.measurements, self.correct, self.navigator = docks
        self.session, self.editor = self.correct.session, self.correct.editor
        self.is_measured = True
        self.session.edited.connect(self._on_edited)
        self.session.numbers.connect(self._on_numbers)

    def _on_edited(self, entry: Any) -> None:
        self.is_measured = entry.window is None and self.is_measured

    def _on_numbers(self, _: Any) -> None:
        self.is_measured = True

    def raise_(self, widget: Any) -> None:
        """Bring a dock to the front."""
        widget.parent().raise_()
        pump(0.5)

    def save(self, name: str) -> None:
        """Write a picture of the window."""
        save(window_picture(self.viewer), name)

    def settle(self) -> None:
        """Wait until every stroke is on disk, and numbers and caliper have followed it."""
        wait_for(lambda: self.editor.drain(0.1))
        wait_for(lambda: self.is_measured)
        pump(0.3)

    def saved(self) -> None:
        """Wait until the result's files hold what is on screen."""
        live, runner = self.measurements.live, self.measurements.runner
        wait_for(lambda: live.is_saved and runner.idle)

    def take(self, name: str) -> None:
        """Press a tool's button, where it is not in hand."""
        if not self.correct.buttons[name].isChecked():
            self.correct.buttons[name].click()
        wait_for(lambda: self.editor.active)
        self.settle()

    def undo(self, steps: int = 1) -> None:
        """Take steps back."""
        for _ in range(steps):
            self.editor.undo()
        self.settle()

    def um(self, screen_px: float) -> float:
        """Return a length on screen in µm."""
        return screen_px / float(self.viewer.scene.camera.zoom)

    def look_around(self) -> None:
        """Stay until what is in view was seen."""
        pump(0.2)
        wait_for(lambda: all(layer.loaded for layer in self.viewer.layers))
        pump(0.8)

    def look(self) -> None:
        """Bring the longest region to the middle."""
        regions = self.session.result.regions
        longest = regions.loc[regions["feret_max_mm"].idxmax()]
        self.session.go_to_region(longest["region_id"])
        self.viewer.scene.camera.zoom = LOOK_PX / (longest["feret_max_mm"] * 1000)
        pump(1)
