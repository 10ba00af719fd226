"""What a session remembers of looking: the view, and what was seen at which objective.

A view counts once it has stayed for 0.3 s with its tiles loaded. Both are kept in the result folder
(`view.json`, `visited.npz`), so that reopening goes on where one was.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import QTimer
from superqt.utils import qdebounced, qthrottled

from napari_breastpath.core.errors import ResultError
from napari_breastpath.core.geometry import Box
from napari_breastpath.results.files import write_json, written
from napari_breastpath.viewer.companions import Companion
from napari_breastpath.viewer.coordinates import to_level0, to_world
from napari_breastpath.viewer.ground import Ground, cells, read_ground, read_overlays
from napari_breastpath.viewer.navigate import power_of, zoom_of
from napari_breastpath.viewer.visited import Visited
from napari_breastpath.viewer.where import view_corners
from napari_breastpath.viewer.worker import Work

if TYPE_CHECKING:
    from napari_breastpath.results import Result
    from napari_breastpath.slides import Slide
    from napari_breastpath.viewer.session import Session

logger = logging.getLogger(__name__)
VISITED, VIEW = "visited.npz", "view.json"
DWELL_MS, FRAME_MS, SAVE_MS, OVERLAY_MS = 300, 40, 1000, 700
COUNTED = 10.0


class Tracker(Companion):
    """Follows one session's camera.

    Attributes
    ----------
    visited : Visited or None
        What was seen of the open slide, now and in earlier sittings with the shown result.
    objective : float
        The power from which on a look counts for the share.
    restored : bool
        The open slide came with a result whose last view was brought back.
    ground : Ground or None
        Small pictures of slide and result, None until they are read.
    moved, seen, ground_changed : Signal
        Emitted after the view moved (at most 25 times a second), after something counted as seen,
        after `ground` changed; with this tracker.
    """

    moved = Signal(object)
    seen = Signal(object)
    ground_changed = Signal(object)

    def __init__(self, session: Session) -> None:
        self._held, self._viewer = ref(session), ref(session.viewer)
        self.visited: Visited | None = None
        self.objective = COUNTED
        self.ground: Ground | None = None
        self._sitting: Visited | None = None
        self._result: Result | None = None
        self._last: dict[str, Any] | None = None
        self._just_opened = self.restored = False
        self._look_soon = qdebounced(self._look, timeout=DWELL_MS)
        self._save_soon = qdebounced(self.save, timeout=SAVE_MS)
        self._move_soon = qthrottled(self._on_moved, timeout=FRAME_MS)
        self._overlays_soon = qdebounced(self._read_overlays, timeout=OVERLAY_MS)
        self._listen(session)
        self._on_slide(session.slide)
        self._on_result(session.result)

    def _listen(self, session: Session) -> None:
        camera = session.viewer.scene.camera.events
        for event in (camera.center, camera.zoom, session.viewer.canvas.events.size):
            event.connect(self._on_camera)
        session.slide_changed.connect(self._on_slide)
        session.result_changed.connect(self._on_result)
        session.measured.connect(self._on_measured)
        session.edited.connect(self._on_measured)

    @property
    def _session(self) -> Session | None:
        """The session, None once its window is closed: timers may outlive it."""
        return None if self._viewer() is None else self._held()

    # ------------------------------------------------------------------ the view
    @property
    def power(self) -> float:
        """Magnification of the view: 10 where a pixel of the screen is 1 µm."""
        session = self._session
        return power_of(session.viewer.scene.camera.zoom) if session else 0.0

    def view(self) -> Box | None:
        """Return what is on screen in level-0 pixels, beyond the slide too; None without one."""
        session = self._session
        if session is None or session.slide is None:
            return None
        viewer = session.viewer
        camera = viewer.scene.camera
        corners = view_corners(camera.center, camera.zoom, viewer.canvas.size)
        (left, top), (right, bottom) = to_level0(corners, session.slide.mpp)
        return Box(left, top, right - left, bottom - top)

    def go_to(self, x: float, y: float, power: float | None = None) -> None:
        """Bring a place (level-0 px) to the middle of the view."""
        session = self._session
        if session is None or session.slide is None:
            return
        camera = session.viewer.scene.camera
        camera.center = tuple(to_world([(x, y)], session.slide.mpp)[0])
        if power is not None:
            camera.zoom = zoom_of(power)

    # ------------------------------------------------------------------ what was seen
    def share(self) -> float | None:
        """Return the share of the tissue seen at `objective` or more, None while unknown."""
        if self.visited is None or self.ground is None:
            return None
        return self.visited.share(self.ground.tissue, self.objective)

    def seen_cells(self) -> NDArray[np.bool_] | None:
        """Return which cells were seen at `objective` or more."""
        return None if self.visited is None else self.visited.seen_at(self.objective)

    def count_from(self, objective: float) -> None:
        """Choose the power from which on a look counts."""
        self.objective = objective
        self._tell_seen()

    def _look(self) -> None:
        """Count what is on screen as seen, once its tiles are there."""
        session, view = self._session, self.view()
        if session is None or view is None or session.slide_layer is None:
            return
        middle = [round(view.x + view.width / 2, 1), round(view.y + view.height / 2, 1)]
        self._last = {"center_px": middle, "power": self.power}
        if not session.slide_layer.loaded:
            self._look_soon()
        elif self._see(view, self.power):
            self._save_soon()
            self._tell_seen()

    def _see(self, view: Box, power: float) -> bool:
        if self.visited is None or self._sitting is None:
            return False
        self._sitting.see(view, power)
        return self.visited.see(view, power)

    def _tell_seen(self) -> None:
        session = self._session
        if session is not None:
            session.visited_share = self.share()
            self.seen.emit(self)

    # ------------------------------------------------------------------ keeping it
    def save(self) -> None:
        """Write view and visits of the shown result now; without one, nothing."""
        result = self._result
        if result is None or self._last is None or self.visited is None:
            return
        try:
            with written(result.path / VIEW):
                write_json(result.path / VIEW, self._last)
            self.visited.save(result.path / VISITED, result.record["slide"]["fingerprint"])
        except ResultError as error:
            logger.warning("%s", error)

    def _load(self, result: Result) -> None:
        path = result.path / VISITED
        if self.visited is None or not path.exists():
            return
        try:
            self.visited.load(path, result.record["slide"]["fingerprint"])
        except ResultError as error:
            logger.warning("%s", error)

    def _restore_view(self, result: Result) -> None:
        view = read_view(result.path / VIEW)
        if view is not None:
            self.restored = True
            self.go_to(*view)

    # ------------------------------------------------------------------ what happens
    def _on_camera(self, event: Any = None) -> None:
        self._move_soon()
        self._look_soon()
        if self._result is not None:
            self._save_soon()

    def _on_moved(self) -> None:
        if self._session is not None:
            self.moved.emit(self)

    def _on_slide(self, slide: Slide | None) -> None:
        self.ground, self._last, self._just_opened = None, None, True
        self.restored = False
        QTimer.singleShot(0, self._settle_in)
        self._sitting = self.visited = Visited.over(cells(slide)) if slide else None
        self._read_ground()

    def _settle_in(self) -> None:
        """From now on the view is the user's: a result that is opened leaves it alone."""
        self._just_opened = False

    def _on_result(self, result: Result | None) -> None:
        """Keep what was seen with the last result, go on with what was with this one."""
        if _path(result) != _path(self._result):
            self.save()
            self._result = result
            self.visited = self._sitting.copy() if self._sitting else None
            if result is not None:
                self._load(result)
                if self._just_opened:
                    self._restore_view(result)
        self._read_ground()

    def _on_measured(self, _: object = None) -> None:
        self._overlays_soon()

    # ------------------------------------------------------------------ small pictures
    def _read_ground(self) -> None:
        session = self._session
        slide, result = (session.slide, session.result) if session else (None, None)
        if slide is None:
            self._set_ground(None)
            return
        work = Work(lambda _: (slide, _path(result), read_ground(slide, result)))
        work.done.connect(self._on_ground)
        work.failed.connect(logger.warning)
        work.start()

    def _on_ground(self, read: tuple[Slide, Path | None, Ground]) -> None:
        slide, path, ground = read
        session = self._session
        if session and session.slide is slide and _path(session.result) == path:
            self._set_ground(ground)

    def _set_ground(self, ground: Ground | None) -> None:
        self.ground = ground
        self.ground_changed.emit(self)
        self._tell_seen()

    def _read_overlays(self) -> None:
        session = self._session
        result = session.result if session else None
        if result is None:
            return
        work = Work(lambda _: (result.path, read_overlays(result)))
        work.done.connect(self._on_overlays)
        work.failed.connect(logger.warning)
        work.start()

    def _on_overlays(self, read: tuple[Path, dict[str, NDArray[np.uint8]]]) -> None:
        path, overlays = read
        session = self._session
        if session and self.ground is not None and _path(session.result) == path:
            self.ground = Ground(self.ground.picture, self.ground.tissue, overlays)
            self.ground_changed.emit(self)


def read_view(path: Path) -> tuple[float, float, float] | None:
    """Return (x, y, power) of a kept view, x and y in level-0 px; None where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        view = json.loads(path.read_text(encoding="utf-8"))
        (x, y), power = map(float, view["center_px"]), float(view["power"])
        return (x, y, power) if np.isfinite((x, y, power)).all() and power > 0 else None
    return None


def _path(result: Result | None) -> Path | None:
    return None if result is None else result.path
