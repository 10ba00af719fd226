"""Every tool by mouse on a real slide: what it does to the mask on disk, and that undo undoes it.

What must come of a gesture is computed with NumPy, SciPy and scikit-image from the mask before.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from qtpy.QtTest import QTest
from scipy import ndimage
from skimage.draw import polygon2mask
from viewer_measured import measured_result
from viewer_pathologist import Pathologist, Place, mask_on_disk

from napari_breastpath.edits import read_log
from napari_breastpath.results import load_result
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.flip import flip

pytestmark = pytest.mark.window
Mask = NDArray[np.bool_]
Bounds = tuple[Mask, Mask]
"""What must be in the mask afterwards, and what may be."""
SHAPE, MPP = (371, 277), 4.0
BRUSH_UM, BY_UM, SLIP_PX = 60.0, 40.0, 1.5
"""A gesture is that exact: the slide is shown at half a map pixel per pixel of the screen."""
LONG, SMALL, HOLE = (140, 70), (225, 75), (125, 207)
ISLANDS_MM2 = 0.0004  # 25 map px
DARK = 60
"""A grey value that stained tissue does not reach; napari's canvas is black."""


def heat() -> NDArray[np.uint8]:
    """Two regions, one with a hole and one with a thorn; a bar that is near; two islands."""
    painted = np.ones(SHAPE, np.uint8)
    for rows, columns, p in (
        ((100, 150), (50, 250), 0.9),
        ((120, 131), (200, 216), 0.0),
        ((200, 250), (50, 100), 0.6),
        ((185, 200), (74, 77), 0.6),
        ((40, 43), (60, 63), 0.9),
        ((45, 48), (250, 253), 0.9),
        ((200, 250), (200, 250), 0.4),
    ):
        painted[slice(*rows), slice(*columns)] = max(1, round(255 * p))
    return painted


# ---------------------------------------------------------------------- what must come of it
def distance_px(*points: Place) -> NDArray[np.float64]:
    """Return how far each map pixel's centre is from a line through pixels' centres."""
    centres = np.stack(np.mgrid[: SHAPE[0], : SHAPE[1]], axis=-1).astype(float)
    nearest = np.full(SHAPE, np.inf)
    for one, two in zip(np.array(points[:-1]), np.array(points[1:]), strict=True):
        along = np.clip((centres - one) @ (two - one) / max((two - one) @ (two - one), 1e-9), 0, 1)
        away = np.linalg.norm(centres - one - along[..., None] * (two - one), axis=-1)
        nearest = np.minimum(nearest, away)
    return nearest


def near(width_um: float, *points: Place) -> Bounds:
    """Return what lies surely, and what perhaps, under a brush along points."""
    away, radius = distance_px(*points), width_um / 2 / MPP
    return away < radius - SLIP_PX, away < radius + SLIP_PX


def inside(*points: Place) -> Bounds:
    """Return what lies surely, and what perhaps, within an outline."""
    mask = polygon2mask(SHAPE, np.array(points))
    edge = distance_px(*points, points[0]) < SLIP_PX
    return mask & ~edge, mask | edge


def region(mask: Mask, at: Place) -> Mask:
    """Return the connected region at a pixel."""
    labels = ndimage.label(mask, np.ones((3, 3)))[0]
    return np.asarray(labels == labels[at])


def added(what: Bounds) -> Callable[[Mask], Bounds]:
    return lambda before: (before | what[0], before | what[1])


def taken(what: Bounds) -> Callable[[Mask], Bounds]:
    return lambda before: (before & ~what[1], before & ~what[0])


def exactly(make: Callable[[Mask], Mask]) -> Callable[[Mask], Bounds]:
    return lambda before: (make(before), make(before))


def moved(um: float) -> Callable[[Mask], Mask]:
    """Move the small region's outline by Euclidean distance; nothing else changes."""

    def make(before: Mask) -> Mask:
        own = region(before, SMALL)
        outside = ndimage.distance_transform_edt(~own) * MPP <= um
        kept = ndimage.distance_transform_edt(own) * MPP > -um
        return (before & ~own) | (outside if um > 0 else kept)

    return make


def evened(before: Mask) -> Bounds:
    """The thorn goes; the inside stays, and so does all that is farther than the radius."""
    own = region(before, SMALL)
    body = ndimage.binary_opening(own, np.ones((9, 9)))
    inner = ndimage.distance_transform_edt(body) * MPP > BY_UM
    return (before & ~own) | inner, (before & ~own) | ndimage.binary_dilation(body, iterations=2)


def without_islands(before: Mask) -> Mask:
    labels, count = ndimage.label(before, np.ones((3, 3)))
    sizes = ndimage.sum_labels(before, labels, np.arange(count + 1)) * MPP**2 / 1e6
    return np.asarray(before & (sizes[labels] >= ISLANDS_MM2))


# ---------------------------------------------------------------------- gestures
class Case(NamedTuple):
    """A tool, a gesture over map pixels, and what must come of it."""

    tool: str
    path: tuple[Place, ...]
    bounds: Callable[[Mask], Bounds]
    erases: bool = False

    @property
    def title(self) -> str:
        return f"{self.tool}, erasing" if self.erases else self.tool

    @property
    def logged(self) -> str:
        return "eraser" if self.title == "brush, erasing" else self.tool


