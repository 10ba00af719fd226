"""Results drawn once for all tests of the exporters; nobody writes to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from exchange_results import THREE, make_result, paint

from napari_breastpath.results import Result


@pytest.fixture(scope="session")
def one(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One class, hands have painted."""
    return paint(make_result(tmp_path_factory.mktemp("one") / "one.breastpath"), 1)


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Background and two classes that share edges; counted from within a scan."""
    folder = tmp_path_factory.mktemp("three") / "three.breastpath"
    return make_result(folder, THREE, bounds_offset=(3000.0, 512.5))


@pytest.fixture(params=["one", "three"])
def result(request: pytest.FixtureRequest) -> Result:
    """Each of them."""
    found: Result = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that holds nothing but what is exported."""
    return tmp_path
