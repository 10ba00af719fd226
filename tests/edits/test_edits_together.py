"""Several threads and programs at one result: nothing is lost, no number given twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
from edits_results import check_on_disk, make_result, opened, square, stored

from napari_breastpath.edits import rewrite_mask

SHAPE, COUNT = (300, 290), 6

OTHER = """
import sys
from edits_results import square
from napari_breastpath.edits import Corrections
from napari_breastpath.results import Result
row = int(sys.argv[2])
hands = Corrections.open(Result.load(sys.argv[1]), f"reader {row}")
for k in range(int(sys.argv[3])):
    hands.apply(square(row, 40 * k, 30, 30, 1), "brush")
"""


def painted(rows: tuple[int, ...]) -> np.ndarray:
    edits = np.zeros(SHAPE, np.uint8)
    for row in rows:
        for k in range(COUNT):
            edits[row : row + 30, 40 * k : 40 * k + 30] = 1
    return edits


def test_programs_take_turns(tmp_path: Path) -> None:
    result = make_result(tmp_path / "r", SHAPE)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    rows = (0, 20, 200)
    command = [sys.executable, "-c", OTHER, str(result.path)]
    others = [subprocess.Popen([*command, str(row), str(COUNT)], env=environment) for row in rows]
    assert [other.wait(120) for other in others] == [0, 0, 0]
    log = opened(result).log
    assert [entry.number for entry in log] == list(range(1, 3 * COUNT + 1))
    for row in rows:
        assert sum(entry.reader == f"reader {row}" for entry in log) == COUNT
    check_on_disk(result, painted(rows))


def test_the_mask_is_written_anew_while_hands_go_on(tmp_path: Path) -> None:
    result = make_result(tmp_path / "r", SHAPE)
    hands = opened(result)
    hands.threshold = 0.7

    def brush(row: int) -> None:
        for k in range(COUNT):
            hands.apply(square(row, 40 * k, 30, 30, 1), "brush")

    threads = [threading.Thread(target=brush, args=(row,)) for row in (0, 100)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        rewrite_mask(result, 0.7)
    check_on_disk(result, painted((0, 100)), 0.7)
    for _ in range(2 * COUNT):
        assert hands.undo() is not None
    assert not stored(result, "edits").any()
