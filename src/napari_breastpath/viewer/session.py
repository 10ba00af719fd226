"""`Session`: the one slide, and its result, that a napari viewer shows.

However a slide comes in (dropped, from the dock, with a result, from the command line), its layer
is tagged and the session notices it. One slide at a time: what is on screen always belongs to the
slide under it, so opening another slide closes the first with its layers. What hands drew in layers
of their own stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary, ref

from psygnal import Signal

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.edits import Corrections, Entry
from napari_breastpath.results import Result, load_result
from napari_breastpath.slides import Slide, open_slide
from napari_breastpath.viewer.layers import TAG, dress, slide_layer, tag
from napari_breastpath.viewer.moved_slide import slide_of
from napari_breastpath.viewer.navigate import feret_world, go_to
from napari_breastpath.viewer.our_layers import OurLayers
from napari_breastpath.viewer.preferences import reader_name

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


class Session:
    """What one viewer shows of ours; `Session.of(viewer)` gives it, always the same.

    Attributes
    ----------
    slide : Slide or None
        The open slide.
    result : Result or None
        The result that is shown, of that slide.
    corrections : Corrections or None
        What hands do to the shown result; None before it is measured, or without a journal to
        write to (then `locked` says why).
    locked : ResultError or None
        Why there are no corrections of a measured result.
    region : object
        Id of the region that was gone to last, None before.
    hidden : list of Layer
        Overlays that were hidden together, to bring back the same ones.
    visited_share : float or None
        Share of the tissue that was seen (see `tracker.Tracker`), None while it is unknown.
    companions : dict of type to object
        What goes with a session for as long as it lives, one of each kind.
    slide_changed, result_changed : Signal
        Emitted with the new `slide` or `result` (or None), after the layers are there.
    measured : Signal
        To be emitted with the `Result` after it was measured again; the mask is then read anew.
    edited : Signal
        To be emitted in the main thread with the `Entry` once an edit, undo or redo is on disk; the
        mask is then read anew. Notes (an extent, a review) come here, too, with no window.
    numbers : Signal
        Emitted with `Numbers` when they followed the threshold or an edit, before they are saved.
    """

    slide_changed = Signal(object)
    result_changed = Signal(object)
    measured = Signal(object)
    edited = Signal(object)
    numbers = Signal(object)
    _sessions: ClassVar[WeakKeyDictionary[ViewerModel, Session]] = WeakKeyDictionary()

    @classmethod
    def of(cls, viewer: ViewerModel) -> Session:
        """Return the session of a viewer (or of napari's proxy for one)."""
        bare = getattr(viewer, "__wrapped__", viewer)
        if bare not in cls._sessions:
            cls._sessions[bare] = cls(bare)
        return cls._sessions[bare]

    def __init__(self, viewer: ViewerModel) -> None:
        from napari_breastpath.viewer.companions import accompany
        from napari_breastpath.viewer.keys import bind_keys  # whose commands act on sessions

        self.slide: Slide | None = None
        self.result: Result | None = None
        self.corrections: Corrections | None = None
        self.locked: ResultError | None = None
        self.region: Any = None
        self.hidden: list[Layer] = []
        self.visited_share: float | None = None
        self.companions: dict[type, Any] = {}
        # The dictionary above holds the session as long as the viewer lives: not the other way too.
        self._viewer, self._layers = ref(viewer), OurLayers(viewer)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        self.measured.connect(self._on_measured)
        self.edited.connect(self._on_edited)
        bind_keys(viewer)
        for layer in list(viewer.layers):
            self._adopt(layer)
        accompany(self)

    @property
    def viewer(self) -> ViewerModel:
        """The napari viewer."""
        return self._layers.viewer

    @property
    def slide_layer(self) -> Layer | None:
        """The layer of the open slide."""
        return self.layer("slide")

    @property
    def reader(self) -> str | None:
        """Library that reads the open slide: `tifffile`, `openslide`, `zarr` or `pillow`."""
        return None if self.slide is None else self.slide.reader

    @property
    def measured_result(self) -> Result | None:
        """The result that is shown, once it is measured."""
        return self.result if self.result is not None and self.result.is_measured else None

    def require_result(self) -> Result:
        """Return `measured_result`.

        Raises
        ------
        UsageError
            There is none.
        """
        if self.measured_result is None:
            raise UsageError(
                "The result", "no measured one is shown", "run an analysis or open one"
            )
        return self.measured_result

    def layer(self, role: str) -> Layer | None:
        """Return our layer of a role (see `our_layers`), None when there is none (any more)."""
        return self._layers.of_role(role)

    def open_slide(self, path: Path | str, mpp: float | tuple[float, float] | None = None) -> Slide:
        """Open a slide with our own reader, whatever napari's preferences say.

        Raises
        ------
        SlideError, PixelSizeError
            The slide that was open stays.
        """
        slide = open_slide(path, mpp=mpp)
        self._layers.add(slide_layer(slide))
        self.viewer.reset_view()
        return slide

    def open_result(self, path: Path | str, slide: Slide | None = None) -> Result:
        """Open a result folder, and its slide unless that is open already.

        Parameters
        ----------
        path : Path or str
        slide : Slide, optional
            Its slide, where one has opened it; looked for where it was and near the result else.

        Raises
        ------
        ResultError
            It is no result.
        SlideError
            Its slide is not where it was, nor beside the result; or is another one.
        """
        result = load_result(path)
        if self.slide is None or self.slide.fingerprint != result.record["slide"]["fingerprint"]:
            self._layers.add(slide_layer(slide or slide_of(result)))
            self.viewer.reset_view()
        self.show_result(result)
        return result

    def show_result(self, result: Result) -> None:
        """Show a result of the open slide: its heat once started, its masks once measured.

        To be called again when a run ends; layers that somebody deleted come back.

        Raises
        ------
        ResultError
            A map of it is damaged; nothing of it is shown then.
        """
        self._layers.remove_other_results(result)
        self.result = result
        try:
            self._layers.show(result)
        except ResultError:
            self.close_result()
            raise
        self.region = None
        self._open_corrections(result)
        self.result_changed.emit(result)

    def _open_corrections(self, result: Result) -> None:
        """Let hands at a measured result, unless its journal says no."""
        if self.corrections is not None and self.corrections.result.path == result.path:
            self.corrections.result = result
            return
        self.corrections = self.locked = None
        if not result.is_measured:
            return
        try:
            self.corrections = Corrections.open(result, reader_name())
        except ResultError as error:
            self.locked = error

    def show_progress(self) -> None:
        """Say that tiles were written; the heat layer follows at most four times a second."""
        self._layers.show_progress()

    def go_to_region(self, region_id: Any) -> None:
        """Bring a region of the shown result to the middle of the view, as large as fits."""
        if self.result is None:
            return
        regions = self.result.regions.set_index("region_id")
        self.region = region_id
        go_to(self.viewer, feret_world(regions.loc[region_id], self.result.slide_mpp))

    def close_result(self) -> None:
        """Close the result and every layer of it; the slide stays."""
        self._layers.remove(x for x in self._layers if "result" in tag(x))
        self._forget_result()

    def close_slide(self) -> None:
        """Close the slide and every layer of ours."""
        self._layers.remove(self._layers)

    def _on_inserted(self, event: Any) -> None:
        self._adopt(getattr(event.value, "__wrapped__", event.value))

    def _adopt(self, layer: Layer) -> None:
        """Take note of a tagged layer, wherever it came from; a copy by hand is none of ours."""
        if layer.source.parent is not None:
            layer.metadata.pop(TAG, None)
        whose = tag(layer)
        if not whose:
            return
        dress(layer)
        if whose["role"] == "slide":
            self._set_slide(layer, whose["slide"])
        elif "result" in whose and (self.result is None or self.result.path != whose["result"]):
            self.result = load_result(whose["result"])
            self._open_corrections(self.result)
            self.result_changed.emit(self.result)

    def _set_slide(self, layer: Layer, slide: Slide) -> None:
        if self.slide is slide:
            return
        self.slide = slide
        self._layers.remove(x for x in self._layers if x is not layer)
        self._forget_result()
        self.viewer.canvas.overlays.scale_bar.visible = True
        self.slide_changed.emit(slide)
        if hasattr(self.viewer, "window"):
            _ask_soon()

    def _on_removed(self, event: Any) -> None:
        whose = tag(event.value)
        if whose.get("role") == "slide" and whose["slide"] is self.slide:
            self.slide = None
            self._layers.remove(self._layers)
            self._forget_result()
            self.slide_changed.emit(None)

    def _forget_result(self) -> None:
        self.region, self.hidden = None, []
        self.corrections = self.locked = None
        if self.result is not None:
            self.result = None
            self.result_changed.emit(None)

    def _on_measured(self, result: Result) -> None:
        if self.result is not None and result.path == self.result.path:
            self._open_corrections(result)
            self._layers.reload_mask()

    def _on_edited(self, entry: Entry) -> None:
        if entry.window is not None:
            self._layers.reload_mask()


def _ask_soon() -> None:
    """Put the question of the first slide once the slide is on screen."""
    from qtpy.QtCore import QTimer

    from napari_breastpath.viewer.preferences import ask_once

    QTimer.singleShot(0, ask_once)
