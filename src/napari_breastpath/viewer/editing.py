"""`Editor`: hands on the mask of the shown result, anywhere on the slide, with one undo.

The brush paints in a bounded layer over the view (`EditCanvas`); each stroke goes to disk in the
background, in order, with everything else that changes the mask, and is never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast
from weakref import ref

from napari.utils.notifications import show_info
from psygnal import Signal
from superqt.utils import qdebounced

from napari_breastpath.core.errors import BreastPathError, UsageError
from napari_breastpath.edits import Change, Corrections, Entry
from napari_breastpath.viewer.brush import Brush
from napari_breastpath.viewer.dialogs import brief
from napari_breastpath.viewer.edit_access import bind_edit_keys, hands_on
from napari_breastpath.viewer.edit_canvas import EditCanvas
from napari_breastpath.viewer.edit_window import EditWindow, window_around
from napari_breastpath.viewer.edit_words import steps_of, tool_title
from napari_breastpath.viewer.in_order import InOrder
from napari_breastpath.viewer.preferences import reader_name
from napari_breastpath.viewer.strokes import Stroke, Strokes, Written

if TYPE_CHECKING:
    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session

MakeChange = Callable[[Corrections], Change | None]
FOLLOW_MS = 120


class Line(NamedTuple):
    """One line for the user."""

    text: str
    error: bool


class Editor:
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

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return the one of a session, made on first use."""
        if cls not in session.companions:
            session.companions[cls] = cls(session)
        return cast(Self, session.companions[cls])

    def __init__(self, session: Session) -> None:
        self._session = ref(session)
        self.canvas = EditCanvas(session, lambda layer: self.brush.dress(layer))
        self.brush = Brush(self.canvas, self.stroke, self._on_released, self._on_changed)
        self._queue, self._strokes = InOrder(), Strokes()
        self._asked = 0
        self._stale: EditWindow | None = None
        self._follow_soon = qdebounced(self.follow, timeout=FOLLOW_MS)
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
        corrections = hands_on(self.session)
        self.canvas.set_mode(mode)
        seen = self.canvas.seen()
        if seen is None:
            raise UsageError("Correct", "the slide is out of view", "move it into view first")
        if self.canvas.window is None or not self.canvas.window.holds(seen):
            self._open(corrections, window_around(seen, corrections.result.lattice))
        else:
            self.canvas.resume()
            self._select()
        self.changed.emit(self)

    def _select(self) -> None:
        layers = self.session.viewer.layers
        if self.canvas.layer is not None and layers.selection.active is not self.canvas.layer:
            layers.selection.active = self.canvas.layer

    def close(self) -> None:
        """Put the brush away; strokes under way are still written."""
        self.canvas.remove()
        self.changed.emit(self)

    def follow(self) -> None:
        """Open the part that is in view now, if the edit layer is open on another."""
        if self._session() is None or not self.active or self.brush.pressed:
            return
        seen, window = self.canvas.seen(), self.canvas.window
        if seen is None or window is None:
            return
        if window.holds(seen):
            self.canvas.resume()
            return
        try:
            corrections = hands_on(self.session)
            self._open(corrections, window_around(seen, corrections.result.lattice))
        except BreastPathError as error:
            self.canvas.suspend()
            self.say(brief(error), error=True)

    def _open(self, corrections: Corrections, window: EditWindow) -> None:
        """Read a window once all that was asked for before is on disk, and show it."""
        asked = self._ask(
            lambda: corrections.mask(window.rows, window.columns),
            lambda mask: self._opened(corrections, window, mask, asked),
        )

    def _opened(self, corrections: Corrections, window: EditWindow, mask: Any, asked: int) -> None:
        only_here = len(self._strokes) and not self._queue.waiting  # they could not be written
        if corrections is not self.session.corrections or only_here:
            return
        if self.brush.pressed:
            self._follow_soon()
            return
        if asked != self._asked:  # strokes came after it was read
            self._open(corrections, window)
            return
        self._stale = None
        if self.canvas.suspended:
            self.say("")
        self.canvas.show(corrections, window, mask)
        self.changed.emit(self)

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
            self._follow_soon()

    def _on_result(self, result: Result | None) -> None:
        self._all_stale()
        self.changed.emit(self)

    def _on_measured(self, result: Result) -> None:
        self._all_stale()

    def _all_stale(self) -> None:
        """Read the whole window anew: the threshold has moved, or a run has ended."""
        if self.canvas.window is not None:
            self._mark(self.canvas.window)

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
        self._read_stale()
        self._follow_soon()

    def _on_changed(self) -> None:
        self.changed.emit(self)

    def stroke(self, change: Change, tool: str, seconds: float = 0.0) -> None:
        """Write what the edit layer shows already."""
        corrections = self.session.corrections
        if corrections is None:
            return
        corrections.reader = reader_name()
        self._strokes.add(Stroke(corrections, change, tool, seconds))
        self._ask(self._writer(), self._on_written)

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

        self._ask(in_order, done)

    def _on_written(self, written: Written) -> None:
        corrections = self.session.corrections
        for entry in written.entries:
            self._after(corrections, entry, is_shown=True)
        for change in written.refused:
            self._mark(EditWindow(change.row, change.column, *change.values.shape))
        if written.error is not None:
            self.say(f"{brief(written.error)} (kept, and written with the next one)", error=True)

    def _after(self, corrections: Corrections | None, entry: Entry, is_shown: bool) -> None:
        """Show what is on disk now, and let others follow."""
        if corrections is None or corrections is not self.session.corrections:
            return
        if entry.window is not None and not is_shown:
            self._mark(EditWindow(*entry.window))
        self.session.edited.emit(entry)
        self.say(steps_of(corrections.log).said(entry))
        self.changed.emit(self)

    # ------------------------------------------------------------------ in order
    def _ask(self, work: Callable[[], Any], done: Callable[[Any], None]) -> int:
        """Queue work; return its number."""
        self._asked += 1

        def tell(value: Any) -> None:
            if self._session() is not None:
                done(value)
                self._read_stale()

        def complain(line: str) -> None:
            self.say(line, error=True)
            self._read_stale()

        self._queue.submit(work, tell, complain)
        return self._asked

    def _mark(self, window: EditWindow) -> None:
        """Remember that a window of the map has changed under the edit layer."""
        shared = self.canvas.window.shared(window) if self.canvas.window else None
        if shared is not None:
            self._stale = shared.around(self._stale)
            self._read_stale()

    def _read_stale(self) -> None:
        """Read what has changed, once no stroke is under way."""
        window, corrections = self._stale, self.session.corrections
        if window is None or corrections is None or self.brush.pressed or self._queue.waiting:
            return
        asked = self._ask(
            lambda: corrections.mask(window.rows, window.columns),
            lambda mask: self._paste(window, mask, asked),
        )

    def _paste(self, window: EditWindow, mask: Any, asked: int) -> None:
        if asked == self._asked and not self.brush.pressed and window == self._stale:
            self._stale = None
            self.canvas.paste(window, mask)

    def drain(self, timeout_s: float = 60.0) -> bool:
        """Wait until everything is on disk and on screen; True when it is."""
        return self._queue.drain(timeout_s) and not len(self._strokes)

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
