"""What hands measured and signed goes into the record and into every export, marked manual."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from exchange_results import make_result

from napari_breastpath.analyses import measure_result
from napari_breastpath.analyses.by_hand import is_behind, record_hands
from napari_breastpath.cli.terminal import by_hand
from napari_breastpath.core.errors import ResultError
from napari_breastpath.edits import Change, Corrections
from napari_breastpath.exchange.export import export_result
from napari_breastpath.results import Result, load_result

EXTENT = {"x1": 10.0, "y1": 20.0, "x2": 610.0, "y2": 820.0, "length_mm": 0.5}
SQUARE = [[0, 0], [400, 0], [400, 200], [0, 200]]


@pytest.fixture
def result(tmp_path: Path) -> Result:
    return make_result(tmp_path / "a.tumour.breastpath")


def test_the_record_names_the_manual_beside_the_automatic_extent(result: Result) -> None:
    automatic = dict(result.record["regions"])
    hands = Corrections.open(result, "A. Reader")
    hands.note("extent", EXTENT)
    regions = record_hands(load_result(result.path)).record["regions"]
    assert {k: regions[k] for k in automatic} == automatic
    assert (regions["manual_longest_feret_mm"], regions["manual_category"]) == (0.5, "micro")
    assert regions["manual_reader"] == "A. Reader"
    assert measure_result(load_result(result.path)).record["regions"] == regions
    hands.note("extent_reset")
    assert record_hands(load_result(result.path)).record["regions"] == automatic


def test_the_review_is_in_the_record_and_takes_an_old_report_away(result: Result) -> None:
    (result.path / "report.html").write_text("old")
    Corrections.open(result, "A. Reader").note("review")
    record = record_hands(load_result(result.path)).record
    assert record["reviewed"]["reader"] == "A. Reader"
    assert not (result.path / "report.html").exists()


@pytest.mark.parametrize("otherwise", [{"threshold": 0.4}, {"specimen": "primary"}])
def test_a_reviewed_result_is_not_measured_otherwise(result: Result, otherwise: dict) -> None:
    hands = Corrections.open(result, "A. Reader")
    hands.note("review")
    before = (result.path / "result.json").read_bytes()
    with pytest.raises(ResultError, match=r"was reviewed by A\. Reader on .*; reopen it"):
        measure_result(load_result(result.path), **otherwise)
    assert (result.path / "result.json").read_bytes() == before
    assert measure_result(load_result(result.path)).record["reviewed"]
    hands.note("reopen")
    measure_result(load_result(result.path), **otherwise)


def test_a_terminal_names_the_manual_extent(result: Result) -> None:
    assert by_hand(result.record["regions"]) == []
    Corrections.open(result, "A. Reader").note("extent", EXTENT)
    (line,) = by_hand(record_hands(load_result(result.path)).record["regions"])
    assert line.startswith("by hand        0.50 mm, micro (A. Reader, 20")


def test_edits_after_measuring_are_noticed(result: Result) -> None:
    hands = Corrections.open(result)
    assert not is_behind(result, hands.log)
    where = np.ones((20, 20), bool)
    hands.apply(Change(40, 40, where.astype(np.uint8), where), "brush")
    assert is_behind(load_result(result.path), hands.log)
    hands.undo()
    assert is_behind(load_result(result.path), hands.log)
    assert not is_behind(measure_result(load_result(result.path)), hands.log)


def test_lines_and_areas_are_annotations_marked_manual(result: Result, tmp_path: Path) -> None:
    hands = Corrections.open(result, "A. Reader")
    hands.note("extent", EXTENT)
    hands.note("ruler", {"points": [[0, 0], [300, 400]]})
    hands.note("area", {"points": SQUARE})
    export_result(load_result(result.path), "geojson", out := tmp_path / "a.geojson")
    features = json.loads(out.read_text())["features"]
    manual = [f for f in features if f["properties"]["metadata"].get("measured") == "manual"]
    assert len(features) == len(result.regions) + 3
    assert [f["geometry"]["type"] for f in manual] == ["LineString", "LineString", "Polygon"]
    extent, ruler, area = (f["properties"]["measurements"] for f in manual)
    assert extent["Length mm"] == pytest.approx(0.5)  # 600 × 800 px at 0.5 µm/px
    assert ruler["Length mm"] == pytest.approx(0.25)
    assert area["Area mm^2"] == pytest.approx(0.02)
    assert area["Perimeter mm"] == pytest.approx(0.6)


def test_every_row_of_the_table_can_be_defended(result: Result, tmp_path: Path) -> None:
    result.save(software={"python": "3.11", "numpy": "2.1"})
    hands = Corrections.open(result, "A. Reader")
    hands.note("extent", EXTENT)
    hands.note("review")
    record_hands(signed := load_result(result.path))
    export_result(signed, "csv", out := tmp_path / "a.csv")
    row = pd.read_csv(out).iloc[0]
    assert (row["edited"], row["reviewed_by"]) == ("no", "A. Reader")
    assert row["manual_longest_feret_mm"] == 0.5
    assert row["software"] == "python 3.11, numpy 2.1"
