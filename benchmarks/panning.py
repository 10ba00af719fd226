"""Panning and zooming in napari: tiles of the file decoded and the event loop's worst stall.

Ours against a plain pyramid of Dask arrays over OpenSlide, a chunk of 512 px an uncached
`read_region`, as napari's OpenSlide readers make it. Both in a real window with asynchronous
slicing, napari's Dask cache and the same scripted hand: zoom in, pan, zoom out, pan, in again over
ground already seen, back, out. A stall is the time between two beats of a timer in the event loop
beyond its 5 ms. Drawing is part of it, done by the processor on a virtual screen: Qt's update of
the window, in which vispy hands textures over, OpenGL draws and the picture goes to the screen. So
the worst stall is printed with and without it, the worst time spent drawing between two beats
beside it. What other programs take is part of all of them, but not of the thread's own processor
time.

    ./tools/with-screen python benchmarks/panning.py [--width 50000 --height 40000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("NAPARI_ASYNC", "1")

import dask.array
import napari
import numpy as np
import openslide
from by_turns import options
from gigapixel import TILE, write_slide
from napari._qt import qt_main_window
from napari._qt.qt_main_window import _QtMainWindow
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_breastpath.slides import Slide, open_slide
from napari_breastpath.viewer.coordinates import slide_placement
from napari_breastpath.viewer.layers import make_layer, slide_layer

CHUNK_PX = 512
BEAT_MS, STEP_MS, STEPS, REST_S, LATE_S = 5, 30, 20, 0.2, 0.1
# Where the hand goes: centre (x, y) in shares of the slide, screen pixels per level-0 pixel.
PATH = (
    (0.45, 0.45, 1 / 8),
    (0.45, 0.45, 1.0),
    (0.51, 0.45, 1.0),
    (0.51, 0.51, 1.0),
    (0.48, 0.48, 1 / 4),
    (0.40, 0.48, 1 / 4),
    (0.45, 0.45, 1.0),
    (0.51, 0.45, 1.0),
    (0.51, 0.51, 0.5),
    (0.50, 0.50, 1 / 16),
)


class Decodes:
    """Tiles of the file that were decoded, counted from many threads."""

    def __init__(self) -> None:
        self.tiles = 0
        self._lock = threading.Lock()

    def add(self, tiles: int) -> None:
        """Count some more."""
        with self._lock:
            self.tiles += tiles


@dataclass(frozen=True)
class CountingBackend:
    """A slide's backend that counts what it decodes."""

    backend: Any
    decodes: Decodes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def decode(self, level: int, row: int, column: int) -> Any:
        """Decode one tile of the file."""
        self.decodes.add(1)
        return self.backend.decode(level, row, column)


@dataclass
class Walk:
    """What one walk over the slide cost.

    `tiles` decoded; `stalls` of the event loop, between all beats, in s; `busy` the processor's s
    in it between beats, `drawing` the clock's; `waits` in s from the hand's rest to the sharp
    picture (one a leg).
    """

    tiles: int
    stalls: list[float]
    busy: list[float]
    drawing: list[float]
    waits: list[float]

    @property
    def beyond(self) -> list[float]:
        """Stalls without drawing, in s."""
        return [stall - drawn for stall, drawn in zip(self.stalls, self.drawing, strict=True)]


class TimedWindow(_QtMainWindow):
    """napari's window, which adds up the time it spends drawing."""

    drawn_s = 0.0

    def event(self, event: QEvent) -> bool:
        """Handle an event; an update request draws all that changed."""
        begin = time.perf_counter()
        handled = super().event(event)
        if event.type() == QEvent.Type.UpdateRequest:
            TimedWindow.drawn_s += time.perf_counter() - begin
        return bool(handled)


def main() -> None:
    """Write a slide, walk over it by turns, print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--width", type=int, default=50_000, help="px of level 0, 0.25 µm/px")
    parser.add_argument("--height", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = options(parser, width=20_000, height=16_000, rounds=1)
    application = QApplication.instance() or QApplication([])
    qt_main_window._QtMainWindow = TimedWindow
    with tempfile.TemporaryDirectory() as folder:
        path = write_slide(Path(folder) / "slide.tif", arguments.width, arguments.height)
        walk(path, our_layer)  # the first window compiles shaders
        turns = [(walk(path, our_layer), walk(path, plain_layer)) for _ in range(arguments.rounds)]
    report([ours for ours, _ in turns], [plain for _, plain in turns])
    del application


def our_layer(path: Path, decodes: Decodes) -> tuple[Any, Slide]:
    """Return our slide layer, and what is to be closed."""
    slide = open_slide(path)
    counted = dataclasses.replace(slide, backend=CountingBackend(slide.backend, decodes))
    return make_layer(slide_layer(counted)), slide


def plain_layer(path: Path, decodes: Decodes) -> tuple[Any, openslide.OpenSlide]:
    """Return a layer of Dask arrays over OpenSlide's levels, and what is to be closed."""
    slide = openslide.OpenSlide(path)
    levels = [plain_level(slide, level, decodes) for level in range(slide.level_count)]
    with open_slide(path) as ours:
        placement = slide_placement(ours.mpp)
    return napari.layers.Image(levels, multiscale=True, rgb=True, **placement), slide


