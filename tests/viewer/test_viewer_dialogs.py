"""The questions and pictures that come up: pixel size, label and macro image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QLabel

from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import identity, opening
from napari_breastpath.viewer.pixel_size_dialog import (
    PixelSizeDialog,
    extent_text,
    parse_pixel_size,
)
from napari_breastpath.viewer.session import Session


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A photograph of 96 × 64 pixels without a pixel size."""
    path = tmp_path / "photograph.tif"
    tifffile.imwrite(path, np.full((64, 96, 3), 200, np.uint8), photometric="rgb")
    return path


@pytest.mark.parametrize(
    ("text", "mpp"),
    [
        ("0.25", (0.25, 0.25)),
        (" 0,25 ", (0.25, 0.25)),
        ("0.25 0.26", (0.25, 0.26)),
        ("0.25, 0.26", (0.25, 0.26)),
        ("0,25; 0,26", (0.25, 0.26)),
        ("0.25 × 0.26", (0.25, 0.26)),
        ("", None),
        ("forty", None),
        ("0", None),
        ("-0.25", None),
        ("nan", None),
        ("1e9", None),
        ("1 2 3", None),
    ],
)
def test_pixel_sizes_as_people_type_them(text: str, mpp: tuple[float, float] | None) -> None:
    assert parse_pixel_size(text) == mpp


def test_the_size_that_follows_can_be_checked_against_the_glass() -> None:
    assert extent_text(46000, 32914, (0.5, 0.25)) == "46 000 × 32 914 px = 23.0 × 8.2 mm"
    assert extent_text(46000, 32914, None) == "46 000 × 32 914 px"


def test_ok_waits_for_a_pixel_size_and_an_objective_gives_one(qtbot: QtBot, plain: Path) -> None:
    dialog = PixelSizeDialog(plain, "its header gives no pixel size")
    qtbot.addWidget(dialog)
    ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    assert not ok.isEnabled()
    dialog.objective.setCurrentIndex(dialog.objective.findData(40))
    assert (dialog.mpp, ok.isEnabled()) == ((0.25, 0.25), True)
    dialog.value.setText("0.25 x")
    assert not ok.isEnabled()


def answer_pixel_size(text: str | None) -> None:
    """Type into the dialog that is about to open; None cancels it."""
    dialog = next(w for w in QApplication.topLevelWidgets() if isinstance(w, PixelSizeDialog))
    if text is None:
        dialog.reject()
        return
    dialog.value.setText(text)
    dialog.accept()


@pytest.mark.parametrize(("text", "opened"), [("0.5 0.25", True), (None, False)])
def test_opening_a_slide_without_pixel_size_asks_for_it(
    qtbot: QtBot, plain: Path, text: str | None, opened: bool
) -> None:
    viewer = ViewerModel()
    QTimer.singleShot(200, lambda: answer_pixel_size(text))
    assert opening.open_path(viewer, plain) is opened
    layer = Session.of(viewer).slide_layer
    assert (layer is not None) is opened
    if layer is not None:
        assert tuple(layer.scale) == (0.25, 0.5)
        assert layer.metadata["mpp_source"] == "user"


def test_what_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    said: list[str] = []
    for name in ("missing.svs", "missing.breastpath"):
        assert not opening.open_path(ViewerModel(), tmp_path / name, said.append)
    assert [line.count("\n") for line in said] == [0, 0]


def test_label_and_macro_image_are_shown(qtbot: QtBot, shared_data: Path) -> None:
    slide = open_slide(shared_data / "slides" / "CMU-1-Small-Region.svs")
    dialog = identity.IdentityDialog(slide)
    qtbot.addWidget(dialog)
    pictures = [label.pixmap() for label in dialog.findChildren(QLabel) if label.pixmap()]
    shown = [picture for picture in pictures if not picture.isNull()]
    assert [name for name, _ in identity.identity_images(slide)] == ["label", "macro"]
    assert len(shown) == 2


def test_pictures_keep_their_colours_and_shape(qtbot: QtBot) -> None:
    rgb = np.zeros((30, 51, 3), np.uint8)
    rgb[..., 0] = 250
    picture = identity.pixmap(rgb)
    assert (picture.width(), picture.height()) == (51, 30)
    assert picture.toImage().pixelColor(50, 29).getRgb() == (250, 0, 0, 255)
    assert identity.pixmap(np.zeros((2000, 1000, 3), np.uint8)).height() == identity.LARGEST_PX
