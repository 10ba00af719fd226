"""The tumour analysis on drawn slides: whole runs, broken runs, odd requests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_breastpath import analyze, load_model, load_result, open_slide
from napari_breastpath.analyses import Request, Run, analyze_added_tissue, measure_result
from napari_breastpath.analyses.preparing import stored_tissue
from napari_breastpath.core.errors import (
    InferenceError,
    ModelError,
    PixelSizeError,
    SlideError,
    UsageError,
)
from napari_breastpath.core.geometry import Box
from napari_breastpath.core.progress import Progress
from napari_breastpath.inference import engine, initial_states, plan_run
from napari_breastpath.models import OutOfMemory, Predictor, make_predictor
from napari_breastpath.results import MapStore, Result
from napari_breastpath.results.maps import DONE, FAILED

FILES = {
    "result.json",
    "probability.ome.zarr",
    "regions.csv",
    "features.csv",
    "regions.geojson",
    "run.log",
}


def heat(result: Result) -> np.ndarray:
    return np.asarray(result.map.probability.levels[0][:])


def log(result: Result) -> str:
    return (result.path / "run.log").read_text()


@pytest.fixture(scope="module")
def whole(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """An unbroken run."""
    return analyze(drawn, tmp_path_factory.mktemp("whole"), specimen="node")


def test_a_run_leaves_a_complete_folder(whole: Result) -> None:
    assert {p.name for p in whole.path.iterdir()} == FILES
    record = json.loads((whole.path / "result.json").read_text())
    assert record["status"] == "complete"
    assert record["tiles"]["failed"] == 0
    assert record["tiles"]["done"] + record["tiles"]["skipped"] == record["tiles"]["total"]
    assert record["map_mpp"] == [2.0, 2.0]
    assert len(record["settings"]["stain_normalizer"]["source"]["stain_matrix"]) == 2
    assert record["regions"]["count"] == len(whole.regions)
    assert record["regions"]["category"] in {"negative", "ITC", "micro", "macro"}
    assert record["regions"]["longest_feret_mm"] == pytest.approx(whole.regions.feret_max_mm.max())
    assert list(whole.features.index) == ["model", "corrected"]
    assert record["score"]["model"]["value"] == pytest.approx(whole.features.loc["model", "16_max"])


def test_the_map_is_the_analysed_tissue(whole: Result) -> None:
    tissue = np.asarray(whole.map.label("tissue").levels[0][:]) > 0
    inferred = heat(whole)[0] > 0
    assert inferred[tissue].all()
    assert 0 < inferred.mean() < 1
    mask = np.asarray(whole.map.label("mask").levels[0][:])
    np.testing.assert_array_equal(mask > 0, heat(whole)[0] > 0.5 * 255)


def test_running_again_does_nothing(whole: Result, drawn: Path) -> None:
    before = heat(whole)
    again = analyze(drawn, whole.path.parent, specimen="node")
    assert again.path == whole.path
    assert "already complete" in log(again)
    np.testing.assert_array_equal(heat(again), before)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"threshold": 0.3}, "threshold: 0.5, asked for 0.3"),
        ({"stain": "none"}, "stain: vahadane, asked for none"),
        ({"tissue": "yen"}, "tissue"),
        ({"specimen": "primary"}, "specimen"),
        ({"region": Box(0, 0, 500, 500)}, "region"),
        ({"engine": "torch"}, "engine"),
    ],
)
def test_another_request_is_refused_and_the_difference_named(
    whole: Result, drawn: Path, change: dict[str, Any], named: str
) -> None:
    if change.get("engine") == whole.record["settings"]["engine"]:
        pytest.skip("that engine is the one in use")
    with pytest.raises(UsageError, match=named):
        analyze(drawn, whole.path.parent, **{"specimen": "node", **change})


def test_starting_anew_keeps_the_old_folder(drawn: Path, tmp_path: Path) -> None:
    region = Box(600, 600, 300, 300)
    first = analyze(drawn, tmp_path, region=region, stain="none")
    analyze(drawn, tmp_path, region=region, stain="none", threshold=0.4, resume=False)
    backup = load_result(first.path.with_name(f"{first.path.name}.bak-1"))
    assert backup.record["settings"]["threshold"] == 0.5


def test_two_slides_of_one_name_do_not_mix(drawn: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / drawn.name
    other.parent.mkdir()
    write_flat(other, np.full((600, 600, 3), 240, np.uint8), 0.5)
    first = analyze(drawn, tmp_path, region=Box(600, 600, 300, 300), stain="none")
    second = analyze(other, tmp_path, stain="none")
    assert second.path != first.path
    assert open_slide(other).fingerprint[:8] in second.path.name


def test_a_stopped_run_goes_on_to_the_same_map(whole: Result, drawn: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def stop_early(progress: Progress) -> None:
        if progress.stage == "inference" and progress.done >= progress.total // 2:
            stop.set()

    partial = analyze(drawn, tmp_path, specimen="node", progress=stop_early, stop=stop)
    assert partial.status == "partial"
    assert not (partial.path / "regions.csv").exists()
    finished = analyze(drawn, tmp_path, specimen="node")
    assert finished.status == "complete"
    np.testing.assert_array_equal(heat(finished), heat(whole))


KILLED = """
import sys, time
from napari_breastpath import analyze
def slowly(progress):
    if progress.stage == "inference":
        print(progress.done, flush=True)
        time.sleep(0.3)
