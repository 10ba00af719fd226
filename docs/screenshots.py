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

from camera import Place, beside, circle, pump, save, wait_for
from desk import Desk
from training_slides import corrected_slides

LAPTOP_PX = (1280, 768)
ACROSS: list[Place] = [(-10, -150), (10, 150)]
BUMP: list[Place] = [(30, 20), (90, 60), (150, 80)]
RING = circle((90, 40), 70)
CORNERS: list[Place] = [(20, -60), (140, -110), (180, 20), (90, 90)]
DRAWN = {"brush": BUMP, "eraser": ACROSS, "encircle": RING}
THROUGH: list[Place] = [(161, -174), (178, 182)]
FAT = circle((-72, 118), 34)
SECOND: list[tuple[list[Place], int]] = [
    ([(0.42, 0.40), (0.42, 0.55), (0.56, 0.55), (0.56, 0.40)], 1),
    ([(0.10, 0.15), (0.10, 0.30), (0.26, 0.30), (0.26, 0.15)], 0),
]
"""What the second reader adds and erases: corners (y, x) in shares of the slide, and the class."""
EPOCHS, TILES = 3, 32
AXIS_WORDS_PX = 90
"""How far the words beside the ellipse reach out of the middle."""


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
    desk.saved()
    desk.measurements.tour.after.click()
    desk.look()
    desk.save("tour")
    y, x = desk.viewer.scene.camera.center[-2:]
    desk.viewer.scene.camera.center = y, x + desk.um(AXIS_WORDS_PX)
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
    for x in (0.3, 0.5, 0.7):
        desk.navigator.objectives[10].click()
        desk.navigator.map.chosen.emit(x, 0.4)
        desk.look_around()
    desk.viewer.reset_view()
    pump(1)
    for button, path in ((desk.navigator.ruler, THROUGH), (desk.navigator.area, FAT)):
        button.click()
        desk.hand.drag(path)
        wait_for(lambda button=button: not button.isChecked())
    desk.saved()
    desk.save("navigator")


def reviewed(desk: Desk) -> None:
    """Sign the result."""
    desk.raise_(desk.measurements)
    desk.measurements.review.press()
    wait_for(lambda: desk.session.corrections.state.reviewed is not None)
    desk.saved()
    desk.save("reviewed")


def two_readers(desk: Desk, copy: Path) -> None:
    """Lay a second reader's corrections over the first's."""
    from napari_breastpath.edits import Corrections
    from napari_breastpath.edits.tools import polygon
    from napari_breastpath.results import load_result
    from napari_breastpath.viewer.launch import PLUGIN

    second = Corrections.open(load_result(copy), "Reader B")
    height, width = second.result.lattice.shape
    for corners, value in SECOND:
        points = [(y * height, x * width) for y, x in corners]
        second.apply(polygon(second, points, value), "polygon")
    dock = desk.viewer.window.add_plugin_dock_widget(PLUGIN, "Two readers", tabify=True)[1]
    desk.raise_(dock)
    dock.open(copy)
    wait_for(lambda: dock.readers.found is not None)
    dock.after.click()
    desk.save("two-readers")
    dock.end_button.click()


def training(desk: Desk, folder: Path) -> None:
    """Retrain on three corrected slides: who trains, the curves, old against new."""
    from qtpy.QtCore import Qt

    from napari_breastpath.viewer.corrected_table import HELD
    from napari_breastpath.viewer.launch import PLUGIN

    dock = desk.viewer.window.add_plugin_dock_widget(PLUGIN, "Train", tabify=True)[1]
    desk.raise_(dock)
    dock.add_all(corrected_slides(folder))
    dock.table.item(2, HELD).setCheckState(Qt.CheckState.Checked)
    dock.epochs.setValue(EPOCHS)
    dock.tiles.setValue(TILES)
    dock.start_button.click()
    wait_for(lambda: len(dock.curves.rows) == EPOCHS - 1, seconds=600)
    desk.save("train")
    wait_for(lambda: dock.runner.idle, seconds=600)
    dock.show_maps.click()
    desk.saved()
    desk.save("trained")


def tour(viewer: Any, folder: Path) -> None:
    """Take all the pictures."""
    desk = Desk(viewer)
    viewer.window.resize(*LAPTOP_PX)
    pump(2)
    analysis(desk)
    result = desk.session.result.path
    untouched = Path(shutil.copytree(result, folder / "second" / result.name))
    desk.raise_(desk.correct)
    desk.session.layer("tissue").visible = False
    desk.look()
    for act in (drawing, probable, polygon, split_and_join, by_click, holes_and_model):
        act(desk)
    caliper(desk)
    navigator(desk)
    reviewed(desk)
    two_readers(desk, untouched)
    training(desk, folder / "train")


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
