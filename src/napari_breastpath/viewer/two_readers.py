"""Two readers of one slide: a second result beside the shown one, and where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from psygnal import Signal

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.core.progress import Progress
from napari_breastpath.edits import Corrections, Entry, read_log
from napari_breastpath.edits.compare import Comparison, check_same, compare_readers
from napari_breastpath.exchange.comparison import export_comparison
from napari_breastpath.results import Result, load_result
from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.coordinates import to_world
from napari_breastpath.viewer.layers import make_layer, reload
from napari_breastpath.viewer.navigate import go_to
from napari_breastpath.viewer.reader_layers import READER_ROLES, reader_layers
from napari_breastpath.viewer.worker import Work

if TYPE_CHECKING:
    from napari_breastpath.viewer.session import Session

UNDER_THEM = ("mask", "regions")
"""Layers that are put out of sight while two readers are shown: A's mask once more."""


class Abandoned(Exception):
    """Nobody wants the comparison any more."""


class TwoReaders(Companion):
    """The comparison of one session; `TwoReaders.of(session)` gives it, always the same.

    Attributes
    ----------
    other : Result or None
        The second reader's result; None while nothing is compared.
    names : (str, str)
        Of the shown reader (A) and the second (B).
    found : Comparison or None
        Figures and differences, None until they are computed.
    stale : bool
        Whether the shown result was edited since.
    place : int or None
        Row of the difference that was gone to last.
    changed : Signal
        Emitted with this whenever one of these changes.
    failed : Signal
        Emitted with one line.
    """

    changed = Signal(object)
    failed = Signal(str)

    def __init__(self, session: Session) -> None:
        self._session = ref(session)
        self._work: Work | None = None
        self._hidden: list[Any] = []
        self._forget()
        session.result_changed.connect(self._on_result)
        session.edited.connect(self._on_edited)
        session.measured.connect(self._on_measured)

    def _forget(self) -> None:
        self.other: Result | None = None
        self.names = ("", "")
        self.found: Comparison | None = None
        self.stale = False
        self.place: int | None = None
        self._threshold: float | None = None

    @property
    def session(self) -> Session:
        """The session."""
        session = self._session()
        if session is None:
            raise ReferenceError("the viewer is closed")
        return session

    @property
    def busy(self) -> bool:
        """Whether figures are being computed."""
        return self._work is not None

    # ------------------------------------------------------------------ beginning and end
    def open(self, path: Path) -> None:
        """Show a second reader's result beside the shown one, and compute their figures.

        Raises
        ------
        ResultError
            It is no result, or not measured.
        UsageError
            Nothing is shown; or it is of another slide, map or model, or the shown one itself.
        """
        shown = self.session.require_result()
        other = second_result(shown, path)
        self.close()
        self.other, self.names = other, reader_names(shown, other)
        self._show_layers(shown, other)
        self.compare()

    def close(self) -> None:
        """End the comparison; its layers go, and those that were out of sight come back."""
        self.abandon()
        self._forget()
        layers = self.session.viewer.layers
        for role in READER_ROLES:
            layer = self.session.layer(role)
            if layer is not None:
                layers.remove(layer)
        for layer in self._hidden:
            layer.visible = True
        self._hidden = []
        self.changed.emit(self)

    def _show_layers(self, shown: Result, other: Result) -> None:
        session = self.session
        self._hidden = [x for role in UNDER_THEM if (x := session.layer(role)) and x.visible]
        for layer in self._hidden:
            layer.visible = False
        layers = session.viewer.layers
        active = layers.selection.active
        for data in reader_layers(shown, other, self.names):
            session.viewer.add_layer(make_layer(data))
        layers.selection.active = active

    def _on_result(self, result: Result | None) -> None:
        if self.other is not None:
            self._hidden = []
            self.close()

    # ------------------------------------------------------------------ figures
    def compare(self) -> None:
        """Compute figures and differences in the background; what is under way is abandoned."""
        if self.other is None:
            return
        self.abandon()
        self.stale, self.place = False, None
        self._reload()
        shown = self.session.require_result()
        self._threshold = shown.record["settings"].get("threshold")
        work = self._work = Work(comparing(shown.path, self.other.path))
        work.done.connect(lambda found: self._on_found(work, found))
        work.failed.connect(lambda line: self._on_failed(work, line))
        work.start()
        self.changed.emit(self)

    def abandon(self) -> None:
        """Compute no further."""
        work, self._work = self._work, None
        if work is not None:
            work.quit()
            self.changed.emit(self)

    def _on_found(self, work: Work, found: Comparison | None) -> None:
        if self._work is work and self._session() is not None:
            self._work, self.found = None, found
            self.changed.emit(self)

    def _on_failed(self, work: Work, line: str) -> None:
        if self._work is work and self._session() is not None:
            self._work, self.found = None, None
            self.changed.emit(self)
            self.failed.emit(line)

    # ------------------------------------------------------------------ what hands do meanwhile
    def _on_edited(self, entry: Entry) -> None:
        if entry.window is not None:
            self._outdate()

    def _on_measured(self, result: Result) -> None:
        if result.record["settings"].get("threshold") != self._threshold:
            self._outdate()

    def _outdate(self) -> None:
        if self.other is not None:
            self.stale = True
            self._reload()
            self.changed.emit(self)

    def _reload(self) -> None:
        for role in READER_ROLES:
            layer = self.session.layer(role)
            if layer is not None:
                reload(layer)

    # ------------------------------------------------------------------ the tour
    @property
    def count(self) -> int:
        """Number of differences."""
        return 0 if self.found is None else len(self.found.differences)

    def step(self, step: int) -> bool:
        """Go to the next difference (`step` 1) or the one before (−1); False without any."""
        if not self.count:
            return False
        first = 0 if step > 0 else self.count - 1
        self.go_to(first if self.place is None else (self.place + step) % self.count)
        return True

    def go_to(self, place: int) -> None:
        """Bring a difference to the middle of the view; 0 is the largest."""
        if self.found is None:
            return
        self.place = place
        row = self.found.differences.iloc[place]
        corners = [(row.x, row.y), (row.x + row.width, row.y + row.height)]
        go_to(self.session.viewer, np.asarray(to_world(corners, self._mpp)))
        self.changed.emit(self)

    @property
    def _mpp(self) -> Any:
        return self.session.require_result().slide_mpp

    # ------------------------------------------------------------------ export
    def export(self, path: Path) -> tuple[Path, Path]:
        """Write the figures as CSV, and the differences beside them.

        Raises
        ------
        UsageError
            There are no figures.
        ResultError
            A file cannot be written.
        """
        if self.found is None or self.other is None:
            raise UsageError("Two readers", "nothing is compared", "choose a second result")
        if self.stale:
            raise UsageError("Two readers", "corrections came since", "compare again first")
        path = path if path.suffix else path.with_suffix(".csv")
        results = load_result(self.found.paths[0]), load_result(self.found.paths[1])
        return export_comparison(self.found, results, path)


