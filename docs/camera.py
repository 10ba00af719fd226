"""A mouse and a camera for `screenshots.py`: gestures in a real napari window, small pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

IMAGES = Path(__file__).with_name("images")
COLOURS, LARGEST_BYTES = 256, 400_000
CROP_PX, GAP_PX, STEP_PX = (420, 330), 6, 25
Place: TypeAlias = tuple[float, float]
"""x, y on the canvas, in screen pixels from its middle."""


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


def window_picture(viewer: Any) -> Image.Image:
    """Return the whole window."""
    pump(0.5)
    wait_for(lambda: all(layer.loaded for layer in viewer.layers))
    return Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)[..., :3])


def save(picture: Image.Image, name: str) -> None:
    """Write a picture in 256 colours: a third of the size, and no difference to the eye."""
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.png"
    # Median cut alone would mix the few yellow pixels of a line with the many pink ones.
    method, dither = Image.Quantize.MAXCOVERAGE, Image.Dither.NONE
    picture.quantize(COLOURS, method, kmeans=3, dither=dither).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}  {size / 1000:.0f} kB", flush=True)
    if size > LARGEST_BYTES:
        raise SystemExit(f"{path} is larger than {LARGEST_BYTES / 1000:.0f} kB")


def beside(pictures: Iterable[Image.Image]) -> Image.Image:
    """Return pictures of one height side by side on white."""
    row = list(pictures)
    width = sum(p.width for p in row) + GAP_PX * (len(row) - 1)
    whole, left = Image.new("RGB", (width, row[0].height), "white"), 0
    for picture in row:
        whole.paste(picture, (left, 0))
        left += picture.width + GAP_PX
    return whole


def circle(centre: Place, radius: float, count: int = 24) -> list[Place]:
    """Return places around a centre, closed."""
    angles = np.linspace(0, 2 * np.pi, count)
    return [(centre[0] + radius * np.cos(a), centre[1] + radius * np.sin(a)) for a in angles]


class Hand:
    """A hand at the mouse over a viewer's canvas.

    Parameters
    ----------
    viewer : napari.Viewer
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.canvas = viewer.window._qt_viewer.canvas.native

    def point(self, place: Place) -> Any:
        """Return a place as Qt has it."""
        from qtpy.QtCore import QPoint

        middle = self.canvas.width() / 2, self.canvas.height() / 2
        return QPoint(round(middle[0] + place[0]), round(middle[1] + place[1]))

    def press(self, places: list[Place]) -> None:
        """Press at the first place and move over the others, without letting go."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        points = [self.point(place) for place in places]
        QTest.mouseMove(self.canvas, points[0])
        pump(0.1)
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mousePress(self.canvas, left, none, points[0])
        for one, two in pairwise(points):
            away = two - one
            steps = 1 + (abs(away.x()) + abs(away.y())) // STEP_PX
            for share in np.linspace(0, 1, steps + 1)[1:]:
                QTest.mouseMove(self.canvas, one + away * float(share))
                pump(0.02)
        pump(0.2)

    def let_go(self, place: Place) -> None:
        """Let go there."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mouseRelease(self.canvas, button, none, self.point(place))
        pump(0.2)

    def drag(self, places: list[Place]) -> None:
        """Press, move and let go."""
        self.press(places)
        self.let_go(places[-1])

    def click(self, place: Place, twice: bool = False) -> None:
        """Click, or click twice."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        self.drag([place])
        if twice:
            button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
            QTest.mouseDClick(self.canvas, button, none, self.point(place))
            self.let_go(place)

    def picture(self) -> Image.Image:
        """Return the middle of the canvas."""
        from qtpy.QtCore import QPoint

        whole = window_picture(self.viewer)
        window = self.viewer.window._qt_window
        corner = self.canvas.mapTo(window, QPoint(0, 0))
        left = corner.x() + (self.canvas.width() - CROP_PX[0]) // 2
        top = corner.y() + (self.canvas.height() - CROP_PX[1]) // 2
        return whole.crop((left, top, left + CROP_PX[0], top + CROP_PX[1]))
