"""The page names both extents, automatic and manual, and who signed."""

from __future__ import annotations

from pathlib import Path

from report_results import Focus, body_of, make_result

from napari_breastpath.analyses.by_hand import record_hands
from napari_breastpath.edits import Corrections
from napari_breastpath.report.single import report_html
from napari_breastpath.results import load_result

EXTENT = {"x1": 0.0, "y1": 0.0, "x2": 3000.0, "y2": 4000.0, "length_mm": 2.5}


def test_both_extents_and_the_review_are_named(slide_path: Path, tmp_path: Path) -> None:
    result = make_result(tmp_path, slide_path, (Focus(400, 300, 500, 200),))
    assert "manual" not in body_of(report_html(result))
    hands = Corrections.open(result, "A. Reader")
    day = hands.note("extent", EXTENT).time[:10]
    hands.note("review")
    body = body_of(report_html(record_hands(load_result(result.path))))
    assert f"2.50 mm by A. Reader on {day}, macrometastasis" in body
    assert "region 1 automatic" in body
    assert f"Reviewed by A. Reader on {day}" in body
