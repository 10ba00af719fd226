"""Rulers and areas of a session: drawn, labelled, and kept in the journal of the shown result.

Without a result they last as long as the slide is open, and go into the journal of the first
measured result of it that is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from psygnal import Signal
from superqt.utils import qdebounced, qthrottled

from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.coordinates import to_world
from napari_breastpath.viewer.reader_name import with_reader
from napari_breastpath.viewer.ruler_layers import (
    LABELS_ROLE,
    ROLE,
    figures_in,
    figures_layer,
    fit_lines,
    keyed,
    labels_layer,
    show_figures,
    show_labels,
)
from napari_breastpath.viewer.ruler_notes import Noted, Outcome, Step, steps, take
from napari_breastpath.viewer.ruler_shapes import SHAPE_OF, Figure, is_slip
from napari_breastpath.viewer.worker import Work

if TYPE_CHECKING:
    from napari.layers import Shapes

    from napari_breastpath.core.geometry import PixelSize
    from napari_breastpath.edits import Corrections
    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session

DRAW_MS, DRAFT_MS, NOTE_MS = 30, 60, 200


class Rulers(Companion):
    """The figures of one session.

    Attributes
    ----------
    failed : Signal
        Emitted with one line when the journal refused a figure.
    """

    failed = Signal(str)

    def __init__(self, session: Session) -> None:
        self._held, self._viewer = ref(session), ref(session.viewer)
        self._noted: dict[int, Noted] = {}
        self._refused: set[int] = set()
        self._last_key = 0
        self._draft: Figure | None = None
        self._noting: frozenset[int] = frozenset()
        self._draw_soon = qdebounced(self.draw, timeout=DRAW_MS)
        self._draft_soon = qthrottled(self.draw, timeout=DRAFT_MS)
        self._note_soon = qdebounced(self.note, timeout=NOTE_MS)
        session.viewer.scene.camera.events.zoom.connect(self._on_change)
        session.result_changed.connect(self._on_result)
        self._on_result(session.result)

    @property
    def session(self) -> Session | None:
        """The session, None once its window is closed: timers may outlive it."""
        return None if self._viewer() is None else self._held()

    @property
    def layer(self) -> Shapes | None:
        """The layer of the figures; None before the first."""
        return self._layer(ROLE)

    def _layer(self, role: str) -> Shapes | None:
        session = self.session
        return session.layer(role) if session else None

    @property
    def pixel_um(self) -> float:
        """µm per pixel of the screen."""
        viewer = self._viewer()
        return 1 / viewer.scene.camera.zoom if viewer else 1.0

    # ------------------------------------------------------------------ figures
    def add(self, figure: Figure) -> None:
        """Put a figure on the slide; a slip of the hand is none."""
        self._draft = None
        layer = self.ensure_layer()
        if layer is not None and not is_slip(figure, self.pixel_um):
            layer.add(figure.points, shape_type=SHAPE_OF[figure.kind])
            layer.selected_data = {len(layer.data) - 1}
        self.draw()

    def show_draft(self, figure: Figure | None) -> None:
        """Show a figure while it is drawn, a few times a second; None takes it away at once."""
        self._draft = figure
        if figure is None:
            self.draw()
        else:
            self._draft_soon()

    def delete_selected(self) -> None:
        """Remove the selected figures, without a selection the last one."""
        layer = self.layer
        if layer is not None and len(layer.data):
            layer.remove(sorted(layer.selected_data) or [len(layer.data) - 1])

    def ensure_layer(self) -> Shapes | None:
        """Return the layer of the figures, made above their labels; None without a slide."""
        session = self.session
        if session is None or session.slide is None:
            return None
        if self._layer(LABELS_ROLE) is None:
            self._put(labels_layer())
        if self.layer is None:
            layer = figures_layer(self.pixel_um)
            layer.events.data.connect(self._on_change)
            self._put(layer)
        return self.layer

    def _put(self, layer: Shapes) -> None:
        """Add a layer, leaving active the one that hands are at."""
        viewer: Any = self._viewer()
        active = viewer.layers.selection.active
        viewer.add_layer(layer)
        if active is not None:
            viewer.layers.selection.active = active

    def draw(self) -> None:
        """Give figures and labels their size on screen."""
        layer, labels = self.layer, self._layer(LABELS_ROLE)
        figures = [] if layer is None else figures_in(layer)
        if layer is not None:
            fit_lines(layer, self.pixel_um)
        if labels is not None:
            drafts = [] if self._draft is None else [self._draft]
            show_labels(labels, [*figures, *drafts], self.pixel_um, self._draft)

    def _on_change(self, event: Any = None) -> None:
        self._draw_soon()
        self._note_soon()

    # ------------------------------------------------------------------ the journal
    def note(self) -> None:
        """Bring the journal up to what is drawn, in the background, one go at a time."""
        session, layer = self.session, self.layer
        if session is None or session.slide is None or layer is None or self._noting:
            return
        corrections, mpp = session.corrections, session.slide.mpp
        if corrections is None or layer._is_creating:
            return
        drawn = {k: f for k, f in self._drawn().items() if k not in self._refused}
        wanted = steps(drawn, self._noted)
        if wanted:
            self._noting = frozenset(step.key for step in wanted)
            with_reader(session, lambda _: self._take(corrections, mpp, wanted))

    def _take(self, corrections: Corrections, mpp: PixelSize, wanted: list[Step]) -> None:
        work = Work(lambda _: take(corrections, mpp, wanted))
        work.done.connect(lambda outcome: self._on_noted(corrections, outcome))
        work.failed.connect(self.failed.emit)
        work.start()

    def _drawn(self) -> dict[int, Figure]:
        layer = self.layer
        drawn = {} if layer is None else keyed(layer, self._last_key)
        self._last_key = max([self._last_key, *drawn])
        return drawn

    def _on_noted(self, corrections: Corrections, outcome: Outcome) -> None:
        session = self.session
        if session is None or session.corrections is not corrections:
            return
        self._noting = frozenset()
        for key, noted in outcome.noted.items():
            self._noted.pop(key, None)
            if noted is not None:
                self._noted[key] = noted
        for entry in outcome.entries:
            session.edited.emit(entry)
        if outcome.error:
            self._on_refused(outcome.error)
        self._note_soon()

    def _on_refused(self, line: str) -> None:
        """Show what the journal has; what is new stays on screen until the slide closes."""
        fresh = self._fresh()
        self._refused |= set(fresh)
        self._show(fresh)
        self.failed.emit(line)

    def _fresh(self) -> dict[int, Figure]:
        """Return what is drawn and neither in the journal nor on its way there."""
        kept = {*self._noted, *self._noting}
        return {key: figure for key, figure in self._drawn().items() if key not in kept}

    def _show(self, fresh: dict[int, Figure]) -> None:
        """Draw what is in the journal, and `fresh`, and nothing else."""
        figures = {key: noted.figure for key, noted in self._noted.items()} | fresh
        layer = self.ensure_layer() if figures else self.layer
        if layer is not None:
            show_figures(layer, figures)
        self.draw()

    def _on_result(self, result: Result | None) -> None:
        """Show the figures of a result's journal, and go on with those drawn before."""
        session, fresh = self.session, self._fresh()
        self._noted, self._refused, self._noting = {}, set(), frozenset()
        if result is not None and session is not None and session.corrections is not None:
            for ruler in session.corrections.state.rulers:
                self._last_key += 1
                figure = Figure(ruler.kind, to_world(ruler.points, result.slide_mpp))
                self._noted[self._last_key] = Noted(ruler.number, figure)
        self._show(fresh)
        self._note_soon()
