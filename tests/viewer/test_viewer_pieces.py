"""Pieces of work take turns with the event loop, and newer ones replace older."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QObject

from napari_breastpath.viewer.pieces import Pieces


@pytest.fixture
def did() -> list[str]:
    return []


def pieces(did: list[str], names: str) -> list[Any]:
    return [lambda name=name: did.append(name) for name in names]


def test_pieces_run_later_in_order(qtbot: Any, did: list[str]) -> None:
    Pieces(owner := QObject()).run(*pieces(did, "abc"))
    assert did == []
    qtbot.waitUntil(lambda: did == ["a", "b", "c"])
    del owner


def test_newer_pieces_replace_those_that_wait(qtbot: Any, did: list[str]) -> None:
    work = Pieces(owner := QObject())
    work.run(lambda: work.run(*pieces(did, "new")), *pieces(did, "old"))
    qtbot.waitUntil(lambda: did == ["n", "e", "w"])
    work.run(*pieces(did, "late"))
    work.run(*pieces(did, "!"), at_once=True)
    assert did == ["n", "e", "w", "!"]
    qtbot.wait(20)
    assert did == ["n", "e", "w", "!"]
    del owner