def second_result(shown: Result, path: Path) -> Result:
    """Load the second reader's result, and check that it can be laid over the shown one."""
    if path.resolve() == shown.path.resolve():
        raise UsageError(path, "is the result that is shown", "choose the other reader's")
    other = load_result(path)
    if not other.is_measured:
        raise ResultError(path, "is not measured", "finish its analysis first")
    check_same(shown, other)
    return other


def reader_names(a: Result, b: Result) -> tuple[str, str]:
    """Return who worked at two results, else the folders' names; never the same name twice."""
    names = reader_of(a), reader_of(b)
    if names[0] != names[1]:
        return names
    folders = a.path.parent.name, b.path.parent.name
    marks = folders if folders[0] != folders[1] else ("A", "B")
    return f"{names[0]} ({marks[0]})", f"{names[1]} ({marks[1]})"


def reader_of(result: Result) -> str:
    """Return who worked at a result, as its edit log says; else its folder's name."""
    names = dict.fromkeys(entry.reader for entry in read_log(result) if entry.reader)
    return ", ".join(names) or result.path.stem


def comparing(a: Path, b: Path) -> Any:
    """Return the work that compares two results: a `Comparison`, None once it is abandoned."""

    def function(work: Work) -> Comparison | None:
        def go_on(_: Progress) -> None:
            if work.stop.is_set():
                raise Abandoned

        try:
            results = load_result(a), load_result(b)
            Corrections.open(results[1])  # a crash may have left strokes of it unapplied
            return compare_readers(*results, progress=go_on)
        except Abandoned:
            return None

    return function
