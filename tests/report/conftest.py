"""One drawn slide and one result of it, for all tests that only read."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_results import Focus, make_result, write_slide

from napari_breastpath.results import Result


@pytest.fixture(scope="session")
def slide_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slide(tmp_path_factory.mktemp("slides") / "drawn.tif")


@pytest.fixture(scope="session")
def node(slide_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Two foci inside the slide, the longer 0.5 mm wide and 0.2 mm high."""
    foci = (Focus(400, 300, 500, 200), Focus(1100, 800, 60, 60, 1.0))
    return make_result(tmp_path_factory.mktemp("node"), slide_path, foci)
