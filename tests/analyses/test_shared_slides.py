"""What becomes of every file under ../shared/data/slides, from the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from skimage.draw import polygon2mask

from napari_breastpath import load_result
from napari_breastpath.cli import main

COMPLETE, EMPTY = "complete", "no tissue found"


@dataclass(frozen=True)
class Case:
    """One file: what analysing it gives, as it is and with a pixel size."""

    name: str
    plain: str
    mpp: str = ""
    with_mpp: str = ""

    @property
    def id(self) -> str:
        return self.name.replace("/", "-")


NO_MPP = "gives no pixel size; give it with --mpp"
CASES = [
    Case("CMU-1-Small-Region.svs", COMPLETE),
    Case("CMU-1-Small-Region-dicom", COMPLETE),
    Case("CMU-1-Small-Region.ome.zarr", COMPLETE),
    Case("tcga-frozen-no-mpp.svs", NO_MPP, "0.5", COMPLETE),
    Case("breast/her2st-B4.ome.tif", COMPLETE),
    Case("breast/her2st-C2-0.686um.jpg", NO_MPP, "0.686", COMPLETE),
    Case("tiny/boxes.png", NO_MPP, "0.5", COMPLETE),
    Case("tiny/boxes.tiff", NO_MPP, "0.5", COMPLETE),
    Case("tiny/boxes_0.dcm", EMPTY),
    Case("tiny/boxes_1.dcm", EMPTY),
    Case("broken/broken.svs", "no image format that is read"),
    Case("broken/unopenable.tiff", "cannot be shown as a slide"),
    Case("broken/unreadable.svs", "cannot be decoded"),
]


def check(outcome: str, code: int, out: str, err: str) -> None:
    """Compare one run with what is expected of it."""
    line = json.loads(out)
    if outcome in (COMPLETE, EMPTY):
        assert code == 0, err
        assert line["status"] == "complete"
        assert (outcome == EMPTY) == (EMPTY in line["warnings"])
        assert line["unread_tissue_fraction"] == 0
    else:
        assert code == 1
        assert line["status"] == "failed"
        assert outcome in line["error"]
        assert sum(outcome in text for text in err.splitlines()) == 1
        assert "Traceback" not in err


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_file_ends_as_expected(
    case: Case, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slide = shared_data / "slides" / case.name
    words = ["analyze", str(slide), "--out", str(tmp_path), "--json"]
    check(case.plain, main(words), *capsys.readouterr())
    if case.mpp:
        check(case.with_mpp, main([*words, "--mpp", case.mpp]), *capsys.readouterr())


def test_the_table_names_every_file(shared_data: Path) -> None:
    slides = shared_data / "slides"
    named = {slides / case.name for case in CASES}
    series = {p for p in named if p.is_dir()}
    for path in slides.rglob("*"):
        if path.is_file() and not series & {*path.parents}:
            assert path in named


def test_a_region_read_back_lies_on_the_pixels_it_was_found_on(
    shared_data: Path, tmp_path: Path
) -> None:
    slide = shared_data / "slides" / "CMU-1-Small-Region.svs"
    assert main(["analyze", str(slide), "--out", str(tmp_path), "--threshold", "0.2"]) == 0
    result = load_result(next(tmp_path.glob("*.breastpath")))
    mask = np.asarray(result.map.label("mask").levels[0][:]) > 0
    features = json.loads((result.path / "regions.geojson").read_text())["features"]
    again = np.zeros_like(mask)
    for feature in features:
        geometry = feature["geometry"]
        parts = geometry["coordinates"]
        for exterior, *holes in [parts] if geometry["type"] == "Polygon" else parts:
            again |= filled(exterior, result.lattice)
            for hole in holes:
                again &= ~filled(hole, result.lattice)
    np.testing.assert_array_equal(again, mask)


def filled(ring: list[list[float]], lattice: object) -> np.ndarray:
    """Return the map pixels whose centres a ring in level-0 pixels encloses."""
    corners = np.asarray(ring) / (lattice.step_x, lattice.step_y)
    return polygon2mask(lattice.shape, corners[:, ::-1] - 0.5)