analyze(sys.argv[1], sys.argv[2], specimen="node", progress=slowly, batch_size=2)
"""


def test_a_killed_run_recomputes_no_finished_block(drawn: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(drawn), str(tmp_path / "killed")]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    path = tmp_path / "killed" / "drawn.tif.tumour.breastpath"
    assert run.stdout is not None
    for line in run.stdout:
        if int(line) and load_result(path).map.block_state.any():
            break
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    store = load_result(path).map
    finished = store.block_state.astype(bool)
    assert load_result(path).status == "partial"
    assert finished.any()
    assert not finished.all()
    chunks = [
        path / "probability.ome.zarr" / "0" / "c" / "0" / str(i) / str(j)
        for i, j in np.argwhere(finished)
    ]
    written = {c: c.stat().st_mtime_ns for c in chunks if c.exists()}
    resumed = analyze(drawn, tmp_path / "killed", specimen="node", batch_size=2)
    assert {c: c.stat().st_mtime_ns for c in written} == written
    assert f"inferring {resumed.record['tiles']['done']} of" not in log(resumed).splitlines()[-3]
    unbroken = analyze(drawn, tmp_path / "unbroken", specimen="node", batch_size=2)
    np.testing.assert_array_equal(heat(resumed), heat(unbroken))
    for name in ("regions.csv", "features.csv"):
        assert (resumed.path / name).read_text() == (unbroken.path / name).read_text()


def test_a_tile_that_cannot_be_decoded_is_said_to_be_unread(drawn: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.tif"
    path.write_bytes(drawn.read_bytes())
    with tifffile.TiffFile(path) as tif:
        page = tif.series[0].levels[0].pages[0]
        middle = len(page.dataoffsets) // 2 - 5
        offset, count = page.dataoffsets[middle], page.databytecounts[middle]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x00" * count)
    result = analyze(path, tmp_path, stain="none")
    assert result.status == "incomplete"
    assert result.record["tiles"]["failed"] > 0
    assert 0 < result.record["unread_tissue_fraction"] < 0.5
    assert "unread tile row" in log(result)


class Altered:
    """The real network with something happening to it."""

    def __init__(self, inner: Predictor, forgets_above: int = 99, nan_at: int = -1) -> None:
        self._inner, self._forgets_above, self._nan_at = inner, forgets_above, nan_at
        self._seen = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def predict(self, batch: Any) -> Any:
        if len(batch) > self._forgets_above:
            raise OutOfMemory("gpu", "out of memory", "use smaller batches")
        answers = np.array(self._inner.predict(batch))
        if self._seen <= self._nan_at < self._seen + len(batch):
            answers[self._nan_at - self._seen] = np.nan
        self._seen += len(batch)
        return answers


def engine_run(
    drawn: Path, out: Path, **altered: int
) -> tuple[engine.Outcome, np.ndarray, Altered]:
    """Run the engine alone over a corner of the slide, without stain normalisation."""
    bundle = load_model("tumour-demo")
    with open_slide(drawn) as slide:
        run = Run(slide, bundle, Request(stain="none", tissue="none"), lambda progress: None)
        store = MapStore.create(
            out, run.grid.map_lattice, slide.mpp, [("tumour", (200, 0, 0))], run.grid.shape, 3
        )
        predictor = Altered(make_predictor(bundle, "cpu", "torch", 4), **altered)
        wanted = np.zeros(run.grid.shape, bool)
        wanted[:2, :2] = True
        states = initial_states(wanted, store.tile_state)
        analysed = np.ones(run.tissue_lattice.shape, bool)
        job = engine.Job(slide, run.grid, store, predictor, analysed, run.factor, states)
        plan = plan_run(job.blocks, wanted, states, store.block_state)
        outcome = engine.run(job, plan)
    return outcome, np.asarray(store.probability.levels[0][:]), predictor


def test_out_of_memory_halves_the_batch_and_goes_on(drawn: Path, tmp_path: Path) -> None:
    plenty, expected, _ = engine_run(drawn, tmp_path / "a")
    scarce, found, _ = engine_run(drawn, tmp_path / "b", forgets_above=1)
    assert (plenty.batch_size, scarce.batch_size) == (4, 1)
    assert np.abs(expected.astype(int) - found).max() <= 1
    with pytest.raises(InferenceError, match="no memory for a single tile"):
        engine_run(drawn, tmp_path / "c", forgets_above=0)


def test_nan_is_a_failed_tile_and_not_a_number(drawn: Path, tmp_path: Path) -> None:
    outcome, heatmap, _ = engine_run(drawn, tmp_path / "a", nan_at=1)
    assert (outcome.states == FAILED).sum() == 1
    assert (outcome.states == DONE).sum() == 3
    assert "NaN" in outcome.failures[0]
    assert (heatmap[0, :100, :100] > 0).all()


def test_added_tissue_infers_new_tiles_only(drawn: Path, tmp_path: Path) -> None:
    settings = {"stain": "none", "region": Box(400, 400, 500, 500)}
    result = analyze(drawn, tmp_path, **settings)
    before, done = heat(result), result.map.tile_state == DONE
    with open_slide(drawn) as slide:
        request = Request(stain="none", region=settings["region"])
        run = Run(slide, load_model("tumour-demo"), request, lambda progress: None)
        tissue = stored_tissue(result, run.factor)
        tissue[60:70, 200:230] = True
        analyze_added_tissue(run, result, tissue)
    after, states = heat(result), result.map.tile_state
    np.testing.assert_array_equal(after[before > 0], before[before > 0])
    assert (after[0, 240:280, 800:920] > 0).all()
    added = int((states == DONE).sum() - done.sum())
    assert added > 0
    assert f"inferring {added} of" in log(result)
    assert result.status == "complete"
    fresh = np.asarray(result.map.label("tissue").levels[0][240:280, 800:920])
    assert fresh.all()


def test_removed_tissue_leaves_the_map(drawn: Path, tmp_path: Path) -> None:
    region = Box(400, 400, 900, 900)
    result = analyze(drawn, tmp_path, stain="none", region=region)
    with open_slide(drawn) as slide:
        request = Request(stain="none", region=region)
        run = Run(slide, load_model("tumour-demo"), request, lambda progress: None)
        analyze_added_tissue(run, result, np.zeros(run.tissue_lattice.shape, bool))
    assert not heat(result).any()
    assert len(result.regions) == 0


def test_hands_count_and_the_model_stays_known(drawn: Path, tmp_path: Path) -> None:
    result = analyze(drawn, tmp_path, stain="none")
    area = result.record["regions"]["total_area_mm2"]
    model_score = result.record["score"]["model"]
    painted = np.full((100, 100), 1, np.uint8)
    result.map.label("edits").write(0, 0, painted)
    result.map.label("edits").write(200, 200, np.full((200, 200), 255, np.uint8))
    measure_result(result)
    mask = np.asarray(result.map.label("mask").levels[0][:])
    assert mask[:100, :100].all()
    assert not mask[200:400, 200:400].any()
    assert result.record["regions"]["total_area_mm2"] != area
    assert result.record["score"]["model"] == model_score
    assert result.regions.edited.any()


def test_measuring_again_at_another_threshold(drawn: Path, tmp_path: Path) -> None:
    result = analyze(drawn, tmp_path, stain="none")
    at_half = result.record["regions"]["total_area_mm2"]
    measure_result(result, threshold=0.9, specimen="node")
    assert result.record["regions"]["total_area_mm2"] < at_half
    assert result.record["specimen"] == "node"
    measure_result(result, threshold=0.5)
    assert result.record["regions"]["total_area_mm2"] == at_half


def write_flat(path: Path, pixels: np.ndarray, mpp: float) -> Path:
    per_cm = round(1e4 / mpp)
    tifffile.imwrite(
        path,
        pixels,
        tile=(256, 256),
        resolution=(per_cm, per_cm),
        resolutionunit="CENTIMETER",
    )
    return path


def test_a_blank_slide_is_complete_with_nothing_found(tmp_path: Path) -> None:
    path = write_flat(tmp_path / "blank.tif", np.full((900, 900, 3), 243, np.uint8), 0.5)
    result = analyze(path, tmp_path, specimen="node")
    assert result.status == "complete"
    assert result.record["regions"]["category"] == "negative"
    assert any("no tissue" in text for text in result.record["warnings"])
    assert result.record["score"]["model"]["value"] == 0


@pytest.mark.parametrize(
    ("mpp", "error", "words"),
    [(0.02, PixelSizeError, "--mpp"), (25.0, PixelSizeError, "--mpp"), (1.8, ModelError, "coarse")],
)
def test_pixel_sizes_that_make_no_sense_are_refused(
    tmp_path: Path, mpp: float, error: type[Exception], words: str
) -> None:
    path = write_flat(tmp_path / "odd.tif", np.full((300, 300, 3), 200, np.uint8), 0.5)
    with pytest.raises(error, match=words):
        analyze(open_slide(path, mpp=mpp), tmp_path)


def test_a_slide_a_little_coarser_than_the_model_is_enlarged_with_a_warning(
    tmp_path: Path, drawn: Path
) -> None:
    result = analyze(open_slide(drawn, mpp=1.3), tmp_path, stain="none", region=Box(0, 0, 400, 400))
    assert any("enlarged 1.30×" in text for text in result.record["warnings"])


def test_anisotropic_pixels_give_lengths_in_micrometres(tmp_path: Path, drawn: Path) -> None:
    square = analyze(open_slide(drawn, mpp=0.5), tmp_path / "a", stain="none")
    wide = analyze(open_slide(drawn, mpp=(1.0, 0.5)), tmp_path / "b", stain="none")
    assert wide.lattice.width == pytest.approx(2 * square.lattice.width, abs=1)
    assert wide.lattice.height == square.lattice.height


def test_a_tissue_file_and_polygons_bound_the_analysis(drawn: Path, tmp_path: Path) -> None:
    ring = [[500, 500], [1300, 500], [1300, 1100], [500, 1100], [500, 500]]
    outline = tmp_path / "tissue.geojson"
    outline.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    from_file = analyze(drawn, tmp_path / "a", stain="none", tissue=outline)
    assert from_file.record["tissue_area_mm2"] == pytest.approx(0.8 * 0.6 / 4, rel=0.03)
    whole = analyze(drawn, tmp_path / "b", stain="none", tissue="none", region=[ring])
    np.testing.assert_array_equal(heat(whole), heat(from_file))
    with pytest.raises(UsageError, match="outside the slide"):
        analyze(drawn, tmp_path / "c", region=Box(9000, 9000, 10, 10))


def test_the_staintools_way_runs_too(drawn: Path, tmp_path: Path) -> None:
    result = analyze(drawn, tmp_path, stain="staintools", region=Box(900, 900, 150, 150))
    assert result.status == "complete"
    assert heat(result).any()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="absent"):
        analyze(tmp_path / "absent.svs", tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"stain": "blue"}, {"threshold": 1.5}, {"specimen": "liver"}, {"analysis": "moles"}]
)
def test_words_nobody_knows_are_refused(drawn: Path, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        analyze(drawn, tmp_path, **wrong)
