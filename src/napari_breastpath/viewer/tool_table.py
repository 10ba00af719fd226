"""The tools that correct a mask: what they are called, what they do and how hands use them."""

from __future__ import annotations

from dataclasses import dataclass

NAPARI, OUTLINE, STROKE, LINE, CLICK = "napari", "outline", "stroke", "line", "click"


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Attributes
    ----------
    name : str
        In the log.
    title, tip : str
        On screen: on its button and in its tooltip.
    gesture : str
        `napari` (a mode of its Labels layer), `outline` (drag around), `stroke` (drag over), `line`
        (drag along) or `click`.
    mode : str
        napari's mode.
    key : str
        Shortcut, as a person reads it.
    """

    name: str
    title: str
    tip: str
    gesture: str
    mode: str = "pan_zoom"
    key: str = ""

    @property
    def full_tip(self) -> str:
        """The tooltip with the key."""
        return f"{self.tip} [{self.key}]" if self.key else self.tip


DRAWING = (
    Tool(
        "brush", "Brush", "Paint the chosen class. Alt+drag changes the size", NAPARI, "paint", "P"
    ),
    Tool("eraser", "Eraser", "Take what is under the brush out of the mask", NAPARI, "erase", "E"),
    Tool(
        "encircle",
        "Encircle",
        "Drag around an area: it closes and is filled with the chosen class (or erased)",
        OUTLINE,
        key="Shift+C",
    ),
    Tool(
        "polygon",
        "Polygon",
        "Click corner by corner, double-click to fill it with the chosen class (or erase it)",
        NAPARI,
        "polygon",
        "3",
    ),
    Tool(
        "probability brush",
        "Probable",
        "Brush that paints only where the model's probability is above the limit below",
        STROKE,
        key="Shift+G",
    ),
)
REGIONS = (
    Tool("fill holes", "Fill holes", "Click a region: what it encloses becomes part of it", CLICK),
    Tool("smooth", "Smooth", "Click a region: its outline is evened out by the µm below", CLICK),
    Tool("grow", "Grow", "Click a region: its outline moves outwards by the µm below", CLICK),
    Tool("shrink", "Shrink", "Click a region: its outline moves inwards by the µm below", CLICK),
    Tool("split", "Split", "Drag across a region: it is cut along the line", LINE, key="Shift+X"),
    Tool(
        "join", "Join", "Drag from one region to another: a bridge joins them", LINE, key="Shift+J"
    ),
    Tool("delete region", "Delete", "Click a region: all of it is erased", CLICK),
    Tool("revert", "As model", "Click a region: what hands did to it is taken back", CLICK),
)
TOOLS = {tool.name: tool for tool in (*DRAWING, *REGIONS)}
BY_MODE = {tool.mode: tool for tool in DRAWING if tool.gesture == NAPARI}
HINTS = {
    OUTLINE: "Drag around the area · Esc cancels",
    STROKE: "Drag over the area · Esc cancels",
    LINE: "Drag a line · Esc cancels",
    CLICK: "Click a region · drag to move the view",
}
