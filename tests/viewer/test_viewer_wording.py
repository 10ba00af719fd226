"""What is said on screen: figures with units, in a clinician's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from viewer_measured import measured_result

from napari_breastpath.core.progress import Progress
from napari_breastpath.report.wording import format_name
from napari_breastpath.sample import sample_slide_path
from napari_breastpath.slides import open_slide
from napari_breastpath.viewer import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (59, "59 s"), (60, "1 min 00 s"), (125, "2 min 05 s"), (4200, "1 h 10 min")],
)
def test_time_spans(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("tissue", 0, 1), "Finding tissue …"),
        (Progress("inference", 0, 1200), "Analysing: 0 of 1 200 tiles"),
        (
            Progress("inference", 200, 1200, 10.0),
            "Analysing: 200 of 1 200 tiles · 10.0 tiles/s · 1 min 40 s left",
        ),
    ],
)
def test_progress(progress: Progress, text: str) -> None:
    assert wording.progress_text(progress) == text


def test_the_home_folder_is_a_tilde(tmp_path: Path) -> None:
    assert wording.short_path(tmp_path / "results", home=tmp_path) == "~/results"
    assert wording.short_path(tmp_path, home=tmp_path / "home") == str(tmp_path)


def test_facts_of_a_slide() -> None:
    with open_slide(sample_slide_path()) as slide:
        facts = dict(wording.slide_facts(slide))
    assert facts["Size"] == "2.6 × 1.9 mm (5 120 × 3 840 px)"
    assert facts["Pixel size"] == "0.5 µm/px, from the slide's header"
    assert facts["Format"] == "TIFF"


@pytest.mark.parametrize(
    ("vendor", "name"),
    [("aperio", "Aperio SVS"), ("mirax", "3DHISTECH MRXS"), ("some-new-one", "some-new-one")],
)
def test_formats_have_names(vendor: str, name: str) -> None:
    assert format_name(vendor) == name


@pytest.mark.parametrize(
    ("specimen", "category"),
    [
        ("node", "Micrometastasis (200-cell rule not evaluated)"),
        ("unspecified", "for lymph nodes only"),
    ],
)
def test_headline_of_a_result(tmp_path: Path, specimen: str, category: str) -> None:
    with open_slide(sample_slide_path()) as slide:
        result = measured_result(tmp_path, slide, specimen)
    figures = dict(wording.headline(result.record))
    assert figures["Longest extent"] == "0.825 mm · Feret, region 1"
    assert figures["Tumour area"] == "0.200 mm²"
    assert figures["Category"] == category
    assert wording.warning_lines(result.record) == ["colours far from H&E"]


def test_a_predicted_axis_stands_beside_the_score() -> None:
    score = {"name": "metastasis_probability", "value": 0.91, "predicted_major_axis_mm": 2.5}
    text = wording.score_text({"model": score, "corrected": score})
    assert text == "0.910 · metastasis probability · predicted major axis 2.50 mm"
