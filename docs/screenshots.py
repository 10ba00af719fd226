"""Make the README's screenshots: the packaged slide, analysed in a real napari window.

Run it from the project's root, on any screen or a virtual one:

    xvfb-run -a -s "-screen 0 1366x768x24" python docs/screenshots.py

It writes `docs/images/*.png` and leaves the user's own napari settings alone.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).with_name("images")
LAPTOP_PX = (1366, 768)
COLOURS = 256
LARGEST_BYTES = 500_000


def pump(seconds: float) -> None:
    """Let the window live for a while."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def wait_for(condition: Callable[[], Any], seconds: float = 600) -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the window did not get there")
        pump(0.05)


def save(viewer: Any, name: str) -> None:
    """Write a picture of the whole window, in few enough colours to be small."""
    from PIL import Image

    pump(1)
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path}  {size / 1000:.0f} kB")
    if size > LARGEST_BYTES:
        raise SystemExit(f"{path} is larger than {LARGEST_BYTES / 1000:.0f} kB")


def docks(viewer: Any) -> list[Any]:
    """Return the widgets of the docks Breast analysis and Measurements."""
    from napari_breastpath.viewer.launch import DOCKS, PLUGIN

    return [viewer.window.add_plugin_dock_widget(PLUGIN, name)[1] for name in DOCKS[:2]]


def tour(viewer: Any) -> None:
    """Do what the tour in the README does, and take pictures."""
    analysis, measurements = docks(viewer)
    viewer.window.resize(*LAPTOP_PX)
    pump(2)
    viewer.reset_view()
    analysis.form.choose(specimen="node")
    analysis.show_tissue()
    wait_for(lambda: analysis.session.layer("tissue") is not None)
    save(viewer, "tissue")
    analysis.run()
    wait_for(lambda: analysis.bar.maximum() > 1 and analysis.bar.value() > 40)
    save(viewer, "running")
    wait_for(lambda: analysis.runner.idle)
    measurements.parent().raise_()
    save(viewer, "analysis")
    measurements.go_to_longest()
    save(viewer, "region")


def main() -> None:
    """Open napari on the sample slide, with settings and results in a temporary home folder."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = os.environ["USERPROFILE"] = folder
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
        from napari_breastpath.sample import sample_slide_path
        from napari_breastpath.viewer import launch, preferences

        preferences.answer(True)
        viewer = launch.view(sample_slide_path(), block=False)
        tour(viewer)
        viewer.close()


if __name__ == "__main__":
    main()
