"""The dock **Navigator**: the whole slide with the view in it, objectives, what was seen, tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_breastpath.core.geometry import Box
from napari_breastpath.slides import Slide
from napari_breastpath.viewer import commands, wording
from napari_breastpath.viewer.form import StatusPanel, beside, choice, note, select
from napari_breastpath.viewer.ground import visited_rgba
from napari_breastpath.viewer.listening import listen
from napari_breastpath.viewer.map_view import MapView
from napari_breastpath.viewer.noting import review_lock
from napari_breastpath.viewer.pen import HINTS, Pen
from napari_breastpath.viewer.ruler_shapes import AREA, RULER
from napari_breastpath.viewer.rulers import Rulers
from napari_breastpath.viewer.saving import choose_picture
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.tracker import Tracker
from napari_breastpath.viewer.visited import OBJECTIVES, nearest

if TYPE_CHECKING:
    from napari.viewer import Viewer

OVERLAYS = (("Mask", "mask"), ("Probability", "probability"), ("Slide only", ""))
KEYS = ("F2", "F3", "F4", "F5", "F6", "F7")


def frame_of(view: Box, slide: Slide) -> QRectF:
    """Return a view in fractions of the slide."""
    x, y = view.x / slide.width, view.y / slide.height
    return QRectF(x, y, view.width / slide.width, view.height / slide.height)


def row_of(buttons: Iterable[QPushButton]) -> QHBoxLayout:
    """Return a row of narrow buttons."""
    row = QHBoxLayout()
    row.setSpacing(2)
    for button in buttons:
        button.setMinimumWidth(34)
        button.setStyleSheet("padding: 3px 1px;")
        row.addWidget(button)
    return row


class NavigatorDock(StatusPanel):
    """Dock that shows where one is on the slide and takes one elsewhere.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer, or napari's proxy for it.
    parent : QWidget, optional
    """

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = Session.of(napari_viewer)
        self.tracker, self.pen = Tracker.of(self.session), Pen.of(self.session)
        self.rulers = Rulers.of(self.session)
        self._viewer = napari_viewer
        self._build()
        self._connect()
        self._on_ground(self.tracker)
        self._on_lock()

    # ------------------------------------------------------------------ what it looks like
    def _build(self) -> None:
        self.map = MapView()
        self.map.setToolTip("The whole slide. Click or drag to move the view there.")
        self.overlay = choice(OVERLAYS)
        self.overlay.setToolTip("What is drawn over the small slide.")
        self.shade = QCheckBox("Shade what I saw")
        self.shade.setChecked(True)
        self.shade.setToolTip(
            "Blue: was on screen for 0.3 s or longer, at the objective chosen below or higher."
        )
        self.objectives = {power: self._objective(power) for power in OBJECTIVES}
        self.magnification, self.share = QLabel(), note()
        self.counted = choice([(f"{power:g}× or more", power) for power in OBJECTIVES])
        select(self.counted, self.tracker.objective)
        self.counted.setToolTip("The lowest objective at which a look counts.")
        self.ruler = QPushButton("Ruler")
        self.ruler.setToolTip("Measure a length in mm: click both ends, or drag [F8]")
        self.area = QPushButton("Area")
        self.area.setToolTip(
            "Measure an area in mm²: drag around it, or click corners, the last one twice [F9]"
        )
        self.delete = QPushButton("Delete")
        self.delete.setToolTip("Delete the selected ruler or area, else the last one")
        self.picture = QPushButton("Picture…")
        self.picture.setToolTip("Save what is on screen as PNG, with scale bar and caption")
        self._lay_out()

    def _objective(self, power: float) -> QPushButton:
        button = QPushButton(f"{power:g}×")
        button.setCheckable(True)
        key = KEYS[OBJECTIVES.index(power)]
        button.setToolTip(f"{power:g}×: {10 / power:g} µm per pixel of the screen [{key}]")
        return button

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        layout.addWidget(self.map, stretch=1)
        layout.addLayout(beside(self.overlay, self.shade))
        layout.addLayout(row_of(self.objectives.values()))
        layout.addWidget(self.magnification)
        layout.addLayout(beside(self.share, self.counted))
        layout.addLayout(row_of((self.ruler, self.area, self.delete, self.picture)))
        layout.addWidget(self.status)

    def _connect(self) -> None:
        self.map.chosen.connect(self._go_to)
        self.overlay.currentIndexChanged.connect(lambda _: self._show_overlay())
        self.shade.toggled.connect(lambda _: self._on_seen(self.tracker))
        self.counted.currentIndexChanged.connect(
            lambda _: self.tracker.count_from(self.counted.currentData())
        )
        for power, button in self.objectives.items():
            button.clicked.connect(lambda _, power=power: self._zoom(power))
        for kind, button in self._tools.items():
            button.setCheckable(True)
            button.clicked.connect(lambda on, kind=kind: self._draw(kind if on else ""))
        self.delete.clicked.connect(self.rulers.delete_selected)
        self.picture.clicked.connect(lambda: choose_picture(self._viewer, self.say))
        self._tips = {w: w.toolTip() for w in (self.ruler, self.area, self.delete)}
        listen(self, self.session.edited, self._on_lock)
        listen(self, self.session.result_changed, self._on_lock)
        listen(self, self.pen.changed, self._on_pen)
        listen(self, self.rulers.failed, self.complain)
        listen(self, self.tracker.moved, self._on_moved)
        listen(self, self.tracker.seen, self._on_seen)
        listen(self, self.tracker.ground_changed, self._on_ground)

    # ------------------------------------------------------------------ what is shown
    def _on_ground(self, tracker: Tracker) -> None:
        slide, ground = self.session.slide, tracker.ground
        if slide is not None:
            self.map.set_aspect(slide.width * slide.mpp.x / (slide.height * slide.mpp.y))
        self.map.show_layer("picture", None if ground is None else ground.picture)
        self._show_overlay()
        self._on_seen(tracker)
        self._on_moved(tracker)

    def _show_overlay(self) -> None:
        ground, wanted = self.tracker.ground, self.overlay.currentData()
        self.map.show_layer("overlay", ground.overlays.get(wanted) if ground else None)

    def _on_seen(self, tracker: Tracker) -> None:
        seen = tracker.seen_cells() if self.shade.isChecked() else None
        self.map.show_layer("seen", None if seen is None else visited_rgba(seen))
        self.share.setText(wording.seen_text(self.session.visited_share))
        self.counted.setEnabled(self.session.visited_share is not None)

    def _on_moved(self, tracker: Tracker) -> None:
        view, slide = tracker.view(), self.session.slide
        there = view is not None and slide is not None
        self.map.show_frame(frame_of(view, slide) if there else None)  # type: ignore[arg-type]
        self.magnification.setText(wording.magnification(tracker.power) if there else "")
        now = nearest(tracker.power) if there else None
        for power, button in self.objectives.items():
            button.setEnabled(there)
            button.setChecked(power == now)

    # ------------------------------------------------------------------ measuring
    def _on_lock(self, _: object = None) -> None:
        """Let nothing be drawn or removed while the result is reviewed."""
        lock = review_lock(self.session)
        if lock and self.pen.kind:
            self.pen.take("")
        for button, tip in self._tips.items():
            button.setEnabled(not lock)
            button.setToolTip(lock or tip)

    @property
    def _tools(self) -> dict[str, QPushButton]:
        return {RULER: self.ruler, AREA: self.area}

    def _draw(self, kind: str) -> None:
        if not self.pen.take(kind):
            self.complain("Ruler: no slide is open; open one first")

    def _on_pen(self, kind: str) -> None:
        for name, button in self._tools.items():
            button.setChecked(name == kind)
        self.say(HINTS[kind])

    # ------------------------------------------------------------------ going places
    def _go_to(self, x: float, y: float) -> None:
        slide = self.session.slide
        if slide is not None:
            self.tracker.go_to(x * slide.width, y * slide.height)

    def _zoom(self, power: float) -> None:
        commands.zoom(self.session.viewer, power)
        self._on_moved(self.tracker)
