"""What all exporters have in common: their table, their refusals, all or nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from exchange_results import make_result

from napari_breastpath.cli import main
from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.exchange.export import export_result
from napari_breastpath.exchange.formats import FORMATS
from napari_breastpath.results import Result, load_result

NEEDS_DICOM = ("dicom-seg", "dicom-sr")


@pytest.mark.parametrize("to", [name for name in FORMATS if name not in NEEDS_DICOM])
def test_every_format_is_written_by_the_command_line(result: Result, to: str, out: Path) -> None:
    path = out / f"result{FORMATS[to].suffix}"
    assert main(["export", str(result.path), "--to", to, "--out", str(path)]) == 0
    assert [item.name for item in out.iterdir()] == [path.name]


@pytest.mark.parametrize("to", NEEDS_DICOM)
def test_dicom_of_another_slide_is_refused_in_one_line(
    one: Result, to: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(one.path), "--to", to, "--out", str(out / "r.dcm")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "is no DICOM" in line
    assert "ome-tiff" in line
    assert not list(out.iterdir())


@pytest.mark.parametrize(("to", "fractional"), [("doc", False), ("csv", True)])
def test_requests_without_sense(one: Result, to: str, fractional: bool, out: Path) -> None:
    with pytest.raises(UsageError):
        export_result(one, to, out / "r", fractional=fractional)


@pytest.mark.parametrize("to", [name for name in FORMATS if name not in NEEDS_DICOM])
def test_where_nothing_can_be_written(one: Result, to: str, out: Path) -> None:
    with pytest.raises(ResultError, match="choose another --out"):
        export_result(one, to, out / "no" / "folder" / "r.zarr")


def test_a_result_that_was_never_measured(tmp_path: Path, out: Path) -> None:
    made = make_result(tmp_path / "r.breastpath")
    made.record.pop("regions")
    made.save(status="partial")
    with pytest.raises(ResultError, match="not measured"):
        export_result(load_result(made.path), "ome-zarr", out / "r.zarr")


def test_the_table_of_formats_loads_nothing_heavy() -> None:
    heavy = {"numpy", "pandas", "zarr", "tifffile", "highdicom", "pydicom"}
    code = "import sys, napari_breastpath.exchange.formats; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(found.stdout.split())
