"""Make the pictures of README and docs: the packaged slide in a real napari window, by mouse.

Run it from the project's root, on any screen or a virtual one:

    xvfb-run -a -s "-screen 0 1366x768x24" python docs/screenshots.py

It writes `docs/images/*.png` and leaves the user's own napari settings alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from camera import Hand, Place, beside, circle, pump, save, wait_for, window_picture

LAPTOP_PX = (1366, 768)
ACROSS: list[Place] = [(-10, -150), (10, 150)]
BUMP: list[Place] = [(30, 20), (90, 60), (150, 80)]
RING = circle((90, 40), 70)
CORNERS: list[Place] = [(20, -60), (140, -110), (180, 20), (90, 90)]
DRAWN = {"brush": BUMP, "eraser": ACROSS, "encircle": RING}
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

    def raise_(self, widget: Any) -> None:
        """Bring a dock to the front."""
        widget.parent().raise_()
        pump(0.5)

    def save(self, name: str) -> None:
        """Write a picture of the window."""
        save(window_picture(self.viewer), name)

    def settle(self) -> None:
        """Wait until every stroke is on disk and on screen."""
        wait_for(lambda: self.editor.drain(0.1))
        pump(1.5)  # numbers and caliper follow

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

    def look(self) -> None:
        """Bring the longest region to the middle."""
        regions = self.session.result.regions
        longest = regions.loc[regions["feret_max_mm"].idxmax()]
        self.session.go_to_region(longest["region_id"])
        self.viewer.scene.camera.zoom = LOOK_PX / (longest["feret_max_mm"] * 1000)
        pump(1)


def analysis(desk: Desk) -> None:
    """Show tissue, run, look at the measurements: the tour in the README."""
    desk.viewer.reset_view()
    desk.analysis.form.choose(specimen="node")
    desk.analysis.show_tissue()
    wait_for(lambda: desk.session.layer("tissue") is not None)
    desk.save("tissue")
    desk.analysis.run()
    wait_for(lambda: desk.analysis.bar.maximum() > 1 and desk.analysis.bar.value() > 40)
    desk.save("running")
    wait_for(lambda: desk.analysis.runner.idle)
    desk.raise_(desk.measurements)
    wait_for(lambda: desk.measurements.live.is_ready)
    desk.save("analysis")
    desk.measurements.go_to_longest()
    desk.save("region")


def drawing(desk: Desk) -> None:
    """Brush, eraser, encircle."""
    desk.editor.brush_um = desk.um(36)
    for name, path in DRAWN.items():
        draw(desk, name, path)
        desk.undo()


def draw(desk: Desk, name: str, path: list[Place]) -> None:
    """Use a tool along a path: a picture in the middle of it, and one after."""
    desk.take(name)
    desk.hand.press(path)
    under_way = desk.hand.picture()
    desk.hand.let_go(path[-1])
    desk.settle()
    save(beside([under_way, desk.hand.picture()]), f"tool-{name.replace(' ', '-')}")


def probable(desk: Desk) -> None:
    """Paint back what the eraser took, and nothing beside it."""
    desk.editor.brush_um = desk.um(36)
    desk.take("eraser")
    desk.hand.drag(ACROSS)
    desk.settle()
    draw(desk, "probability brush", ACROSS)
    desk.undo(2)


def polygon(desk: Desk) -> None:
    """Corner by corner."""
    desk.take("polygon")
    for corner in CORNERS[:-1]:
        desk.hand.click(corner)
    under_way = desk.hand.picture()
    desk.hand.click(CORNERS[-1], twice=True)
    desk.settle()
    save(beside([under_way, desk.hand.picture()]), "tool-polygon")
    desk.undo()


def split_and_join(desk: Desk) -> None:
    """Cut the region, and build a bridge over the cut."""
    desk.editor.brush_um = desk.um(36)
    draw(desk, "split", ACROSS)
    draw(desk, "join", [(-25.0, 10.0), (50.0, 10.0)])
    desk.undo(2)


def by_click(desk: Desk) -> None:
    """Tools of one region: before, and after a click."""
    desk.correct.by_um.setValue(desk.um(14))
    for name in ("smooth", "grow", "shrink", "delete region"):
        desk.take(name)
        before = desk.hand.picture()
        desk.hand.click((0, 0))
        desk.settle()
        save(beside([before, desk.hand.picture()]), f"tool-{name.replace(' ', '-')}")
        desk.undo()


def holes_and_model(desk: Desk) -> None:
    """A hole that is erased and filled; the model's mask beside the corrected one."""
    from napari_breastpath.viewer.flip import flip

    desk.take("eraser")
    desk.hand.drag(circle((0, 10), 12))
    desk.settle()
    desk.take("fill holes")
    before = desk.hand.picture()
    desk.hand.click((50, 10))
    desk.settle()
    save(beside([before, desk.hand.picture()]), "tool-fill-holes")
    desk.take("brush")
    desk.hand.drag(BUMP)
    desk.settle()
    corrected = desk.hand.picture()
    flip(desk.session)
    pump(1)
    save(beside([desk.hand.picture(), corrected]), "model-corrected")
    flip(desk.session)
    desk.save("correct")
    desk.editor.close()


