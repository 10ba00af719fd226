"""`Toolbox`: one tool at a time, its parameters, and what hands do with it on the slide."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_breastpath.core.errors import BreastPathError, UsageError
from napari_breastpath.edits import Change, Corrections
from napari_breastpath.edits import tools as edits_tools
from napari_breastpath.edits.operations import Point
from napari_breastpath.edits.regions_at import RegionWindow, region_at
from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.dialogs import brief
from napari_breastpath.viewer.edit_canvas import PAN
from napari_breastpath.viewer.editing import Editor
from napari_breastpath.viewer.sketch import Sketch
from napari_breastpath.viewer.tool_table import (
    BY_MODE,
    CLICK,
    HINTS,
    LINE,
    NAPARI,
    OUTLINE,
    STROKE,
    TOOLS,
    Tool,
)

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_breastpath.viewer.session import Session

RegionTool = Callable[[Corrections, RegionWindow], Change | None]
CLICK_PX, NEAR_PX = 5.0, 4


class Toolbox(Companion):
    """The tools of a session's editor; `Toolbox.of(session)` gives it, always the same.

    Attributes
    ----------
    tool : Tool or None
        In hand; None moves the view.
    by_um : float
        By how many µm outlines are smoothed, grown and shrunk.
    probability : float
        Above which the probability brush paints.
    smallest_mm2 : float
        Islands below it are removed.
    changed : Signal
        Emitted with this box when another tool is taken.
    """

    changed = Signal(object)

    def __init__(self, session: Session) -> None:
        self.editor = Editor.of(session)
        self.tool: Tool | None = None
        self.by_um, self.probability, self.smallest_mm2 = 20.0, 0.3, 0.01
        self._sketch = Sketch(session)
        self._dressed: Labels | None = None
        self._cancelled = False
        self.editor.changed.connect(self._on_editor)

    # ------------------------------------------------------------------ one tool at a time
    def take(self, name: str) -> bool:
        """Take a tool by its name, opening the edit layer; False where that cannot be."""
        tool = TOOLS[name]
        self.tool = tool
        if not self.editor.start(tool.mode):
            self.put_down()
            return False
        self._on_editor()
        self.editor.say(HINTS.get(tool.gesture, ""))
        return True

    def put_down(self) -> None:
        """Move the view from now on."""
        self.tool = None
        self._sketch.remove()
        self.editor.canvas.set_mode(PAN)
        if self.editor.canvas.layer is not None:
            self.editor.canvas.layer.mouse_pan = True
        self.changed.emit(self)

    def _on_editor(self, _: Any = None) -> None:
        """Keep up with the layer: opened, closed, moved, or another mode by napari's buttons."""
        layer, mode = self.editor.canvas.layer, self.editor.tool
        if layer is None and self._dressed is not None:
            self._dressed, self.tool = None, None
            self._sketch.remove()
        elif layer is not None:
            if mode != PAN:
                self.tool = BY_MODE.get(mode)
            elif self.tool is not None and self.tool.gesture == NAPARI:
                self.tool = None
            self._arm(layer)
        self.changed.emit(self)

    def _arm(self, layer: Labels) -> None:
        self._dressed = layer
        if self._on_drag not in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.append(self._on_drag)
            layer.bind_key("Escape", self._on_escape, overwrite=True)
            layer.bind_key("Space", self._on_space, overwrite=True)
        gesture = self.tool.gesture if self.tool is not None else NAPARI
        if gesture in (OUTLINE, STROKE, LINE):
            self._sketch.prepare()
        if layer.mode == PAN:
            layer.mouse_pan = gesture in (NAPARI, CLICK)
            layer.cursor = "standard" if gesture == NAPARI else "cross"

    def _on_escape(self, layer: Labels) -> None:
        """Cancel what is being drawn; with nothing under way put the tool down."""
        from napari.layers.labels._labels_key_bindings import reset_polygon

        drawing = self.editor.brush.pressed or self.editor.tool == "polygon"
        self._cancelled = self.editor.brush.pressed
        self._sketch.clear()
        reset_polygon(layer)
        if not drawing:
            self.put_down()

    def _on_space(self, layer: Labels) -> Iterator[None]:
        """Move the view while the key is held."""
        tool = self.tool
        self.editor.canvas.set_mode(PAN)
        layer.mouse_pan = True
        yield
        if tool is not None:
            self.take(tool.name)

    # ------------------------------------------------------------------ what hands do
    def _on_drag(self, layer: Labels, event: Any) -> Iterator[None]:
        tool = self.tool
        if tool is None or tool.gesture == NAPARI or event.button != 1:
            return
        began, self._cancelled = time.monotonic(), False
        points = [np.array(event.position[-2:], float)]
        yield
        while event.type == "mouse_move":
            points.append(np.array(event.position[-2:], float))
            self._show(tool, points)
            yield
        self._sketch.clear()
        if not self._cancelled and self._is_meant(tool, points):
            self.use(tool, self.editor.canvas.map_points(points), time.monotonic() - began)

    def _is_meant(self, tool: Tool, points: list[Any]) -> bool:
        """Tell whether a drag was one: a click tool leaves drags to the view, others want them."""
        away = np.linalg.norm(np.array(points) - points[0], axis=1).max()
        dragged = bool(away * self.editor.session.viewer.scene.camera.zoom > CLICK_PX)
        return tool.gesture == STROKE or dragged == (tool.gesture != CLICK)

    def _show(self, tool: Tool, points: list[Any]) -> None:
        if tool.gesture != CLICK and not self._cancelled:
            width_um = self.editor.brush_um if tool.gesture == STROKE else 0.0
            self._sketch.draw(np.array(points), width_um, closed=tool.gesture == OUTLINE)

    def use(self, tool: Tool, points: list[Point], seconds: float = 0.0) -> bool:
        """Use a tool along points, (row, column) in map px, in the background."""
        if not points:
            return False
        maker = "hand" if tool.gesture in (OUTLINE, LINE) else "machine"
        return self.editor.apply(
            self._change(tool, points), tool.name, maker, seconds, self._detail(tool)
        )

    def use_on_region(self, name: str) -> bool:
        """Use a region tool on the region that was gone to last (the table's row)."""
        session, tool = self.editor.session, TOOLS[name]
        try:
            point = region_point(session)
        except BreastPathError as error:
            self.editor.say(brief(error), error=True)
            return False
        return self.use(tool, [point])

    def remove_islands(self) -> bool:
        """Erase regions smaller than `smallest_mm2` that lie wholly in the part that is open."""
        canvas, smallest = self.editor.canvas, self.smallest_mm2
        window = canvas.window or canvas.seen()
        if window is None:
            self.editor.say("Remove islands: nothing of the slide is in view", error=True)
            return False
        return self.editor.apply(
            lambda c: edits_tools.remove_islands_in(c, window.rows, window.columns, smallest),
            "remove islands",
            detail={"below_mm2": smallest},
        )

    def _detail(self, tool: Tool) -> dict[str, float]:
        if tool.name in ("smooth", "grow", "shrink"):
            return {"um": self.by_um}
        if tool.gesture == STROKE:
            return {"probability": self.probability, "brush_um": self.editor.brush_um}
        return {}

    def _change(self, tool: Tool, points: list[Point]) -> Callable[[Corrections], Change | None]:
        """Return what the tool does, with the parameters as they are now."""
        value, probability, radius_um = (
            self.editor.value,
            self.probability,
            self.editor.brush_um / 2,
        )
        if tool.gesture == OUTLINE:
            return lambda c: edits_tools.polygon(c, points, value)
        if tool.gesture == STROKE:
            path = points if len(points) > 1 else points * 2
            return lambda c: edits_tools.paint_probable(c, path, radius_um, value, probability)
        if tool.name == "split":
            return lambda c: edits_tools.split_region(c, region_under(c, points), points, 0.0)
        if tool.name == "join":
            return lambda c: joined(c, points[0], points[-1], radius_um)
        act = self._region_tools()[tool.name]
        return lambda c: act(c, region_near(c, points[-1]))

    def _region_tools(self) -> dict[str, RegionTool]:
        um = self.by_um
        return {
            "fill holes": edits_tools.fill_holes_in,
            "smooth": lambda c, region: edits_tools.smooth_region(c, region, um),
            "grow": lambda c, region: edits_tools.grow_region(c, region, um),
            "shrink": lambda c, region: edits_tools.grow_region(c, region, -um),
            "delete region": edits_tools.delete_region,
            "revert": edits_tools.revert_region,
        }


