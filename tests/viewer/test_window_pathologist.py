"""A scripted pathologist in a real window: paint, erase, undo, redo, split, measure, export, crash.

On CMU-1-Small-Region with a real run of tumour-demo, and on a synthetic slide of 100k × 80k pixels
whose map (31 megapixels at 4 µm) is filled with heat through the map store instead of a network:
that would take minutes, and hands work on what is stored, whoever wrote it.

What is exported is compared with NumPy, SciPy and scikit-image on the mask that is on disk.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from shapely.geometry import shape
from skimage.measure import label, regionprops
from viewer_measured import measured_result
from viewer_pathologist import (
    BARE_UM,
    BRUSH_UM,
    SHORT_MS,
    Pathologist,
    bare_box,
    journal_lines,
    mask_of_journal,
    mask_on_disk,
)

from napari_breastpath import analyze
from napari_breastpath.results import load_result
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import preferences
from napari_breastpath.viewer.snapshot import KEY

pytestmark = pytest.mark.window
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STROKES_BEFORE_KILL, START_S = 4, 180


# ---------------------------------------------------------------------- two slides
def real_result(folder: Path, shared_data: Path) -> Path:
    path = shutil.copy(shared_data / "slides" / "CMU-1-Small-Region.svs", folder)
    return analyze(open_slide(path), folder, specimen="node").path


def gigapixel_result(folder: Path) -> Path:
    gigapixel = load_gigapixel()
    gigapixel.TISSUE_SHARE = 0.02  # 80 MB instead of 1.2 GB
    slide = open_slide(gigapixel.write_slide(folder / "giga.tif", 100_000, 80_000))
    height, width = slide.lattice(4).shape
    heat = np.zeros((height, width), np.uint8)
    heat[2200:2800, 2700:3500] = 1
    heat[2450:2550, 3000:3200] = 230
    rng = np.random.default_rng(0)
    for row, column in rng.integers((100, 100), (height - 100, width - 100), (300, 2)):
        heat[row : row + rng.integers(3, 40), column : column + rng.integers(3, 40)] = 200
    return measured_result(folder, slide, heat=heat).path


def load_gigapixel() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gigapixel", BENCHMARKS / "gigapixel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["CMU-1-Small-Region", "100k × 80k"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "100k × 80k":
        yield gigapixel_result(tmp_path)
        (tmp_path / "giga.tif").unlink()
    else:
        yield real_result(tmp_path, request.getfixturevalue("shared_data"))


@pytest.fixture
def sit_down(
    make_napari_viewer: Callable[..., Any], qtbot: Any, path: Path
) -> Iterator[Callable[[], Pathologist]]:
    """Open the result in a new window."""
    held: list[Pathologist] = []

    def sit() -> Pathologist:
        preferences.answer(True)
        preferences.settings().reader.name = "A. Reader"
        viewer = make_napari_viewer(show=True)
        viewer.window.resize(1366, 768)
        held.append(Pathologist(viewer, path, qtbot.waitUntil))
        return held[-1]

    yield sit
    for hands in held:
        if vars(hands):
            hands.leave()


# ---------------------------------------------------------------------- what must come out
def longest_feret_um(region: Any, mpp: tuple[float, float]) -> float:
    """Return the largest distance between corners of a region's pixels."""
    rows, columns = region.coords.T
    corners = np.concatenate([np.stack([rows + i, columns + j], 1) for i in (0, 1) for j in (0, 1)])
    points = corners * (mpp[1], mpp[0])
    return float(pdist(points[ConvexHull(points).vertices]).max())


