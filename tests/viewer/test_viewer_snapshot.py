"""Pictures of the view: a true scale bar, a caption that fits, provenance inside the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QFont, QFontMetricsF
from viewer_measured import measured_result

from napari_breastpath.core.errors import ResultError, UsageError
from napari_breastpath.edits import Change
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import snapshot
from napari_breastpath.viewer.session import Session


@given(st.floats(50, 8000), st.floats(0.01, 500))
def test_the_bar_is_a_round_length_that_fits(width_px: float, pixel_um: float) -> None:
    um = snapshot.bar_um(width_px, pixel_um)
    first = f"{um:e}".split("e", maxsplit=1)[0]
    assert float(first) in (1, 2, 5)
    assert 0.39 * snapshot.BAR_SHARE * width_px < um / pixel_um <= snapshot.BAR_SHARE * width_px


@pytest.mark.parametrize(("um", "text"), [(0.5, "0.5 µm"), (200, "200 µm"), (2000, "2 mm")])
def test_the_bar_says_its_unit(um: float, text: str) -> None:
    assert snapshot.bar_text(um) == text


def test_long_lines_break_between_facts(qtbot: QtBot) -> None:
    metrics, line = QFontMetricsF(QFont()), "one fact · another fact · a third fact"
    assert snapshot.broken(line, metrics, 1e6) == [line]
    assert snapshot.broken(line, metrics, 1) == line.split(" · ")


def test_the_band_is_under_the_picture_and_its_bar_as_long_as_it_says(qtbot: QtBot) -> None:
    pixels = np.full((100, 600, 3), 128, np.uint8)
    image = snapshot.captioned(pixels, 2.0, ["a caption"])
    assert image.width() == 600
    assert image.height() > 100
    assert image.pixelColor(599, 99).red() == 128
    white = max(
        sum(image.pixelColor(x, y).red() == 255 for x in range(600))
        for y in range(100, image.height())
    )
    assert white == snapshot.bar_um(600, 2.0) / 2.0 == 100


def test_the_caption_tells_what_numbers_rest_on(qtbot: QtBot, tmp_path: Path) -> None:
    session = Session.of(viewer := ViewerModel())
    slide = open_slide(sample_slide_path(), mpp=(0.5, 0.25))
    session.open_result(measured_result(tmp_path, slide).path)
    lines = "\n".join(snapshot.caption(session, 1.0, "2026-11-21"))
    for fact in (
        "sample_slide.tif",
        "0.5 × 0.25 µm/px, given by the user",
        "10×",
        "painted 1",
        "threshold 0.5",
        "not edited",
        "longest extent 0.825 mm (automatic)",
        "Research use only",
    ):
        assert fact in lines
    session.corrections.reader = "A. Reader"
    everywhere = np.ones((4, 4), bool)
    session.corrections.apply(Change(0, 0, everywhere.astype(np.uint8), everywhere), "brush")
    assert "edited by A. Reader" in snapshot.hands(session)
    session.corrections.undo()
    assert snapshot.hands(session) == "not edited"
    facts = snapshot.provenance(session, "2026-11-21")
    assert facts["slide"]["fingerprint"] == session.slide.fingerprint
    assert facts["model"]["sha256"] == "0" * 64
    assert "card" not in facts["model"]
    assert len(viewer.layers)


def test_provenance_is_in_the_file(qtbot: QtBot, tmp_path: Path) -> None:
    image = snapshot.captioned(np.zeros((50, 301, 3), np.uint8), 1.0, ["x"])
    snapshot.write_png(tmp_path / "one.png", image, {"slide": "µ"})
    with Image.open(tmp_path / "one.png") as picture:
        assert json.loads(picture.text[snapshot.KEY]) == {"slide": "µ"}
        assert picture.size == (image.width(), image.height())
    with pytest.raises(ResultError, match="cannot be written"):
        snapshot.write_png(tmp_path / "missing" / "one.png", image, {})


def test_without_a_window_there_is_one_line(tmp_path: Path) -> None:
    viewer = ViewerModel()
    with pytest.raises(UsageError, match="there is no window; open the slide in napari"):
        snapshot.save_view(viewer, Session.of(viewer), tmp_path / "view.png")
