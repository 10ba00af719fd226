"""The form of an analysis: what, with which model, where and how. Choices in, a `Request` out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QWidget,
)
from superqt import QElidingLabel

from napari_breastpath.analyses import ANALYSES, Request
from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.viewer.where import PLACES, WHOLE
from napari_breastpath.viewer.wording import ERROR_COLOR

DOCK_WIDTH_PX = 340
TITLES = {"tumour": "Tumour: map, regions, sizes"}
SPECIMENS = (
    ("Not stated", "unspecified"),
    ("Lymph node", "node"),
    ("Primary tumour", "primary"),
)
STAINS = (
    ("Vahadane, one matrix per slide", "vahadane"),
    ("Macenko, one matrix per slide", "macenko"),
    ("Vahadane per tile (staintools, slow)", "staintools"),
    ("As scanned", "none"),
)
TISSUES = (("Automatic (Otsu)", "otsu"), ("Automatic (Yen)", "yen"), ("Everywhere", "none"))
DEVICES = (
    ("Automatic", "auto"),
    ("Processor (CPU)", "cpu"),
    ("NVIDIA GPU (CUDA)", "cuda"),
    ("Apple GPU (Metal)", "mps"),
)
TOOLTIPS = {
    "analysis": "What is looked for on the slide.",
    "model": "The network. Its card says what it was trained on and what it must not be used for.",
    "specimen": "A lymph node gets a nodal category (ITC, micro, macro) from the longest extent.",
    "where": "The whole slide, the part on screen now, or the areas selected in a Shapes layer.",
    "stain": "How colours are brought to those the model was trained on.",
    "tissue": "How tissue is told from glass. Show tissue draws its outline, which can be edited.",
    "device": "Where the network runs.",
    "threshold": "A pixel belongs to the mask when its probability is strictly greater.",
}


def choice(options: Sequence[tuple[str, Any]]) -> QComboBox:
    """Return a combo box of (text, value) that may be narrower than its longest text."""
    box = QComboBox()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    for text, value in options:
        box.addItem(text, value)
    return box


def note(text: str = "") -> QLabel:
    """Return a label that wraps and whose text can be copied."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


class SteadyLabel(QElidingLabel):
    """A label whose height stays whatever it says; what has no room is in its tooltip.

    Words that come and go beside the slide would else move it under the brush.

    Parameters
    ----------
    lines : int
    """

    def __init__(self, lines: int = 1) -> None:
        super().__init__()
        self.setWordWrap(lines > 1)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._lines = lines

    def sizeHint(self) -> QSize:
        """Return the room for its lines, in the font that it has by then."""
        return QSize(0, self._lines * self.fontMetrics().lineSpacing())

    def minimumSizeHint(self) -> QSize:
        """Return the same."""
        return self.sizeHint()

    def setText(self, txt: str) -> None:
        """Show a text."""
        super().setText(txt)
        self.setToolTip(txt)


def beside(*widgets: QWidget) -> QHBoxLayout:
    """Return a row; the first widget takes what room there is."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget, stretch=int(widget is widgets[0]))
    return row


def row(*widgets: QWidget) -> QHBoxLayout:
    """Return a row; fields and buttons share what room the labels leave."""
    line = QHBoxLayout()
    line.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        line.addWidget(widget, stretch=0 if isinstance(widget, QLabel) else 1)
    return line


def scrolling(widget: QWidget) -> QScrollArea:
    """Return a frame that scrolls upwards and downwards where the screen is too low."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(widget)
    return area


def compact_form(parent: QWidget | None = None) -> QFormLayout:
    """Return a form layout that fits a narrow dock."""
    form = QFormLayout(parent)
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(4)
    form.setHorizontalSpacing(8)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


class StatusPanel(QWidget):
    """A panel with a line (`status`) that says what happened or what went wrong."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.status = note()

    def say(self, text: str, error: bool = False) -> None:
        """Show one line."""
        self.status.setStyleSheet(f"color: {ERROR_COLOR};" if error else "")
        self.status.setText(text)

    def complain(self, error: BreastPathError | str) -> None:
        """Show an error as one line."""
        self.say(str(error), error=True)


class AnalysisForm(QWidget):
    """Fields of one analysis.

    Signals
    -------
    card_wanted : emitted when the model's card is asked for.
    model_changed, device_changed : emitted when another one is chosen.
    """

    card_wanted = Signal()
    model_changed = Signal()
    device_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.analysis = choice([(TITLES.get(name, name), name) for name in ANALYSES])
        self.model = choice([])
        self.card = QPushButton("Card…")
        self.specimen = choice(SPECIMENS)
        self.where = choice([(place.capitalize(), place) for place in PLACES])
        self.stain = choice(STAINS)
        self.tissue = choice(TISSUES)
        self.device = choice(DEVICES)
        self.device_note = note()
        self.threshold = threshold_box()
        self._lay_out()
        self.card.clicked.connect(self.card_wanted)
        self.model.currentIndexChanged.connect(lambda _: self.model_changed.emit())
        self.device.currentIndexChanged.connect(lambda _: self.device_changed.emit())

    def _lay_out(self) -> None:
        form = compact_form(self)
        form.addRow("Analysis", self.analysis)
        form.addRow("Model", beside(self.model, self.card))
        form.addRow("Specimen", self.specimen)
        form.addRow("Where", self.where)
        form.addRow("Stain", self.stain)
        form.addRow("Tissue", self.tissue)
        form.addRow("Device", self.device)
        form.addRow("", self.device_note)
        form.addRow("Threshold", self.threshold)
        for name, text in TOOLTIPS.items():
            getattr(self, name).setToolTip(text)

    def set_models(self, models: Sequence[tuple[str, str | Path]], chosen: str | Path = "") -> None:
        """Fill the list of models with (text, name or folder)."""
        self.model.clear()
        for text, value in models:
            self.model.addItem(text, value)
        select(self.model, chosen)

    def request(self, **changes: Any) -> Request:
        """Return what is chosen; `changes` (region, tissue file…) go over it.

        In coarse order: someone looks on.

        Raises
        ------
        UsageError
            A choice that makes no sense.
        """
        chosen = {
            name: getattr(self, name).currentData()
            for name in ("analysis", "stain", "tissue", "specimen", "device")
        }
        threshold = round(self.threshold.value(), 3)
        return Request(**(chosen | {"threshold": threshold, "order": "coarse"} | changes))

    def choose(self, **values: Any) -> None:
        """Choose by value: `choose(stain="macenko", threshold=0.4)`."""
        for name, value in values.items():
            if name == "threshold":
                self.threshold.setValue(float(value))
            else:
                select(getattr(self, name), value)

    @property
    def place(self) -> str:
        """One of `where.PLACES`."""
        return self.where.currentData() or WHOLE


def threshold_box() -> QDoubleSpinBox:
    """Return a spin box for a probability strictly between 0 and 1."""
    box = QDoubleSpinBox()
    box.setRange(0.01, 0.99)
    box.setSingleStep(0.05)
    box.setDecimals(2)
    box.setValue(0.5)
    return box


def select(box: QComboBox, value: Any) -> None:
    """Choose an item by its value; one that is not there leaves the choice as it is."""
    index = box.findData(value)
    if index >= 0:
        box.setCurrentIndex(index)
