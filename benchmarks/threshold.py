"""Time the numbers that follow the threshold and the hands, on a synthetic tumour map.

    python benchmarks/threshold.py [--megapixels 30] [--repeats 3] [--quick] [--window]

Prints how long preparing takes (from the result on disk), the median and the 95th percentile of the
time from a threshold to its numbers (a sweep up and down, nothing measured ahead) and from an edit
to its numbers, and how long scikit-image's label + regionprops_table takes for the same columns of
one mask. With --window also the time from the slider to numbers in a real window, and what a move
takes of the main thread.
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
from by_turns import options, seconds
from measure_regions import PROPERTIES, stored_result, synthetic_map
from numpy.typing import NDArray
from painting import make
from skimage.measure import label, regionprops_table

from napari_breastpath.analyses import measure_result
from napari_breastpath.analyses.live import LiveMeasurement
from napari_breastpath.results import Result
from napari_breastpath.viewer.session import Session

MB = 1e6


def timed(work: Callable[[int], object], times: int) -> list[float]:
    """Return the seconds of every call."""
    return [seconds(lambda k=k: work(k)) for k in range(times)]  # type: ignore[misc]


def spread(times: list[float]) -> str:
    """Say median, 95th percentile and maximum in milliseconds."""
    low, high = 1e3 * statistics.median(times), 1e3 * float(np.quantile(times, 0.95))
    return f"median {low:6.1f} ms, 95 % {high:6.1f} ms, longest {1e3 * max(times):6.1f} ms"


def dabs(shape: tuple[int, int], side: int, seed: int) -> Callable[[int], tuple[int, int]]:
    """Return where the k-th of some squares lies."""
    rng = np.random.default_rng(seed)
    places = rng.integers(0, [max(1, n - side) for n in shape], (1000, 2))
    return lambda k: (int(places[k, 0]), int(places[k, 1]))


def in_window(folder: Path, heat: NDArray[np.uint8], moves: int, naive_s: float) -> None:
    """Move the slider in a real window, one way and back, and print what it takes."""
    import napari
    from qtpy.QtTest import QTest

    result = make(folder, heat.shape[0], lambda r: fill(r, heat))
    measure_result(result)
    viewer, shown, spent, arrived = napari.Viewer(), list[float](), list[float](), list[float]()
    dock: Any = viewer.window.add_plugin_dock_widget("napari-breastpath", "Measurements")[1]
    session = Session.of(viewer)
    session.open_result(result.path)
    while dock.live.effects is None:
        QTest.qWait(50)
    session.numbers.connect(lambda _: arrived.append(time.perf_counter()))
    QTest.qWait(2000)
    for k in range(moves):
        begin, main = time.perf_counter(), time.thread_time()
        arrived.clear()
        dock.slider.setValue(30 + k if k % 2 else 70 - k)
        while not arrived:
            QTest.qWait(5)
        shown.append(time.perf_counter() - begin)
        QTest.qWait(500)
        spent.append(time.thread_time() - main)
    print(f"in a window, on screen {spread(shown)}")
    print(f"   main thread         {spread(spent)}")
    print(f"label + regionprops    {naive_s / statistics.median(shown):.0f} × as long")
    dock.live.finish()
    viewer.close()


def fill(result: Result, heat: NDArray[np.uint8]) -> None:
    """Write a map, all of it tissue."""
    height, width = result.lattice.shape
    result.map.probability.write(0, 0, heat[None, :height, :width])
    result.map.label("tissue").write(0, 0, np.ones((height, width), np.uint8))


def report(live: LiveMeasurement, heat: NDArray[np.uint8], sweep: int, repeats: int) -> float:
    """Time thresholds, edits and scikit-image, and print them; return the seconds of the last."""
    levels = np.linspace(0.3, 0.7, sweep)
    spent = time.process_time()
    thresholds = timed(lambda k: live.at(float(levels[k])), sweep)
    spent = (time.process_time() - spent) / sweep
    live.at(0.5)
    print(f"threshold to numbers   {spread(thresholds)}   ({sweep} from 0.3 to 0.7)")
    print(f"   processor time      {1e3 * spent:.0f} ms each, what a busy machine does not stretch")
    for side in (40, 400):
        place = dabs(heat.shape, side, side)
        value = [np.full((side, side), v, np.uint8) for v in (1, 255)]
        edits = timed(lambda k, p=place, v=value: live.edited(*p(k), v[k % 2]), sweep)  # type: ignore[misc]
        print(f"edit of {side:3d} × {side:3d} px     {spread(edits)}")
    mask = heat > 127
    theirs = timed(lambda k: regionprops_table(label(mask), heat, properties=PROPERTIES), repeats)
    naive, mine = statistics.median(theirs), statistics.median(thresholds)
    print(
        f"label + regionprops    {naive:.2f} s for the same columns: {naive / mine:.0f} × as long"
    )
    return naive


def main() -> None:
    """Prepare a map and time what follows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megapixels", type=float, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sweep", type=int, default=41, help="thresholds and edits")
    parser.add_argument("--window", action="store_true", help="in a real window, too")
    chosen = options(parser, megapixels=4, repeats=1, sweep=10)
    heat = synthetic_map(chosen.megapixels)
    with tempfile.TemporaryDirectory() as folder:
        result = stored_result(Path(folder) / "map", heat)
        begin = time.perf_counter()
        live = LiveMeasurement.prepare(result)
        assert live is not None
        took = time.perf_counter() - begin
        again = seconds(lambda: LiveMeasurement.prepare(result))
        count = len(live.at(0.5).regions)
        print(f"map {heat.shape}, {heat.size / MB:.0f} megapixels, {count} regions at 0.5")
        print(f"prepare                {took:.2f} s the first time, {again:.2f} s again")
        naive = report(live, heat, chosen.sweep, chosen.repeats)
        if chosen.window:
            in_window(Path(folder), heat, chosen.sweep // 2, naive)


if __name__ == "__main__":
    main()