def caliper(desk: Desk) -> None:
    """Drag an end of the longest extent; show the moment axis and where to look next."""
    from napari_breastpath.viewer.navigate import feret_world

    desk.raise_(desk.measurements)
    desk.measurements.go_to_longest()
    desk.look()
    live = desk.measurements.live
    wait_for(lambda: live.is_saved and desk.measurements.runner.idle)
    desk.measurements.tour.after.click()
    desk.look()
    desk.save("tour")
    desk.measurements.axis_button.click()
    pump(1)
    desk.save("axis")
    desk.measurements.axis_button.click()
    result, camera = desk.session.result, desk.viewer.scene.camera
    row = result.regions.loc[result.regions["feret_max_mm"].idxmax()]
    down, right = (feret_world(row, result.slide_mpp)[0] - camera.center[-2:]) * camera.zoom
    desk.hand.drag([(right, down), (right + 20, down + 20), (right + 45, down + 40)])
    wait_for(lambda: desk.measurements.reset_button.isVisible())
    desk.save("caliper")


def navigator(desk: Desk) -> None:
    """A ruler and an area; what was seen."""
    desk.raise_(desk.navigator)
    around = circle((-150, 120), 40)
    for kind, path in (("ruler", [(-40.0, 170.0), (110.0, 190.0)]), ("area", around)):
        button = getattr(desk.navigator, kind)
        button.click()
        desk.hand.drag(path)
        pump(0.5)
        if button.isChecked():
            button.click()
    for x in (0.3, 0.5, 0.7):
        desk.navigator.objectives[10].click()
        desk.navigator.map.chosen.emit(x, 0.4)
        pump(1)
    desk.look()
    desk.save("navigator")


def reviewed(desk: Desk) -> None:
    """Sign the result."""
    desk.raise_(desk.measurements)
    live = desk.measurements.live
    wait_for(lambda: live.is_saved and desk.measurements.runner.idle)
    desk.measurements.review.press()
    wait_for(lambda: desk.session.corrections.state.reviewed is not None)
    desk.save("reviewed")


def two_readers(desk: Desk, folder: Path) -> None:
    """Lay a second reader's corrections over the first's."""
    from napari_breastpath.edits import Corrections
    from napari_breastpath.edits.tools import polygon
    from napari_breastpath.results import load_result
    from napari_breastpath.viewer.launch import PLUGIN

    result = desk.session.result
    copy = Path(shutil.copytree(result.path, folder / "second" / result.path.name))
    second = Corrections.open(load_result(copy), "Reader B")
    if second.state.reviewed:
        second.note("reopen")
    height, width = result.lattice.shape
    corners = [(0.42, 0.4), (0.42, 0.55), (0.56, 0.55), (0.56, 0.4)]
    change = polygon(second, [(y * height, x * width) for y, x in corners], 1)
    second.apply(change, "polygon")
    dock = desk.viewer.window.add_plugin_dock_widget(PLUGIN, "Two readers", tabify=True)[1]
    desk.raise_(dock)
    dock.open(copy)
    wait_for(lambda: dock.readers.found is not None)
    dock.after.click()
    desk.save("two-readers")


def tour(viewer: Any, folder: Path) -> None:
    """Take all the pictures."""
    desk = Desk(viewer)
    viewer.window.resize(*LAPTOP_PX)
    pump(2)
    analysis(desk)
    desk.raise_(desk.correct)
    desk.session.layer("tissue").visible = False
    desk.look()
    for act in (drawing, probable, polygon, split_and_join, by_click, holes_and_model):
        act(desk)
    caliper(desk)
    navigator(desk)
    reviewed(desk)
    two_readers(desk, folder)


def main() -> None:
    """Open napari on the sample slide, with settings and results in a temporary home folder."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = os.environ["USERPROFILE"] = folder
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
        from napari_breastpath.sample import sample_slide_path
        from napari_breastpath.viewer import launch, preferences

        preferences.answer(True)
        preferences.set_reader_name("Reader A")
        viewer = launch.view(sample_slide_path(), block=False)
        tour(viewer, Path(folder))
        viewer.close()


if __name__ == "__main__":
    main()