def region_near(corrections: Corrections, point: Point) -> RegionWindow:
    """Return the region at a map point; `UsageError` where there is none."""
    region = region_at(corrections, int(point[0]), int(point[1]), within_px=NEAR_PX)
    if region is None:
        raise UsageError("Here", "there is no region", "click on one")
    return region


def joined(corrections: Corrections, one: Point, two: Point, width_um: float) -> Change | None:
    """Return a bridge between the regions at two points; `UsageError` where there is none."""
    region_near(corrections, one)
    region_near(corrections, two)
    return edits_tools.merge_regions(corrections, one, two, width_um)


def region_under(corrections: Corrections, points: list[Point]) -> RegionWindow:
    """Return the region in the middle of where a line crosses any; `UsageError` without one."""
    shape = np.array(corrections.result.lattice.shape)
    line = np.array(points)
    count = int(np.abs(np.diff(line, axis=0)).max(axis=1).sum()) + 2
    steps = np.linspace(0, len(line) - 1, count)
    along = np.stack([np.interp(steps, np.arange(len(line)), axis) for axis in line.T], axis=1)
    pixels = np.clip(along.astype(int), 0, shape - 1)
    low, high = pixels.min(axis=0), pixels.max(axis=0) + 1
    mask = corrections.mask(slice(low[0], high[0]), slice(low[1], high[1]))
    crossed = pixels[mask[tuple((pixels - low).T)] > 0]
    if not len(crossed):
        raise UsageError("Split", "the line crosses no region", "drag it across one")
    return region_near(corrections, tuple(crossed[len(crossed) // 2]))


def region_point(session: Session) -> Point:
    """Return a map point of the region that was gone to last.

    Raises
    ------
    UsageError
        None was.
    """
    result = session.result
    if result is None or session.region is None:
        raise UsageError("Region", "none is chosen", "click one in the Measurements table")
    rows = result.regions.set_index("region_id")
    if session.region not in rows.index:
        raise UsageError(f"Region {session.region}", "is gone", "choose another one")
    row, lattice = rows.loc[session.region], result.lattice
    return float(row["feret_y1"] / lattice.step_y), float(row["feret_x1"] / lattice.step_x)
