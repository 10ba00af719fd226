"""The buttons of the tour through regions, and the line that says why one matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_breastpath.viewer.figure_form import set_text
from napari_breastpath.viewer.form import choice
from napari_breastpath.viewer.form import note as label
from napari_breastpath.viewer.listening import listen
from napari_breastpath.viewer.live_numbers import LiveNumbers
from napari_breastpath.viewer.tour import EFFECT, LENGTH, Tour
from napari_breastpath.viewer.tracker import Tracker
from napari_breastpath.viewer.wording import seen_text

if TYPE_CHECKING:
    from napari_breastpath.viewer.session import Session

ORDERS = (("By effect", EFFECT), ("By length", LENGTH))
TIPS = {
    "before": "Go back to the region before [Shift+B]",
    "after": "Go to the next region [Shift+N]",
    "order": "What would change the slide's figures most if corrected comes first, or the longest",
}


class TourBar(QWidget):
    """Goes to the next region or the one before.

    Parameters
    ----------
    session : Session
    parent : QWidget, optional
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self.tour = session, Tour.of(session)
        self.before, self.after = QPushButton("◀"), QPushButton("▶  Next region")
        self.order, self.why, self.seen = choice(ORDERS), label(), label()
        self.tracker = Tracker.of(session)
        self._lay_out()
        self.before.clicked.connect(lambda: self.tour.step(-1))
        self.after.clicked.connect(lambda: self.tour.step(1))
        self.order.currentIndexChanged.connect(self._on_order)
        for signal in (session.numbers, session.result_changed, LiveNumbers.of(session).advised):
            listen(self, signal, self.show_state)
        listen(self, self.tour.moved, self.show_state)
        for signal in (self.tracker.seen, self.tracker.ground_changed):
            listen(self, signal, self.show_seen)
        self.show_state()
        self.show_seen()

    def _lay_out(self) -> None:
        column, row = QVBoxLayout(self), QHBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self.before.setMaximumWidth(36)
        for name, tip in TIPS.items():
            getattr(self, name).setToolTip(tip)
            row.addWidget(getattr(self, name), stretch=int(name != "before"))
        column.addLayout(row)
        self.why.hide()
        column.addWidget(self.why)
        column.addWidget(self.seen)

    def _on_order(self, _: int) -> None:
        self.tour.order = self.order.currentData()
        self.show_state()

    def show_state(self, _: Any = None) -> None:
        """Say where the tour is, and why."""
        regions, here = self.tour.regions, self.session.region
        for button in (self.before, self.after):
            button.setEnabled(regions is not None and len(regions) > 0)
        ids = [] if here is None else self.tour.ids()
        is_here = here in ids
        place = f"Region {here} ({ids.index(here) + 1} of {len(ids)})" if is_here else ""
        why = self.tour.why(here) if is_here else ""
        set_text(self.why, f"{place}: {why}" if why else place)
        if place:  # and then for good: what comes and goes moves the slide under the brush
            self.why.show()

    def show_seen(self, _: Any = None) -> None:
        """Say how much of the tissue was looked at, and how closely."""
        share = self.session.visited_share
        text = f"{seen_text(share)} {self.tracker.objective:g}× or more"
        set_text(self.seen, "" if share is None else text)