def figures_of(mask: np.ndarray, mpp: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return areas in mm² and longest Ferets in mm of a mask's regions, sorted."""
    regions = regionprops(label(mask, connectivity=2))
    areas = [region.num_pixels * mpp[0] * mpp[1] / 1e6 for region in regions]
    return np.sort(areas), np.sort([longest_feret_um(region, mpp) / 1e3 for region in regions])


def check_exports(folder: Path, path: Path, manual_mm: float) -> None:
    """Compare the exported files with what the mask on disk gives."""
    result = load_result(path)
    mpp, slide = result.lattice.mpp, result.record["slide"]
    areas, ferets = figures_of(mask_on_disk(path), mpp)

    table = pd.read_csv(folder / "out.csv")
    assert len(table) == len(areas)
    np.testing.assert_allclose(np.sort(table["area_mm2"]), areas)
    np.testing.assert_allclose(np.sort(table["feret_max_mm"]), ferets)
    assert set(table["manual_longest_feret_mm"].round(6)) == {round(manual_mm, 6)}
    assert set(table["slide_fingerprint"]) == {slide["fingerprint"]}
    assert table["edited"].any()

    features = json.loads((folder / "out.geojson").read_text(encoding="utf-8"))["features"]
    regions = [f for f in features if "Area mm^2" in f["properties"].get("measurements", {})]
    pixel_mm2 = slide["mpp_x"] * slide["mpp_y"] / 1e6
    drawn = [shape(feature["geometry"]).area * pixel_mm2 for feature in regions]
    np.testing.assert_allclose(np.sort(drawn), areas, rtol=1e-3)

    with Image.open(folder / "out.png") as picture:
        facts = json.loads(picture.text[KEY])
    assert facts["regions"]["count"] == len(areas)
    assert facts["regions"]["longest_feret_mm"] == pytest.approx(ferets[-1])
    assert facts["regions"]["manual_longest_feret_mm"] == pytest.approx(manual_mm)
    assert facts["regions"]["total_area_mm2"] == pytest.approx(areas.sum())
    assert facts["hands"] == "edited by A. Reader"


# ---------------------------------------------------------------------- what hands do
def paint_and_change_ones_mind(hands: Pathologist, path: Path) -> None:
    """Paint a bar where nothing is, erase across the longest region; undo, redo; split the bar."""
    mpp, before = load_result(path).lattice.mpp, mask_on_disk(path)
    row, column = bare_box(before, *hands.in_view(), mpp)
    middle, margin = row + round(BARE_UM[0] / mpp[1] / 2), round(BRUSH_UM / mpp[0])
    left, right = column + margin, column + round(BARE_UM[1] / mpp[0]) - margin
    hands.take("brush")
    hands.correct.brush.setValue(BRUSH_UM)
    hands.stroke((middle, left), (middle, right))
    painted = mask_on_disk(path)
    assert painted[middle, left:right].all()
    height_um = np.count_nonzero((painted != before).any(axis=1)) * mpp[1]
    assert height_um == pytest.approx(BRUSH_UM, abs=2 * mpp[1])

    hands.take("eraser")
    across, place = across_longest(hands, path)
    hands.stroke(*across)
    erased = mask_on_disk(path)
    assert painted[place]
    assert not erased[place]
    hands.undo()
    np.testing.assert_array_equal(mask_on_disk(path), painted)
    hands.redo()
    np.testing.assert_array_equal(mask_on_disk(path), erased)

    hands.take("split")
    at = (left + right) // 2
    hands.stroke((row, at), (row + round(BARE_UM[0] / mpp[1]), at))
    box = slice(row, row + round(BARE_UM[0] / mpp[1])), slice(left - margin, right + margin)
    assert label(erased[box], connectivity=2).max() == 1
    assert label(mask_on_disk(path)[box], connectivity=2).max() == 2
    hands.put_down("split")


def across_longest(hands: Pathologist, path: Path) -> tuple[list[Any], tuple[int, int]]:
    """Return a line over a pixel of the longest region, ± 30 µm, and that pixel."""
    mask, mpp = mask_on_disk(path), load_result(path).lattice.mpp
    rows, columns = hands.in_view()
    regions = regionprops(label(mask[rows, columns], connectivity=2))
    coords = max(regions, key=lambda region: region.num_pixels).coords
    row, column = coords[len(coords) // 2] + (rows.start, columns.start)
    away = 30 / mpp[1]
    return [(row - away, column), (row + away, column)], (int(row), int(column))


def drag_caliper(hands: Pathologist, path: Path) -> float:
    """Drag an end of the longest extent by mouse; return the length that this makes, in mm."""
    hands.saved()
    longest = load_result(path).regions.iloc[0]
    mpp = load_result(path).slide_mpp
    ends = longest[["feret_y1", "feret_x1", "feret_y2", "feret_x2"]].to_numpy(float).reshape(2, 2)
    fixed, held = (ends - 0.5) * (mpp.y, mpp.x)
    start = hands.screen(held)
    drop = hands.screen(held + 0.1 * (fixed - held))
    hands.drag(start, drop)
    corrections = hands.session.corrections
    hands.wait_until(lambda: corrections.state.extent is not None, timeout=SHORT_MS)
    extent = corrections.state.extent
    measured = (np.array([[extent.y1, extent.x1], [extent.y2, extent.x2]]) - 0.5) * (mpp.y, mpp.x)
    wanted = fixed, hands.world(drop)
    apart_um = [np.linalg.norm(measured - place, axis=1).min() for place in wanted]
    assert apart_um == pytest.approx([0, 0], abs=1 / hands.viewer.scene.camera.zoom)
    length_mm = float(np.linalg.norm(measured[1] - measured[0]) / 1e3)
    assert extent.length_mm == pytest.approx(length_mm)
    return length_mm


def export_from_panel(hands: Pathologist, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose each format in the menu; a person would type the name that is given here."""
    bar = hands.measurements.exchange
    for name, press in (
        ("out.csv", bar.export_menu.formats["csv"].trigger),
        ("out.geojson", bar.export_menu.formats["geojson"].trigger),
        ("out.png", bar.picture_button.click),
    ):
        chosen = str(folder / name)
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, to=chosen: (to, ""))
        press()
        hands.wait_until((folder / name).exists, timeout=SHORT_MS)
        hands.saved()


def killed_in_the_middle_of_strokes(path: Path) -> None:
    """Let another process paint on, and kill it as soon as some strokes are in the journal."""
    before = len(journal_lines(path))
    script = str(Path(__file__).with_name("viewer_pathologist.py"))
    with subprocess.Popen([sys.executable, script, str(path)]) as painter:
        try:
            end = time.monotonic() + START_S
            while len(journal_lines(path)) < before + STROKES_BEFORE_KILL:
                assert painter.poll() is None, "it ended by itself"
                assert time.monotonic() < end, "it painted too little"
                time.sleep(0.005)
        finally:
            painter.send_signal(signal.SIGKILL)
    assert painter.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_pathologist_corrects_exports_crashes_and_goes_on(
    sit_down: Callable[[], Pathologist],
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hands = sit_down()
    hands.measurements.go_to_longest()
    hands.viewer.scene.camera.zoom /= 1.6  # room beside it, too
    QTest.qWait(200)
    paint_and_change_ones_mind(hands, path)
    manual_mm = drag_caliper(hands, path)
    hands.saved()
    export_from_panel(hands, tmp_path, monkeypatch)
    check_exports(tmp_path, path, manual_mm)
    viewer = hands.viewer
    hands.leave()
    viewer.close()

    killed_in_the_middle_of_strokes(path)
    again = sit_down()
    np.testing.assert_array_equal(mask_on_disk(path), mask_of_journal(path))
    assert again.session.corrections.state.extent.length_mm == pytest.approx(manual_mm)
    without = mask_of_journal(path, leave_out_last_edit=True)
    again.undo()
    np.testing.assert_array_equal(mask_on_disk(path), without)
    again.saved()
    result = load_result(path)
    areas, ferets = figures_of(without, result.lattice.mpp)
    np.testing.assert_allclose(np.sort(result.regions["area_mm2"]), areas)
    np.testing.assert_allclose(np.sort(result.regions["feret_max_mm"]), ferets)
