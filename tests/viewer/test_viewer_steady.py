"""What the dock Correct says takes no more room than it has: the slide stays under the brush."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel

from napari_breastpath.viewer.correct_dock import CorrectDock
from napari_breastpath.viewer.form import SteadyLabel

LONG = "Region 12 touches tissue that was not read and may be longer than it seems to be; " * 3


def test_a_steady_label_keeps_its_height_and_all_its_words(qtbot: Any) -> None:
    label = SteadyLabel(lines=2)
    qtbot.addWidget(label)
    label.resize(200, label.sizeHint().height())
    before = label.sizeHint()
    label.setText(LONG)
    assert (label.text(), label.toolTip()) == (LONG, LONG)
    assert before == label.sizeHint() == label.minimumSizeHint()
    assert before.height() == 2 * label.fontMetrics().lineSpacing()


def test_words_make_the_dock_no_larger(qtbot: Any) -> None:
    dock = CorrectDock(ViewerModel())
    qtbot.addWidget(dock)
    before = dock.minimumSizeHint()
    dock.say(LONG, error=True)
    for widget in (dock.done, dock.undo, dock.redo, dock.on_region):
        widget.setText(LONG)
    assert dock.minimumSizeHint() == before
