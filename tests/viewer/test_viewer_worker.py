"""Background work: what it says at the end, when it fails, and when it is stopped."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from napari_breastpath.core.errors import ModelError, UsageError
from napari_breastpath.core.progress import Progress
from napari_breastpath.viewer.libraries import avoid_second_llvm
from napari_breastpath.viewer.runner import CANCELLING, IDLE, RUNNING, Runner
from napari_breastpath.viewer.worker import Work


class Heard:
    """What a runner's handlers were called with, and whether in the main thread."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.failed: list[str] = []
        self.progress: list[Progress] = []
        self.threads: set[threading.Thread] = set()

    def on_done(self, value: Any) -> None:
        self.done.append(value)
        self.threads.add(threading.current_thread())

    def on_progress(self, progress: Progress) -> None:
        self.progress.append(progress)

    def start(self, function: Any) -> Runner:
        runner = Runner()
        runner.start("The test", function, self.on_done, self.failed.append, self.on_progress)
        return runner


def raise_(error: Exception) -> Any:
    raise error


def test_the_value_arrives_in_the_main_thread(qtbot: Any) -> None:
    heard = Heard()
    runner = heard.start(lambda work: 42)
    assert runner.state == RUNNING
    qtbot.waitUntil(lambda: bool(heard.done))
    assert (heard.done, heard.threads) == ([42], {threading.main_thread()})
    assert (runner.state, runner.task) == (IDLE, "")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ModelError("m", "is broken", "get another"), "m: is broken; get another"),
        (RuntimeError("CUDA out of\nmemory"), "Unexpected RuntimeError: CUDA out of memory; "),
    ],
)
def test_an_error_is_one_line_and_the_runner_is_free_again(
    qtbot: Any, error: Exception, line: str
) -> None:
    heard = Heard()
    runner = heard.start(lambda work: raise_(error))
    qtbot.waitUntil(lambda: bool(heard.failed))
    assert heard.failed[0].startswith(line)
    assert "\n" not in heard.failed[0]
    assert runner.idle


@pytest.mark.parametrize("driver", ["/usr/lib/libLLVM-15.so.1", "/usr/lib/libGLX_nvidia.so.0"])
def test_triton_stays_out_where_the_driver_has_an_llvm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "triton")
    (tmp_path / "maps").write_text(f"7f00-7f01 r-xp 0 08:01 1 {driver}\n")
    assert avoid_second_llvm(tmp_path / "maps") == ("LLVM" in driver)
    assert ("triton" in sys.modules) == ("LLVM" in driver)


def test_progress_is_thinned_but_its_end_is_not(qtbot: Any) -> None:
    heard = Heard()
    many = [Progress("inference", k, 1000) for k in range(1001)]
    heard.start(lambda work: [work.report(p) for p in many])
    qtbot.waitUntil(lambda: bool(heard.done))
    assert heard.progress[-1] == many[-1]
    assert len(heard.progress) < 50


def test_cancel_stops_work_and_a_second_start_is_refused(qtbot: Any) -> None:
    heard = Heard()
    runner = heard.start(lambda work: work.stop.wait(10))
    with pytest.raises(UsageError, match="the test is under way"):
        runner.start("Another", raise_, heard.on_done, heard.failed.append)
    runner.cancel()
    assert runner.state == CANCELLING
    qtbot.waitUntil(lambda: heard.done == [True])


def test_work_that_was_let_go_is_not_heard_any_more(qtbot: Any) -> None:
    heard, begun = Heard(), threading.Event()

    def function(work: Work) -> bool:
        begun.set()
        return work.stop.wait(10)

    runner = heard.start(function)
    assert begun.wait(5)
    assert runner.stop_and_let_go(5)
    qtbot.wait(50)
    assert runner.idle
    assert heard.done == []
