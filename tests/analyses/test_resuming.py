"""Runs that were stopped, killed or that met a damaged tile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from analyses_helpers import heat, log, planned
from napari_breastpath import analyze, load_result
from napari_breastpath.analyses import measure_result
from napari_breastpath.core.errors import BreastPathError, ResultError
from napari_breastpath.core.geometry import Box
from napari_breastpath.core.progress import Progress
from napari_breastpath.results import Result
from napari_breastpath.results.maps import TODO


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
    first, second = planned(resumed)
    assert first["tiles"] == first["total"] == second["total"]
    assert second["blocks"] == first["blocks"] - finished.sum()
    assert second["tiles"] < second["total"]
    assert second["again"] <= second["tiles"] - (store.tile_state == TODO).sum()
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
    stop = threading.Event()
    stop.set()
    assert analyze(path, tmp_path, stain="none", stop=stop).status == "partial"
    assert analyze(path, tmp_path, stain="none").status == "incomplete"


def test_a_record_cut_short_can_be_set_aside(drawn: Path, tmp_path: Path) -> None:
    options = {"stain": "none", "region": Box(600, 600, 200, 200)}
    record = analyze(drawn, tmp_path, **options).path / "result.json"
    record.write_text(record.read_text()[:200])
    with pytest.raises(ResultError, match="--no-resume"):
        analyze(drawn, tmp_path, **options)
    assert analyze(drawn, tmp_path, resume=False, **options).status == "complete"


def test_a_wrong_tissue_file_binds_no_later_run(drawn: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.png"
    Image.fromarray(np.full((50, 50), 255, np.uint8)).save(wrong)
    options = {"stain": "none", "region": Box(600, 600, 200, 200)}
    with pytest.raises(BreastPathError, match="proportions"):
        analyze(drawn, tmp_path, tissue=wrong, **options)
    assert analyze(drawn, tmp_path, **options).status == "complete"


@pytest.mark.parametrize("damage", ["gone", "cut short"])
def test_a_finished_block_that_was_lost_is_inferred_again(
    whole: Result, drawn: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / whole.path.name
    shutil.copytree(whole.path, path)
    load_result(path).save(status="partial")
    chunk = path / "probability.ome.zarr" / "0" / "c" / "0" / "1" / "1"
    content = chunk.read_bytes()
    chunk.unlink()
    if damage == "cut short":
        chunk.write_bytes(content[: len(content) // 2])
    resumed = analyze(drawn, tmp_path, specimen="node")
    np.testing.assert_array_equal(heat(resumed), heat(whole))
    assert planned(resumed)[-1]["blocks"] == 1
    assert "1 finished blocks are damaged" in log(resumed)


def test_a_complete_result_that_lost_a_block_says_so_and_is_mended(
    whole: Result, drawn: Path, tmp_path: Path
) -> None:
    path = tmp_path / whole.path.name
    shutil.copytree(whole.path, path)
    (path / "probability.ome.zarr" / "0" / "c" / "0" / "1" / "1").unlink()
    result = measure_result(load_result(path))
    assert result.status == "incomplete"
    assert result.record["unread_tissue_fraction"] > 0
    mended = analyze(drawn, tmp_path, specimen="node")
    assert mended.status == "complete"
    np.testing.assert_array_equal(heat(mended), heat(whole))


@pytest.mark.parametrize("part", ["tile_state", "labels/tissue/0", "labels/edits/0", "0"])
def test_what_is_damaged_for_good_is_said_in_one_line(
    whole: Result, tmp_path: Path, part: str
) -> None:
    path = tmp_path / whole.path.name
    shutil.copytree(whole.path, path)
    stored = path / "probability.ome.zarr" / part
    if part == "labels/edits/0":
        shutil.rmtree(stored)
    for chunk in stored.glob("c/**/*"):
        if chunk.is_file():
            chunk.write_bytes(chunk.read_bytes()[:9])
    result = load_result(path)
    with pytest.raises(ResultError, match=r"is damaged .*--no-resume"):
        print(result.map.tile_state, measure_result(result))


def test_a_folder_that_cannot_be_written_is_one_line(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResultError, match=r"cannot be written .*--out"):
        analyze(drawn, tmp_path / "file" / "out", stain="none", region=Box(600, 600, 200, 200))


def test_names_that_are_no_utf8_are_recorded(drawn: Path, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.tif"))
    shutil.copy(drawn, path)
    result = analyze(path, tmp_path, stain="none", region=Box(600, 600, 200, 200))
    assert load_result(result.path).slide_path == path
