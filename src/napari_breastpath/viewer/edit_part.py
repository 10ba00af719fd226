"""The part of the map that is open to the brush: it follows the view, and what is on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from superqt.utils import qdebounced

from napari_breastpath.core.errors import BreastPathError, UsageError
from napari_breastpath.edits import Corrections
from napari_breastpath.viewer.dialogs import brief
from napari_breastpath.viewer.edit_access import hands_on
from napari_breastpath.viewer.edit_window import EditWindow, UInt8Array, window_around
from napari_breastpath.viewer.in_order import InOrder

if TYPE_CHECKING:
    from napari_breastpath.viewer.brush import Brush
    from napari_breastpath.viewer.edit_canvas import EditCanvas
    from napari_breastpath.viewer.strokes import Strokes

FOLLOW_MS = 120


class EditPart:
    """Opens parts of the map on a canvas, each once all that was asked for before is on disk.

    Parameters
    ----------
    canvas : EditCanvas
    brush : Brush
        While it is pressed, nothing moves under it.
    strokes : Strokes
        Those that are only on the canvas yet.
    opened : callable
        Called once another part is open.
    say : callable
        Gets one line, and whether it is an error.
    """

    def __init__(
        self,
        canvas: EditCanvas,
        brush: Brush,
        strokes: Strokes,
        opened: Callable[[], None],
        say: Callable[[str, bool], None],
    ) -> None:
        self._canvas, self._brush, self._strokes = canvas, brush, strokes
        self._opened, self._say = opened, say
        self._queue, self._asked = InOrder(), 0
        self._stale: EditWindow | None = None
        self.follow_soon = qdebounced(self.follow, timeout=FOLLOW_MS)

    # ------------------------------------------------------------------ where the view is
    def open(self) -> None:
        """Open what is in view.

        Raises
        ------
        UsageError, ResultError
            Nothing of the slide is in view, or too much; or hands may not be at it.
        """
        corrections = hands_on(self._canvas.session)
        seen, window = self._canvas.seen(), self._canvas.window
        if seen is None:
            raise UsageError("Correct", "the slide is out of view", "move it into view first")
        if window is not None and window.holds(seen):
            self._canvas.resume()
        else:
            self._read(corrections, window_around(seen, corrections.result.lattice))

    def follow(self) -> None:
        """Open what is in view now, if the edit layer is open on another part."""
        if not self._canvas.is_alive or self._canvas.layer is None or self._brush.pressed:
            return
        if self._canvas.seen() is None:
            return
        try:
            self.open()
        except BreastPathError as error:
            self._canvas.suspend()
            self._say(brief(error), True)

    def _read(self, corrections: Corrections, window: EditWindow) -> None:
        asked = self.ask(
            lambda: corrections.mask(window.rows, window.columns),
            lambda mask: self._show(corrections, window, mask, asked),
        )

    def _show(
        self, corrections: Corrections, window: EditWindow, mask: UInt8Array, asked: int
    ) -> None:
        only_here = len(self._strokes) and not self._queue.waiting  # they could not be written
        if corrections is not self._canvas.session.corrections or only_here:
            return
        if self._brush.pressed:
            self.follow_soon()
            return
        if asked != self._asked:  # strokes came after it was read
            self._read(corrections, window)
            return
        self._stale = None
        if self._canvas.suspended:
            self._say("", False)
        self._canvas.show(corrections, window, mask)
        self._opened()

    # ------------------------------------------------------------------ what is on disk
    def mark_all(self) -> None:
        """Read the whole part anew: the threshold has moved, or a run has ended."""
        if self._canvas.window is not None:
            self.mark(self._canvas.window)

    def mark(self, window: EditWindow) -> None:
        """Remember that a window of the map has changed under the edit layer."""
        shared = self._canvas.window.shared(window) if self._canvas.window else None
        if shared is not None:
            self._stale = shared.around(self._stale)
            self.catch_up()

    def catch_up(self) -> None:
        """Read what has changed, once no stroke is under way."""
        window, corrections = self._stale, self._canvas.session.corrections
        if window is None or corrections is None or self._brush.pressed or self._queue.waiting:
            return
        asked = self.ask(
            lambda: corrections.mask(window.rows, window.columns),
            lambda mask: self._paste(window, mask, asked),
        )

    def _paste(self, window: EditWindow, mask: UInt8Array, asked: int) -> None:
        if asked == self._asked and not self._brush.pressed and window == self._stale:
            self._stale = None
            self._canvas.paste(window, mask)

    # ------------------------------------------------------------------ in order
    def ask(self, work: Callable[[], Any], done: Callable[[Any], None]) -> int:
        """Queue work in the background; return its number."""
        self._asked += 1

        def tell(value: Any) -> None:
            if self._canvas.is_alive:
                done(value)
                self.catch_up()

        def complain(line: str) -> None:
            self._say(line, True)
            self.catch_up()

        self._queue.submit(work, tell, complain)
        return self._asked

    def drain(self, timeout_s: float) -> bool:
        """Wait for all that was asked for and show it; True when nothing is left."""
        return self._queue.drain(timeout_s) and not len(self._strokes)