def plain_level(slide: openslide.OpenSlide, level: int, decodes: Decodes) -> dask.array.Array:
    """Return one level of OpenSlide as a Dask array, RGBA, a `read_region` a chunk."""
    width, height = slide.level_dimensions[level]
    factor = slide.level_downsamples[level]

    def read(block_info: Any = None) -> NDArray[np.uint8]:
        (top, bottom), (left, right), _ = block_info[None]["array-location"]
        decodes.add(-(-(bottom - top) // TILE) * -(-(right - left) // TILE))
        corner = int(left * factor), int(top * factor)
        return np.asarray(slide.read_region(corner, level, (right - left, bottom - top)))

    chunks = dask.array.core.normalize_chunks((CHUNK_PX, CHUNK_PX, 4), (height, width, 4))
    return dask.array.map_blocks(
        read, chunks=chunks, dtype=np.uint8, meta=np.empty((0, 0, 0), "u1")
    )


def walk(path: Path, layer_of: Callable[[Path, Decodes], tuple[Any, Any]]) -> Walk:
    """Open a window, go along the path, close everything."""
    napari.utils.resize_dask_cache().cache.clear()
    gc.freeze()  # Python's collector need not walk through what earlier windows left
    decodes = Decodes()
    layer, slide = layer_of(path, decodes)
    viewer = napari.Viewer(title="panning")
    viewer.window.resize(1366, 768)
    viewer.add_layer(layer)
    pause(layer, REST_S)
    beats, waits = along(viewer, layer)
    viewer.close()
    slide.close()
    gc.unfreeze()
    gc.collect()
    gaps, busy, drawing = np.diff(beats, axis=0).T.tolist()
    return Walk(decodes.tiles, [gap - BEAT_MS / 1e3 for gap in gaps], busy, drawing, waits)


def along(viewer: Any, layer: Any) -> tuple[list[tuple[float, ...]], list[float]]:
    """Move the camera along the path; return beats (clock, processor, drawn) and waits in s."""
    beats: list[tuple[float, ...]] = []
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(
        lambda: beats.append((time.perf_counter(), time.thread_time(), TimedWindow.drawn_s))
    )
    timer.start(BEAT_MS)
    waits = []
    for leg in legs(layer, viewer.scene.camera):
        for centre, zoom in leg:
            viewer.scene.camera.center, viewer.scene.camera.zoom = centre, zoom
            run_events(STEP_MS / 1e3)
        waits.append(pause(layer, REST_S))
    timer.stop()
    return beats, waits


def legs(layer: Any, camera: Any) -> Iterator[Iterator[tuple[tuple[float, float], float]]]:
    """Yield, for every leg, the camera's steps: centre (y, x) in µm, screen pixels per µm."""
    um_y, um_x = layer.scale
    height, width = layer.level_shapes[0][:2]
    here = np.array([*camera.center[-2:], np.log(camera.zoom)])
    for x, y, zoom in PATH:
        there = np.array([y * height * um_y, x * width * um_x, np.log(zoom / um_x)])
        steps = np.linspace(here, there, STEPS + 1)[1:]
        yield (((float(cy), float(cx)), float(np.exp(z))) for cy, cx, z in steps)
        here = there


def pause(layer: Any, rest_s: float) -> float:
    """Let the event loop run until the picture is sharp, and a little longer; return the wait."""
    started = time.perf_counter()
    run_events(2 * STEP_MS / 1e3)
    while not layer.loaded:
        run_events(BEAT_MS / 1e3)
    waited = time.perf_counter() - started
    run_events(rest_s)
    return waited


def run_events(seconds: float) -> None:
    """Let the event loop run for a while."""
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        QApplication.processEvents()
        time.sleep(min(left, 1e-3))


def report(ours: list[Walk], plain: list[Walk]) -> None:
    """Print medians and ratios."""
    for name, walks in {"ours": ours, "plain Dask over OpenSlide": plain}.items():
        tiles = statistics.median(w.tiles for w in walks)
        late = statistics.median(sum(s > LATE_S for s in w.stalls) for w in walks)
        late_beyond = statistics.median(sum(s > LATE_S for s in w.beyond) for w in walks)
        waits = statistics.median(sum(w.waits) for w in walks)
        print(f"{name}: {tiles:.0f} tiles decoded, {waits:.1f} s waited for sharp pictures")
        print(
            f"  worst stall {worst(w.stalls for w in walks)}, {late:.0f} over 100 ms; without "
            f"drawing {worst(w.beyond for w in walks)}, {late_beyond:.0f} over 100 ms; drawing "
            f"alone {worst(w.drawing for w in walks)}; the thread's own processor time "
            f"{worst(w.busy for w in walks)}"
        )
    ratios = [mine.tiles / theirs.tiles for mine, theirs in zip(ours, plain, strict=True)]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"decodes, ours ÷ plain: {statistics.median(ratios):.2f} (rounds: {each})")


def worst(walks: Iterable[list[float]]) -> str:
    """Return the median of the walks' worst times, and each round's."""
    each = [1e3 * max(times) for times in walks]
    return f"{statistics.median(each):.0f} ms (rounds: {', '.join(f'{ms:.0f}' for ms in each)})"


if __name__ == "__main__":
    main()
