"""One run at a time on a folder, and folders of slides that share a name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from napari_breastpath.core.errors import ResultError
from napari_breastpath.results import lock
from napari_breastpath.results.files import write_json
from napari_breastpath.results.lock import alone, claimed

HOLDER = """
import sys, time
from pathlib import Path
from napari_breastpath.results.lock import claimed
with claimed(Path(sys.argv[1]), "a.svs", "tumour", "1" * 64):
    print("held", flush=True)
    time.sleep(60)
"""


def record_of(path: Path, fingerprint: str) -> None:
    path.mkdir(parents=True, exist_ok=True)
    empty = dict.fromkeys(("status", "analysis", "model", "map_mpp", "settings"))
    slide = {"fingerprint": fingerprint}
    write_json(path / "result.json", {"schema_version": 1, "slide": slide, **empty})


def test_a_folder_at_work_is_refused_and_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    path = tmp_path / "a.svs.tumour.breastpath"
    record_of(path, "1" * 64)
    with (
        pytest.raises(ResultError, match="another run is at work"),
        claimed(tmp_path, "a.svs", "tumour", "1" * 64),
    ):
        pytest.fail("two runs hold one folder")
    with claimed(tmp_path, "a.svs", "tumour", "2" * 64) as other:
        assert other.name == f"a.svs.tumour-{'2' * 8}.breastpath"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with (
        pytest.raises(KeyboardInterrupt, match=path.name),
        claimed(tmp_path, "a.svs", "tumour", "1" * 64) as mine,
    ):
        raise KeyboardInterrupt(mine.name)
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "no lock files are left behind"


def test_a_folder_in_the_making_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE_S", 0.3)
    path = tmp_path / "a.svs.tumour.breastpath"
    with alone(path), pytest.raises(ResultError), claimed(tmp_path, "a.svs", "tumour", "1" * 64):
        pytest.fail("the folder of another was given")
    with claimed(tmp_path, "a.svs", "tumour", "1" * 64) as mine:
        assert mine == path
