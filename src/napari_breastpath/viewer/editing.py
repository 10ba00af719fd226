"""`Editor`: hands on the mask of the shown result, anywhere on the slide, with one undo.

The brush paints in a bounded layer over the view (`EditCanvas`); each stroke goes to disk in the
background, in order, with everything else that changes the mask, and is never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from napari.utils.notifications import show_info
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.edits import Change, Corrections, Entry
from napari_breastpath.viewer.brush import Brush
from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.dialogs import brief
from napari_breastpath.viewer.edit_access import bind_edit_keys, hands_on
from napari_breastpath.viewer.edit_canvas import EditCanvas
from napari_breastpath.viewer.edit_part import EditPart
from napari_breastpath.viewer.edit_window import EditWindow
from napari_breastpath.viewer.edit_words import steps_of, tool_title
from napari_breastpath.viewer.preferences import reader_name
from napari_breastpath.viewer.reader_name import with_reader
from napari_breastpath.viewer.strokes import Stroke, Strokes, Written

if TYPE_CHECKING:
    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session

MakeChange = Callable[[Corrections], Change | None]


class Line(NamedTuple):
    """One line for the user."""

    text: str
    error: bool


class Editor(Companion):
    """Corrects the mask that a session shows; `Editor.of(session)` gives it, always the same.

    Attributes
    ----------
    canvas : EditCanvas
        The layer under the brush.
    brush : Brush
        Its size and class.
    said : Signal
        Emitted with a `Line` for the user.
    changed : Signal
        Emitted with this editor when its window, tool, class or brush, or what can be undone
        changed.
    """

    said = Signal(object)
    changed = Signal(object)

    def __init__(self, session: Session) -> None:
        self.canvas = EditCanvas(session, lambda layer: self.brush.dress(layer))
        self.brush = Brush(self.canvas, self.stroke, self._on_released, self._on_changed)
        self._strokes = Strokes()
        self._part = EditPart(self.canvas, self.brush, self._strokes, self._on_changed, self.say)
        camera = session.viewer.scene.camera.events
        for event in (camera.center, camera.zoom, session.viewer.canvas.events.size):
            event.connect(self._on_camera)
        layers = session.viewer.layers
        layers.events.inserted.connect(self._on_inserted)
        layers.events.removed.connect(self._on_removed)
        session.result_changed.connect(self._on_result)
        session.measured.connect(self._on_measured)
        for layer in layers:
            bind_edit_keys(self, layer)

    @property
    def session(self) -> Session:
        """The session; it outlives this."""
        return self.canvas.session

    # ------------------------------------------------------------------ the part under the brush
    @property
    def active(self) -> bool:
        """Whether the edit layer is open."""
        return self.canvas.layer is not None

    @property
    def tool(self) -> str:
        """napari's mode of the edit layer: `paint`, `erase`, `polygon`, `fill` or `pan_zoom`."""
        return self.canvas.mode

    def start(self, mode: str = "paint") -> bool:
        """Take one of napari's tools (a mode of Labels), opening the edit layer over the view.

        Returns
        -------
        bool
            False where that cannot be, which is said in one line.
        """
        return self._told(lambda: self._start(mode))

    def _start(self, mode: str) -> None:
        hands_on(self.session)
        self.canvas.set_mode(mode)
        self._part.open()
        self._select()
        self.changed.emit(self)
        with_reader(self.session, lambda _: None)

    def _select(self) -> None:
        layers = self.session.viewer.layers
        if self.canvas.layer is not None and layers.selection.active is not self.canvas.layer:
            layers.selection.active = self.canvas.layer

    def prepare(self) -> None:
        """Make the edit layer ahead, so that taking a tool does not wait for it."""
        if self.canvas.is_alive and self.session.corrections is not None and not self.active:
            self.canvas.prepare(self.session.corrections)
            QTimer.singleShot(0, self._warm_up)

    def _warm_up(self) -> None:
        if self.canvas.is_alive and not self.active:
            self.canvas.warm_up()

    def close(self) -> None:
        """Put the brush away; strokes under way are still written."""
        self.canvas.remove()
        self.changed.emit(self)

    def follow(self) -> None:
        """Open the part that is in view now, if the edit layer is open on another."""
        self._part.follow()

    # ------------------------------------------------------------------ the layer's own life
    def _on_inserted(self, event: Any) -> None:
        bind_edit_keys(self, event.value)

    def _on_removed(self, event: Any) -> None:
        if event.value is self.canvas.layer:
            self.canvas.forget()
            self.brush.put_away()
            self.changed.emit(self)

    def _on_camera(self, event: Any = None) -> None:
        if self.active:
            self._part.follow_soon()

    def _on_result(self, result: Result | None) -> None:
        self._part.mark_all()
        self.changed.emit(self)

    def _on_measured(self, result: Result) -> None:
        self._part.mark_all()

    # ------------------------------------------------------------------ the brush
    @property
    def value(self) -> int:
        """Label value that is painted: class k, 0 erases."""
        return self.brush.value

    def choose(self, value: int) -> None:
        """Choose what is painted: class k, 0 erases."""
        self.brush.choose(value)
        self.changed.emit(self)

    @property
    def brush_um(self) -> float:
        """Diameter of the brush in µm (mean of both axes)."""
        return self.brush.size_um

    @brush_um.setter
    def brush_um(self, value: float) -> None:
        self.brush.size_um = value

    def _on_released(self) -> None:
        self._part.catch_up()
        self._part.follow_soon()

    def _on_changed(self) -> None:
        self.changed.emit(self)

    def stroke(self, change: Change, tool: str, seconds: float = 0.0) -> None:
        """Write what the edit layer shows already."""
        corrections = self.session.corrections
        if corrections is None:
            return
        corrections.reader = reader_name()
        self._strokes.add(Stroke(corrections, change, tool, seconds))
        self._part.ask(self._writer(), self._on_written)

    def _writer(self) -> Callable[[], Written]:
        """Return what writes the strokes up to now, and none that come later."""
        return partial(self._strokes.write, self._strokes.last)

    # ------------------------------------------------------------------ what changes the mask
    def apply(
        self,
        make_change: MakeChange,
        tool: str,
        maker: str = "machine",
        seconds: float = 0.0,
        detail: Mapping[str, Any] | None = None,
    ) -> bool:
        """Make a change in the background, after what was asked for before, and write it.

        Parameters
        ----------
        make_change : callable
            Called in the background thread with the `Corrections`; None for no change.
        tool : str
            Name for the log.
        maker : {'machine', 'hand'}
            Who decided on the pixels.
        seconds : float
            Of work at it.
        detail : mapping, optional
            For the log.

        Returns
        -------
        bool
            False where it cannot be, which is said in one line.
        """

        def work(corrections: Corrections) -> Entry | None:
            change = make_change(corrections)
            if change is None:
                return None
            return corrections.apply(change, tool, maker=maker, seconds=seconds, detail=detail)

        return self._told(lambda: self._do(work, f"{tool_title(tool)}: nothing to change here"))

    def undo(self) -> bool:
        """Take back the last edit, whoever made it and wherever it was."""
        return self._told(lambda: self._do(Corrections.undo, "Nothing to undo"))

    def redo(self) -> bool:
        """Do again what was undone last."""
        return self._told(lambda: self._do(Corrections.redo, "Nothing to redo"))

    def _do(self, work: Callable[[Corrections], Entry | None], nothing: str) -> None:
        corrections, write = hands_on(self.session), self._writer()

        def in_order() -> tuple[Written, Entry | None]:
            written = write()
            if written.error is not None:
                return written, None
            return written, work(corrections)

        def done(outcome: tuple[Written, Entry | None]) -> None:
            written, entry = outcome
            self._on_written(written)
            if entry is not None:
                self._after(corrections, entry, is_shown=False)
            elif written.error is None:
                self.say(nothing)

        self._part.ask(in_order, done)

    def _on_written(self, written: Written) -> None:
        corrections = self.session.corrections
        for entry in written.entries:
            self._after(corrections, entry, is_shown=True)
        for change in written.refused:
            self._part.mark(EditWindow(change.row, change.column, *change.values.shape))
        if written.error is not None:
            self.say(f"{brief(written.error)} (kept, and written with the next one)", error=True)

    def _after(self, corrections: Corrections | None, entry: Entry, is_shown: bool) -> None:
        """Show what is on disk now, and let others follow."""
        if corrections is None or corrections is not self.session.corrections:
            return
        if entry.window is not None and not is_shown:
            self._part.mark(EditWindow(*entry.window))
        self.session.edited.emit(entry)
        self.say(steps_of(corrections.log).said(entry))
        self.changed.emit(self)

    def drain(self, timeout_s: float = 60.0) -> bool:
        """Wait until everything is on disk and on screen; True when it is."""
        return self._part.drain(timeout_s)

    # ------------------------------------------------------------------ words
    def say(self, text: str, error: bool = False) -> None:
        """Say one line to whoever listens; an error that nobody hears is a notification."""
        if error and not len(self.said):
            show_info(text)
        self.said.emit(Line(text, error))

    def _told(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except BreastPathError as error:
            self.say(brief(error), error=True)
            return False
        return True
