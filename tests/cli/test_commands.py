"""The command line as its users meet it: exit codes, one-line errors, JSON, exports."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from napari_breastpath import batch
from napari_breastpath.cli import main
from napari_breastpath.cli.doctor import range_warning
from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.sample import sample_slide_path

FAST = ["--stain", "none", "--region", "2000,1500,300,300"]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished result of a corner of the sample slide."""
    out = tmp_path_factory.mktemp("cli")
    assert main(["analyze", str(sample_slide_path()), "--out", str(out), *FAST]) == 0
    return next(out.glob("*.breastpath"))


def test_importing_and_help_load_nothing_heavy() -> None:
    code = (
        "import sys, napari_breastpath, napari_breastpath.cli as cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'napari', 'zarr', 'dask', 'scipy', 'pandas', 'cv2', 'numpy'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["analyse"],
        ["analyze", "a.svs"],
        ["analyze", "a.svs", "--out", "o", "--threshold", "2"],
        ["analyze", "a.svs", "--out", "o", "--mpp", "0"],
        ["analyze", "a.svs", "--out", "o", "--magnification", "-5"],
        ["analyze", "a.svs", "--out", "o", "--region", "1,2,3"],
        ["analyze", "a.svs", "--out", "o", "--specimen", "liver"],
        ["export", "r", "--to", "dwg", "--out", "f"],
    ],
)
def test_wrong_usage_is_code_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


def test_one_bad_slide_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.svs"
    bad.write_text("not a slide")
    slides = [str(bad), str(sample_slide_path())]
    code = main(["analyze", *slides, "--out", str(tmp_path), "--json", *FAST])
    out, err = capsys.readouterr()
    assert code == 1
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["status"] for line in lines] == ["failed", "complete"]
    complaint = [line for line in err.splitlines() if "bad.svs" in line]
    assert len(complaint) == 1
    assert "Traceback" not in err


def test_json_carries_the_record(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["analyze", str(sample_slide_path()), "--out", str(result.parent), "--json", *FAST]
    assert main(words) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["result"] == str(result)
    assert line["slide"]["mpp_x"] == 0.5


def test_a_changed_request_is_code_2(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["analyze", str(sample_slide_path()), "--out", str(result.parent), *FAST]
    assert main([*words, "--threshold", "0.2"]) == 2
    assert "another threshold" in capsys.readouterr().err


def test_measure_prints_and_keeps_the_new_numbers(
    result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", str(result), "--specimen", "node"]) == 0
    assert "category" in capsys.readouterr().out
    assert main(["measure", str(result), "--specimen", "unspecified"]) == 0
    assert main(["measure", str(result.parent)]) == 1


def test_exports_can_be_read_back(result: Path, tmp_path: Path) -> None:
    for to in ("geojson", "geojson.gz", "csv"):
        assert main(["export", str(result), "--to", to, "--out", str(tmp_path / f"r.{to}")]) == 0
    plain = json.loads((tmp_path / "r.geojson").read_text())
    packed = json.loads(gzip.decompress((tmp_path / "r.geojson.gz").read_bytes()))
    table = pd.read_csv(tmp_path / "r.csv")
    assert plain == packed
    assert len(plain["features"]) == len(table)
    assert {"mpp_source", "model_sha256", "slide_fingerprint", "threshold"} <= set(table.columns)
    missing = tmp_path / "no" / "such" / "folder" / "f.csv"
    assert main(["export", str(result), "--to", "csv", "--out", str(missing)]) == 1


def test_models_and_doctor_say_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert "tumour-demo" in capsys.readouterr().out
    assert main(["models", "show", "tumour-demo"]) == 0
    assert "not validated" in capsys.readouterr().out
    assert main(["models", "verify", "tumour-demo"]) == 0
    assert main(["models", "show", "nobody"]) == 1
    assert main(["models", "show"]) == 2
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    for word in ("device", "engine", "OpenSlide library", "disk", "memory", "tifffile"):
        assert word in told


@pytest.mark.parametrize(
    ("version", "warned"), [("2026.3.3", False), ("2026.7.14", False), ("2025.1.1", True)]
)
def test_doctor_warns_outside_the_tested_range(version: str, warned: bool) -> None:
    assert bool(range_warning("tifffile", version)) == warned


def test_a_traceback_only_when_asked_for(tmp_path: Path) -> None:
    from napari_breastpath.core.errors import ResultError

    assert main(["measure", str(tmp_path)]) == 1
    with pytest.raises(ResultError):
        main(["measure", str(tmp_path), "--debug"])


def test_dask_workers_do_the_same(result: Path, tmp_path: Path) -> None:
    slide = str(sample_slide_path())
    words = ["analyze", slide, "--out", str(tmp_path), "--workers", "2", *FAST]
    assert main(words) == 0
    here, there = (p / "regions.csv" for p in (result, next(tmp_path.glob("*.breastpath"))))
    assert here.read_text() == there.read_text()


def test_an_unforeseen_error_stops_one_slide_and_shows_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by 0")

    monkeypatch.setattr(batch, "analyze_request", broken)
    words = ["analyze", "a.svs", str(sample_slide_path()), "--out", str(tmp_path), "--json"]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "unexpected ZeroDivisionError (by 0); run again with --debug" in err
    assert "Traceback" not in err
    with pytest.raises(BreastPathError):
        main(["analyze", str(sample_slide_path()), "--out", str(tmp_path), "--debug"])


INTERRUPTED = ["--stain", "none", "--tissue", "none", "--json"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupt_stops_soon_and_the_rest_can_be_done_later(
    tmp_path: Path, workers: str
) -> None:
    slides = [tmp_path / "a.tif", tmp_path / "b.tif", tmp_path / "c.tif"]
    for slide in slides:
        shutil.copy(sample_slide_path(), slide)
    command = [sys.executable, "-m", "napari_breastpath", "analyze", *map(str, slides)]
    command += ["--out", str(tmp_path / "out"), *INTERRUPTED, "--workers", workers]
    run = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    first = tmp_path / "out" / "a.tif.tumour.breastpath" / "probability.ome.zarr"
    while run.poll() is None and not (first / "block_state" / "c").exists():
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    statuses = [json.loads(line)["status"] for line in out.splitlines()]
    assert "partial" in statuses
    assert "failed" not in statuses
    assert not (tmp_path / "out" / "c.tif.tumour.breastpath").exists()


def test_another_number_of_workers_does_not_bar_a_result(result: Path, tmp_path: Path) -> None:
    words = ["analyze", str(sample_slide_path()), "--out", str(result.parent), *FAST]
    assert main([*words, "--workers", "5"]) == 0
