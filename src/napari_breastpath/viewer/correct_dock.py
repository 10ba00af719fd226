"""The dock **Correct**: classes, tools, their sizes, undo, and what hands have done so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_breastpath.results import Result
from napari_breastpath.viewer import flip
from napari_breastpath.viewer.class_list import ClassList
from napari_breastpath.viewer.closing import EditGuard
from napari_breastpath.viewer.edit_words import step_text, steps_of, summary_text
from napari_breastpath.viewer.editing import Line
from napari_breastpath.viewer.form import (
    DOCK_WIDTH_PX,
    StatusPanel,
    SteadyLabel,
    row,
    threshold_box,
)
from napari_breastpath.viewer.listening import listen
from napari_breastpath.viewer.noting import review_lock
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.tool_table import CLICK, DRAWING, REGIONS, TOOLS, Tool
from napari_breastpath.viewer.tools import Toolbox

if TYPE_CHECKING:
    from napari.viewer import Viewer

COLUMNS = 4
PREPARE_MS = 300


class CorrectDock(StatusPanel):
    """Dock for hands on the mask of the result that a viewer's session shows.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer, or napari's proxy for it.
    parent : QWidget, optional
    """

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = Session.of(napari_viewer)
        self.toolbox = Toolbox.of(self.session)
        self.editor = self.toolbox.editor
        self._guard: EditGuard | None = None
        self._prepare_soon = QTimer(self, singleShot=True, interval=PREPARE_MS)
        self._build()
        self._connect()
        self.show_result(self.session.result)

    # ------------------------------------------------------------------ what it looks like
    def _build(self) -> None:
        self.edit_button = checkable("Edit here", "Open the mask in view to the brush [Shift+E]")
        self.flip_button = QPushButton("Model / corrected")
        self.flip_button.setToolTip(
            "Flip between the model's own mask and the corrected one [Shift+F, held: a look]"
        )
        self.classes = ClassList()
        self.buttons = {tool.name: tool_button(tool) for tool in TOOLS.values()}
        self.brush = number_box("µm", 2, 5000, 10, "Diameter of the brush in µm on the slide")
        self.probability = threshold_box()
        self.probability.setToolTip("Probable paints only where the model's probability is above")
        self.by_um = number_box("µm", 2, 1000, 5, "How far Smooth, Grow and Shrink go, in µm")
        self.smallest = number_box("mm²", 0.0001, 10, 0.005, "Regions smaller than this are erased")
        self.smallest.setDecimals(4)
        self.islands = QPushButton("Erase those in view")
        self.islands.setToolTip(
            "Erase every region smaller than the area beside it, in the part that is open"
        )
        self.on_region = QPushButton()
        self.on_region.setToolTip(
            "Use the tool above on the row chosen in Measurements, without a click on the slide"
        )
        self.undo, self.redo = QPushButton("Undo"), QPushButton("Redo")
        changing = (*self.buttons.values(), self.edit_button, self.islands)
        self._changing = {widget: widget.toolTip() for widget in changing}
        self.done, self.status = SteadyLabel(), SteadyLabel(lines=2)
        for button in (self.on_region, self.undo, self.redo):
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._lay_out()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(3)
        layout.addLayout(row(self.edit_button, self.flip_button))
        layout.addWidget(self.classes)
        layout.addWidget(QLabel("<b>Draw</b>"))
        layout.addLayout(grid([self.buttons[tool.name] for tool in DRAWING]))
        layout.addLayout(row(QLabel("Brush size"), self.brush))
        layout.addLayout(row(QLabel("Probable: above"), self.probability))
        layout.addWidget(QLabel("<b>One region</b>"))
        layout.addLayout(grid([self.buttons[tool.name] for tool in REGIONS]))
        layout.addLayout(row(QLabel("Smooth, grow, shrink: by"), self.by_um))
        layout.addWidget(self.on_region)
        layout.addWidget(QLabel("<b>Small regions</b>"))
        layout.addLayout(row(self.islands, QLabel("below"), self.smallest))
        layout.addLayout(row(self.undo, self.redo))
        for line in (self.done, self.status):
            layout.addWidget(line)
        layout.addStretch()
        self.setMinimumWidth(DOCK_WIDTH_PX)

    def _connect(self) -> None:
        self._prepare_soon.timeout.connect(self._prepare)
        self.edit_button.clicked.connect(self._on_edit)
        self.flip_button.clicked.connect(lambda: flip.flip(self.session))
        self.classes.chosen.connect(self.editor.choose)
        for name, button in self.buttons.items():
            button.clicked.connect(lambda on, name=name: self._on_tool(name, on))
        self.brush.valueChanged.connect(lambda um: setattr(self.editor, "brush_um", um))
        for box, name in (
            (self.probability, "probability"),
            (self.by_um, "by_um"),
            (self.smallest, "smallest_mm2"),
        ):
            box.setValue(getattr(self.toolbox, name))
            box.valueChanged.connect(lambda v, name=name: setattr(self.toolbox, name, v))
        self.islands.clicked.connect(self.toolbox.remove_islands)
        self.on_region.clicked.connect(self._on_region)
        self.undo.clicked.connect(self.editor.undo)
        self.redo.clicked.connect(self.editor.redo)
        self._listen()

    def _listen(self) -> None:
        listen(self, self.session.result_changed, self.show_result)
        listen(self, self.session.measured, self._on_measured)
        listen(self, self.session.numbers, self._on_numbers)
        listen(self, self.session.edited, self._on_change)
        listen(self, self.toolbox.changed, self._on_change)
        listen(self, self.editor.changed, self._on_change)
        listen(self, self.editor.said, self._on_said)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Qt's hook: now there is a window to watch."""
        super().showEvent(event)
        if self._guard is None:
            self._guard = EditGuard(self.window(), self.editor)
        self._prepare_soon.start()

    def _prepare(self) -> None:
        """Have the edit layer ready where hands are likely to want it."""
        if self.isVisible():
            self.editor.prepare()

    # ------------------------------------------------------------------ what is shown
    def show_result(self, result: Result | None) -> None:
        """Show the classes of a result and what hands did to it."""
        measured = result if self.session.corrections is not None else None
        self.classes.show_result(measured)
        if measured is not None:
            self._on_measured(measured)
        self.say("" if measured else "Nothing to correct yet: run an analysis, or open a result.")
        self._prepare_soon.start()
        self._on_change()

    def _on_measured(self, result: Result) -> None:
        self.classes.show_areas((result.record.get("regions") or {}).get("areas_mm2") or {})
        self._on_change()

    def _on_numbers(self, numbers: Any) -> None:
        if numbers is not None:
            self.classes.show_areas(numbers.summary.get("areas_mm2") or {})

    def _on_said(self, line: Line) -> None:
        self.say(line.text, line.error)

    def _on_change(self, _: Any = None) -> None:
        """Bring every button and line up to date."""
        corrections, editor, tool = self.session.corrections, self.editor, self.toolbox.tool
        self.edit_button.setChecked(editor.active)
        for name, button in self.buttons.items():
            button.setChecked(tool is not None and tool.name == name)
        self.flip_button.setEnabled(corrections is not None)
        lock = review_lock(self.session)
        for widget, tip in self._changing.items():
            widget.setEnabled(corrections is not None and not lock)
            widget.setToolTip(lock or tip)
        self.classes.select(editor.value)
        self.brush.blockSignals(True)
        self.brush.setValue(editor.brush_um)
        self.brush.blockSignals(False)
        self._show_region(tool)
        self._show_log()

    def _show_region(self, tool: Tool | None) -> None:
        """Say what the button on the table's region will do."""
        is_click = tool is not None and tool.gesture == CLICK
        title = tool.title if tool is not None and is_click else "Use"
        self.on_region.setText(f"{title}: the region chosen in the table")
        self.on_region.setEnabled(is_click and not review_lock(self.session))

    def _show_log(self) -> None:
        corrections, window = self.session.corrections, self.editor.canvas.window
        log = corrections.log if corrections is not None else ()
        steps, lock = steps_of(log), review_lock(self.session)
        for button, verb, step in (
            (self.undo, "Undo", steps.undo),
            (self.redo, "Redo", steps.redo),
        ):
            key = "Ctrl+Z" if verb == "Undo" else "Ctrl+Shift+Z"
            button.setToolTip(lock or f"{step_text(verb, step)} [{key}]")
            button.setText(f"{verb} {step.tool}" if step else verb)
            button.setEnabled(step is not None and not lock)
        result = self.session.result
        where = where_text(window, result) if window and result else ""
        self.done.setText(" · ".join(filter(None, (summary_text(log), where))))

    # ------------------------------------------------------------------ what buttons do
    def _on_edit(self, on: bool) -> None:
        if on:
            self.toolbox.take("brush")
        else:
            self.editor.close()
        self._on_change()

    def _on_tool(self, name: str, on: bool) -> None:
        if on:
            self.toolbox.take(name)
        else:
            self.toolbox.put_down()
        self._on_change()

    def _on_region(self) -> None:
        if self.toolbox.tool is not None:
            self.toolbox.use_on_region(self.toolbox.tool.name)


def where_text(window: Any, result: Result) -> str:
    """Return how large the part under the brush is, which follows the view."""
    width, height = window.size_mm(result.lattice)
    return f"editing {width:.1f} × {height:.1f} mm around the view"


def checkable(text: str, tip: str) -> QPushButton:
    """Return a button that stays down."""
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    return button


def tool_button(tool: Tool) -> QPushButton:
    """Return the button of a tool."""
    button = checkable(tool.title, tool.full_tip)
    button.setStyleSheet("padding: 4px 2px;")
    return button


def number_box(unit: str, low: float, high: float, step: float, tip: str) -> QDoubleSpinBox:
    """Return a box for a number with its unit."""
    box = QDoubleSpinBox()
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setDecimals(0)
    box.setSuffix(f" {unit}")
    box.setToolTip(tip)
    return box


def grid(buttons: Sequence[QPushButton]) -> QGridLayout:
    """Return buttons in rows of equal width."""
    layout = QGridLayout()
    layout.setSpacing(3)
    for k, button in enumerate(buttons):
        layout.addWidget(button, k // COLUMNS, k % COLUMNS)
    return layout