BAR = ((60, 100), (60, 160))
RING = ((30, 120), (30, 180), (70, 180), (70, 120), (31, 121))
INNER = ((90, 120), (90, 180), (130, 180), (130, 120), (91, 121))
CUT, BRIDGE = ((90, 150), (160, 150)), ((140, 120), (215, 80))
TRIANGLE, OVER = ((80, 120), (80, 180), (170, 150)), ((225, 190), (225, 260))
PROBABLE = heat() / 255 > 0.3
CASES = (
    Case("brush", BAR, added(near(BRUSH_UM, *BAR))),
    Case("brush", CUT, taken(near(BRUSH_UM, *CUT)), erases=True),
    Case("eraser", CUT, taken(near(BRUSH_UM, *CUT))),
    Case("encircle", RING, added(inside(*RING))),
    Case("encircle", INNER, taken(inside(*INNER)), erases=True),
    Case("polygon", RING[:4], added(inside(*RING[:4]))),
    Case("polygon", TRIANGLE, taken(inside(*TRIANGLE)), erases=True),
    Case("probability brush", OVER, added(tuple(b & PROBABLE for b in near(BRUSH_UM, *OVER)))),
    Case("split", CUT, taken((np.zeros(SHAPE, bool), distance_px(*CUT) < 2 * SLIP_PX))),
    Case("fill holes", (LONG,), exactly(lambda m: m | ndimage.binary_fill_holes(region(m, LONG)))),
    Case("smooth", (SMALL,), evened),
    Case("grow", (SMALL,), exactly(moved(BY_UM))),
    Case("shrink", (SMALL,), exactly(moved(-BY_UM))),
    Case("join", BRIDGE, added(near(BRUSH_UM / 2, *BRIDGE))),
    Case("delete region", (SMALL,), exactly(lambda m: m & ~region(m, SMALL))),
)


@pytest.fixture
def hands(
    make_napari_viewer: Callable[..., Any], qtbot: Any, tmp_path: Path, shared_data: Path
) -> Iterator[Pathologist]:
    preferences.answer(True)
    preferences.set_reader_name("A. Reader")
    slide = shutil.copy(shared_data / "slides" / "CMU-1-Small-Region.svs", tmp_path)
    path = measured_result(tmp_path, open_slide(slide), heat=heat()).path
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1366, 768)
    held = [Pathologist(viewer, path, qtbot.waitUntil)]
    viewer.reset_view()
    yield held[0]
    held.pop().leave()


def use(hands: Pathologist, case: Case) -> None:
    hands.editor.choose(0 if case.erases else 1)
    hands.take(case.tool)
    (hands.corners if case.tool == "polygon" else hands.stroke)(*case.path)


def check(hands: Pathologist, before: Mask, bounds: Bounds, title: str) -> None:
    """Compare the mask on disk with what must be there, and take the step back."""
    after, (must, may) = mask_on_disk(hands.path) > 0, bounds
    assert (after != before).any(), title
    assert not (must & ~after).any(), title
    assert not (after & ~may).any(), title
    hands.undo()
    np.testing.assert_array_equal(mask_on_disk(hands.path) > 0, before, err_msg=title)


def darkest(hands: Pathologist, at: Place) -> int:
    """Return the darkest value on the canvas within four pixels of the screen."""
    hands.wait_until(lambda: all(layer.loaded for layer in hands.viewer.layers))
    QTest.qWait(100)
    shown = hands.viewer.screenshot(canvas_only=True, flash=False)
    place = hands.screen(hands.on_map(*at))
    return int(shown[place.y() - 4 : place.y() + 5, place.x() - 4 : place.x() + 5].min())


def count(mask: Mask) -> int:
    return int(ndimage.label(mask, np.ones((3, 3)))[1])


def test_every_tool_does_what_it_says_and_undo_takes_it_back(hands: Pathologist) -> None:
    before = mask_on_disk(hands.path) > 0
    hands.editor.brush_um = BRUSH_UM
    hands.correct.by_um.setValue(BY_UM)
    for case in CASES:
        use(hands, case)
        assert read_log(load_result(hands.path))[-1].tool == case.logged, case.title
        parts = 1 if case.tool == "split" else -1 if case.tool == "join" else None
        now = count(mask_on_disk(hands.path) > 0)
        assert parts is None or now == count(before) + parts, case.title
        check(hands, before, case.bounds(before), case.title)

    hands.correct.smallest.setValue(ISLANDS_MM2)
    hands.correct.islands.click()
    hands.settle()
    kept = without_islands(before)
    assert count(kept) == count(before) - 2
    check(hands, before, (kept, kept), "remove islands")

    beside = ((225, 100), (225, 120))
    use(hands, Case("brush", beside, added(near(BRUSH_UM, *beside))))
    painted = mask_on_disk(hands.path) > 0
    use(hands, Case("revert", (SMALL,), exactly(lambda _: before)))
    np.testing.assert_array_equal(mask_on_disk(hands.path) > 0, before)
    check(hands, painted, (before, before), "revert")


def test_the_brush_covers_nothing_while_it_is_used_and_after(hands: Pathologist) -> None:
    hands.editor.brush_um = BRUSH_UM
    before = darkest(hands, BAR[-1])
    assert before > DARK
    use(hands, Case("brush", BAR, added(near(0, *BAR))))
    for act in (lambda: flip(hands.session), lambda: flip(hands.session), hands.undo):
        act()
        assert darkest(hands, BAR[-1]) > DARK
    hands.put_down("brush")
    assert darkest(hands, BAR[-1]) == before
