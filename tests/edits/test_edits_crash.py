"""Killed at any point, cut short at any byte: the log's last whole line is the truth."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from edits_results import check_on_disk, make_result, opened, square

from napari_breastpath.core.errors import ResultError
from napari_breastpath.edits import read_log
from napari_breastpath.results import Result
from napari_breastpath.results.maps import ERASED

SHAPE = (130, 141)

# Copies a result and works at the copy in a forked process, which kills itself before the n-th
# step that changes a file; for n = 0, 1, 2, … until the work comes to its end.
KILLER = """
import os, shutil, signal, sys
import zarr
from napari_breastpath.edits import Corrections
from napari_breastpath.results import Result
from edits_results import square

def armed(function, left):
    def step(*args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return step

def work(path, n):
    left = [n]
    for owner, name in ((os, "fsync"), (os, "replace"), (zarr.Array, "__setitem__")):
        setattr(owner, name, armed(getattr(owner, name), left))
    hands = Corrections.open(Result.load(path))
    hands.apply(square(40, 50, 60, 60, 255), "eraser")
    hands.undo()

for n in range(1000):
    path = f"{sys.argv[2]}/{n:03d}"
    shutil.copytree(sys.argv[1], path)
    if not (child := os.fork()):
        work(path, n)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
"""


@pytest.fixture
def result(tmp_path: Path) -> Result:
    """A result with one edit, and `edits` as the log says at each of its lines."""
    result = make_result(tmp_path / "r", SHAPE)
    opened(result).apply(square(10, 20, 50, 60, 1), "brush")
    return result


def states() -> list[np.ndarray]:
    """The edits after 0, 1, 2 and 3 lines: painted, erased, undone."""
    nothing, painted = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    painted[10:60, 20:80] = 1
    erased = painted.copy()
    erased[40:100, 50:110] = ERASED
    return [nothing, painted, erased, painted]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_point_it_is_as_the_log_says(result: Result, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", KILLER, str(result.path), str(copies)]
    subprocess.run(command, env=environment, check=True, timeout=120)
    lines = []
    for path in sorted(copies.glob("[0-9]*")):
        lines.append(len(read_log(Result.load(path))))
        check_reopened(path, lines[-1])
    assert lines == sorted(lines)
    assert set(lines) == {1, 2, 3}
    assert len(lines) > 20


def check_reopened(path: Path, lines: int) -> None:
    copy = Result.load(path)
    hands = opened(copy)
    assert len(hands.log) == lines
    check_on_disk(copy, states()[lines])
    hands.undo()
    check_on_disk(copy, states()[{1: 0, 2: 1, 3: 0}[lines]])
    hands.redo()
    check_on_disk(copy, states()[lines])


def test_a_log_cut_at_any_byte_loses_its_last_line_only(result: Result, tmp_path: Path) -> None:
    opened(result).apply(square(40, 50, 60, 60, ERASED), "eraser")
    before = (result.path / "journal" / "log.jsonl").read_bytes()
    first = before.index(b"\n") + 1
    for size in (first, first + 1, first + 40, len(before) - 2, len(before) - 1):
        copy = Result.load(shutil.copytree(result.path, tmp_path / f"cut-{size}"))
        os.truncate(copy.path / "journal" / "log.jsonl", size)
        assert len(read_log(copy)) == 1
        entry = opened(copy, "B").apply(square(0, 0, 3, 3, 1), "brush")
        assert entry is not None
        assert [(e.number, e.reader) for e in read_log(copy)] == [(1, ""), (2, "B")]
        torn = "cut short" in (copy.path / "run.log").read_text() if size > first else True
        assert torn


def test_after_a_power_cut_the_last_minutes_are_applied_again(result: Result) -> None:
    opened(result).apply(square(40, 50, 60, 60, ERASED), "eraser")
    label = result.map.label("edits")
    label.write(0, 0, np.zeros(SHAPE, np.uint8))  # never came to the disk
    opened(result)
    assert not label.levels[0][:].any(), "what is marked as applied is left alone"
    marker = result.path / "journal" / "applied.json"
    os.utime(marker, (0, psutil.boot_time() - 5))
    opened(result)
    check_on_disk(result, states()[2])
    assert "applied 1 to 2 of the journal again" in (result.path / "run.log").read_text()
    before = marker.stat().st_mtime_ns
    opened(result)
    assert marker.stat().st_mtime_ns == before


DAMAGE = {
    "a line in the middle": ("log.jsonl", lambda b: b"{" + b, "is damaged"),
    "a line twice": ("log.jsonl", lambda b: b[: b.index(b"\n") + 1] * 2 + b, "not belong there"),
    "an edit's file": ("000002.npz", lambda b: b[: len(b) // 2], "000002.npz: cannot be read"),
    "an edit's file, one byte": (
        "000002.npz",
        lambda b: b[:60] + bytes([b[60] ^ 255]) + b[61:],
        "000002.npz: cannot be read",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_is_damaged_is_named_in_one_line(result: Result, case: str) -> None:
    name, spoil, words = DAMAGE[case]
    opened(result).apply(square(40, 50, 60, 60, ERASED), "eraser")
    file = result.path / "journal" / name
    file.write_bytes(spoilt := spoil(file.read_bytes()))
    with pytest.raises(ResultError, match=words) as error:
        opened(result).undo()
    assert "\n" not in str(error.value)
    assert file.read_bytes() == spoilt
    check_on_disk(result, states()[2])


@pytest.mark.parametrize(("is_new", "words"), [(True, "cannot be written"), (False, "shorter")])
def test_an_edit_that_cannot_be_kept_is_not_done(
    result: Result, tmp_path: Path, is_new: bool, words: str
) -> None:
    result = make_result(tmp_path / "new", SHAPE) if is_new else result
    hands, journal = opened(result), result.path / "journal"
    if not is_new:
        journal.rename(result.path / "elsewhere")
    journal.write_text("in the way")
    with pytest.raises(ResultError, match=words):
        hands.apply(square(40, 50, 60, 60, ERASED), "eraser")
    check_on_disk(result, states()[0 if is_new else 1])
