"""Small synthetic slides, drawn once, and what is read off results."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_breastpath import analyze
from napari_breastpath.results import Result
from synthetic_slide import SyntheticSlide, write_slide


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide of 1.3 × 1.0 mm with tumour nests."""
    path = tmp_path_factory.mktemp("drawn") / "drawn.tif"
    write_slide(SyntheticSlide(seed=11, width=2600, height=2000), path)
    return path


@pytest.fixture(scope="session")
def whole(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """An unbroken run."""
    return analyze(drawn, tmp_path_factory.mktemp("whole"), specimen="node")
