"""Painting on the map of a 100k slide (12k × 12k map pixels): a dab, a stroke to disk, a hop.

Beside it napari's own way, a single-scale Labels layer over the whole zarr array, and what adding a
layer of the size of ours takes. Without a window (`ViewerModel`); `--window` in a real one.

    python benchmarks/painting.py [--quick] [--window]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from by_turns import options, seconds
from qtpy.QtWidgets import QApplication

from napari_breastpath.results import Result, create_result
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer.editing import Editor
from napari_breastpath.viewer.session import Session

MPP, BRUSH_UM = 2.0, 200.0
OPEN = "open (until it can be painted)"


def make(folder: Path, edge: int, fill: Callable[[Result], None]) -> Result:
    """Return a result with a map of edge × edge px at 2 µm, and a slide; `fill` writes the map."""
    path = folder / "empty.tif"
    options: dict[str, Any] = {"resolution": (1e4 / 16, 1e4 / 16), "resolutionunit": "CENTIMETER"}
    small = np.full((edge // 8, edge // 8, 3), 240, np.uint8)
    tifffile.imwrite(path, small, photometric="rgb", tile=(256, 256), **options)
    slide = open_slide(path)
    record = {
        "slide": {
            "path": str(path),
            "mpp_x": slide.mpp.x,
            "mpp_y": slide.mpp.y,
            "mpp_source": slide.mpp.source,
            "fingerprint": slide.fingerprint,
        },
        "analysis": "tumour",
        "specimen": "unspecified",
        "model": {
            "name": "none",
            "version": "1",
            "sha256": "0",
            "classes": [{"name": "tumour", "color": (200, 0, 0), "role": "tumour"}],
        },
        "map_mpp": [MPP, MPP],
        "settings": {"threshold": 0.5},
    }
    result = create_result(
        folder / "empty.tif.tumour.breastpath",
        record,
        lattice=slide.lattice(MPP),
        slide_mpp=slide.mpp,
        classes=[("tumour", (200, 0, 0))],
        tiles=(1, 1),
    )
    fill(result)
    result.save(status="complete")
    return result


def blobs(result: Result) -> None:
    """Write thousands of blobs of all sizes, and their mask, a band at a time."""
    from scipy.ndimage import gaussian_filter, zoom

    noise = gaussian_filter(np.random.default_rng(0).standard_normal((1024, 1024)), 3)
    heat = ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)
    height, width = result.lattice.shape
    for top in range(0, height, 2048):
        rows = min(2048, height - top)
        band = np.tile(zoom(heat[:512], 4, order=1), (1, -(-width // 4096)))[:rows, :width]
        result.map.probability.write(top, 0, np.maximum(band, 1)[None])
        result.map.label("mask").write(top, 0, (band > 127).astype(np.uint8))


def timed_ms(act: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    return 1e3 * seconds(act)


def main_ms(act: Callable[[], Any]) -> float:
    """Return the processor time of the main thread for a call, and what it is drawn with."""
    begin = time.thread_time()
    act()
    QApplication.processEvents()
    return 1e3 * (time.thread_time() - begin)


def ours(session: Session, dabs: int) -> dict[str, list[float]]:
    """Return milliseconds of opening, dabs, handing strokes over, writing back, hopping."""
    editor, figures = Editor.of(session), {}
    camera = session.viewer.scene.camera
    assert session.result is not None
    size_um = np.array(session.result.lattice.shape) * MPP
    camera.center, camera.zoom = tuple(size_um / 3), 0.2
    editor.brush_um = BRUSH_UM
    figures["make the layer, main thread"] = [main_ms(editor.prepare)]
    opened = lambda: figures.update({OPEN: [timed_ms(lambda: (editor.start(), editor.drain()))]})  # noqa: E731
    figures["open, main thread"] = [main_ms(opened)]
    layer = editor.canvas.layer
    assert layer is not None
    rng = np.random.default_rng(1)
    handed, dabbed, written = [], [], []
    for _ in range(dabs // 10):
        corner = rng.integers(0, np.array(layer.data.shape) - 1)
        value = int(rng.integers(0, 2))
        with layer.block_history():
            for step in range(10):
                place = np.minimum(corner + step * 30, np.array(layer.data.shape) - 1)
                dabbed.append(timed_ms(lambda p=place, v=value: layer.paint(p, v)))
            before = time.perf_counter()
        handed.append((time.perf_counter() - before) * 1000)
        written.append(timed_ms(editor.drain))
    figures |= {"a dab": dabbed, "a stroke handed over": handed, "a stroke on disk": written}
    figures["hop to another field"] = [
        timed_ms(lambda p=share: hop(editor, tuple(size_um * p))) for share in (0.8, 0.1)
    ]
    figures["undo, shown again"] = [timed_ms(lambda: (editor.undo(), editor.drain()))]
    return figures


def hop(editor: Editor, place: tuple[float, float]) -> None:
    """Move the view to a place (y, x) in µm and wait until it can be painted."""
    editor.session.viewer.scene.camera.center = place
    editor.follow()
    editor.drain()


def plain(viewer: Any, shape: tuple[int, int]) -> float:
    """Return what adding napari's own layer takes, in milliseconds of the main thread."""
    return main_ms(lambda: viewer.add_labels(np.zeros(shape, np.uint8), name="plain"))


def naive(result: Result, viewer: Any, dabs: int) -> tuple[list[float], float]:
    """Return milliseconds of dabs on a Labels layer over the whole array, and of adding it."""
    from napari.layers import Labels

    layers = []
    added = timed_ms(
        lambda: layers.append(viewer.add_layer(Labels(result.map.label("mask").levels[0])))
    )
    layer = layers[0]
    layer.brush_size = round(BRUSH_UM / MPP)
    places = np.random.default_rng(2).integers(0, min(layer.data.shape), (dabs, 2))
    times = [timed_ms(lambda p=place: layer.paint(p, 1)) for place in places]
    viewer.layers.remove(layer)
    return times, added


def show(name: str, times: list[float]) -> None:
    """Print median and worst."""
    print(f"{name:34s} median {statistics.median(times):8.1f} ms   worst {max(times):8.1f} ms")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, default=12_000, help="side of the map in px")
    parser.add_argument("--dabs", type=int, default=200)
    parser.add_argument("--window", action="store_true", help="in a real window")
    chosen = options(parser, edge=3000, dabs=50)
    edge, dabs = chosen.edge, chosen.dabs
    application = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        result = make(Path(folder), edge, blobs)
        viewer = viewer_of(chosen.window)
        session = Session.of(viewer)
        session.open_result(result.path)
        application.processEvents()
        figures = ours(session, dabs)
        print(f"map {edge} × {edge} px, brush {round(BRUSH_UM / MPP)} px across, {dabs} dabs")
        for name, times in figures.items():
            show(name, times)
        layer = Editor.of(session).canvas.layer
        assert layer is not None
        show("add a plain layer, main thread", [plain(viewer, layer.data.shape)])
        theirs, added = naive(result, viewer, max(dabs // 20, 5))
        show("napari's own layer: a dab", theirs)
        print(f"napari's own layer: to add it {added:.0f} ms")
        ratio = statistics.median(theirs) / statistics.median(figures["a dab"])
        print(f"a dab is {ratio:.0f} times faster")
        Editor.of(session).drain()
        viewer.layers.clear()


def viewer_of(window: bool) -> Any:
    """Return a bare viewer, or one with a window."""
    if window:
        import napari

        return napari.Viewer()
    from napari.components import ViewerModel

    return ViewerModel()


if __name__ == "__main__":
    main()
