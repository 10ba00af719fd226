"""An analysis ends with a page that a person can read."""

from __future__ import annotations

from napari_breastpath.results import Result
from napari_breastpath.results.folder import REPORT


def test_an_analysis_ends_with_its_report(whole: Result) -> None:
    page = (whole.path / REPORT).read_text(encoding="utf-8")
    assert f"{whole.record['regions']['longest_feret_mm']:.3f} mm" in page
    assert whole.record["timing_s"]["report"] < 10
