"""What a report finds out: how firm a category is, where to look, what is drawn where."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_results import TWO, Focus, make_result

from napari_breastpath.analyses.measuring import measure_result
from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.report.certainty import category_variants, changed
from napari_breastpath.report.fields import FIELD_UM, likeliest_fields
from napari_breastpath.report.overview import (
    VIEW,
    caliper_of,
    frame_of,
    make_overview,
    path_data,
    scale_bar,
    slide_frame,
)
from napari_breastpath.report.pictures import heat_colours, over_grey
from napari_breastpath.report.remarks import WARNING, remarks
from napari_breastpath.report.tables import model_rows
from napari_breastpath.report.wording import area_mm2, counted, length_mm
from napari_breastpath.results import Result
from napari_breastpath.results.maps import ERASED


@pytest.mark.parametrize(
    ("focus", "category", "others"),
    [
        pytest.param(Focus(400, 300, 500, 200), "micro", {}, id="firm"),
        pytest.param(Focus(400, 300, 198, 20), "ITC", {"length +": "micro"}, id="length"),
        pytest.param(Focus(400, 300, 200, 20), "micro", {"length −": "ITC"}, id="length-over"),
        pytest.param(
            Focus(400, 300, 500, 200, 0.6), "micro", {"threshold 0.7": "negative"}, id="weak"
        ),
        pytest.param(
            Focus(400, 300, 500, 200, 0.4), "negative", {"threshold 0.3": "micro"}, id="missed"
        ),
        pytest.param(Focus(400, 300, 10, 10, 0.9), "negative", {}, id="below-cell-size"),
    ],
)
def test_near_a_category_limit(
    tmp_path: Path, slide_path: Path, focus: Focus, category: str, others: dict[str, str]
) -> None:
    result = make_result(tmp_path, slide_path, (focus,))
    assert result.record["regions"]["category"] == category
    found = changed(category_variants(result), category)
    assert len(found) == len(others)
    for variant, (change, other) in zip(found, others.items(), strict=True):
        assert variant.change.startswith(change)
        assert variant.category == other


def test_variants_are_kept_until_it_is_measured_again(tmp_path: Path, slide_path: Path) -> None:
    result = make_result(tmp_path, slide_path, (Focus(400, 300, 500, 200, 0.6),))
    before = category_variants(result)
    assert category_variants(Result.load(result.path)) == before
    measure_result(result, threshold=0.4)
    assert "category_variants" not in result.record["regions"]
    result.map.label("edits").write(100, 100, np.full((300, 600), ERASED, np.uint8))
    measure_result(result)
    assert {variant.category for variant in category_variants(result)} == {"negative"}


def test_thresholds_are_not_varied_for_several_classes(tmp_path: Path, slide_path: Path) -> None:
    result = make_result(tmp_path, slide_path, (Focus(400, 300, 500, 200),), classes=TWO)
    assert all(v.change.startswith("length") for v in category_variants(result))


def test_no_category_no_variants(tmp_path: Path, slide_path: Path) -> None:
    result = make_result(tmp_path, slide_path, (Focus(400, 300, 500, 200),), specimen="primary")
    assert category_variants(result) == ()


def test_a_small_hot_focus_comes_before_a_large_tepid_one(tmp_path: Path, slide_path: Path) -> None:
    foci = (Focus(100, 100, 800, 600, 0.7), Focus(1400, 1000, 40, 40, 1.0))
    fields = likeliest_fields(make_result(tmp_path, slide_path, foci))
    first = fields[0]
    assert first.box.x <= 1400
    assert first.box.right >= 1440
    assert first.box.bottom <= 1200
    assert first.max_probability == 1.0
    assert fields[1].mean_probability == pytest.approx(0.7, abs=0.01)


def test_fields_lie_apart_inside_the_slide_and_off_erased_places(
    tmp_path: Path, slide_path: Path
) -> None:
    result = make_result(tmp_path, slide_path, (Focus(400, 300, 500, 200),))
    result.map.label("edits").write(140, 190, np.full((120, 270), ERASED, np.uint8))
    fields = likeliest_fields(result, 20)
    assert 3 < len(fields) < 17
    for k, field in enumerate(fields):
        assert field.number == k + 1
        assert (field.box.width, field.box.height) == FIELD_UM  # 1 µm/px
        assert min(field.box.x, field.box.y) >= 0
        assert field.box.right <= 1600
        assert field.box.bottom <= 1200
        assert field.max_probability < 0.2
    centres = {(f.box.x, f.box.y) for f in fields}
    assert len(centres) == len(fields)


def test_an_empty_map_has_no_fields(tmp_path: Path, slide_path: Path) -> None:
    result = make_result(tmp_path, slide_path)
    result.map.probability.write(0, 0, np.zeros((1, *result.lattice.shape), np.uint8))
    assert likeliest_fields(result) == []


def test_the_caliper_lies_on_the_longest_region(node: Result) -> None:
    frame, row = slide_frame(node), node.regions.iloc[0]
    caliper = caliper_of(node, frame)
    assert caliper is not None
    line = caliper.lines[0]
    drawn = math.hypot(line.x2 - line.x1, line.y2 - line.y1) * frame.unit_um / 1000
    assert drawn == pytest.approx(row["feret_max_mm"], rel=1e-6)
    assert line.x1 * frame.unit_um == pytest.approx(row["feret_x1"])  # 1 µm/px
    assert caliper.text == length_mm(row["feret_max_mm"])
    assert 0 < caliper.x < frame.width
    assert 0 < caliper.y < frame.height


def test_cut_off_regions_are_lower_bounds(tmp_path: Path, slide_path: Path) -> None:
    result = make_result(tmp_path, slide_path, (Focus(0, 300, 500, 200),))
    caliper = caliper_of(result, slide_frame(result))
    assert caliper is not None
    assert caliper.text.startswith("≥ ")
    assert any("lower bounds" in r.text and r.kind == WARNING for r in remarks(result, ()))


def test_outlines_lie_on_the_regions(node: Result) -> None:
    overview = make_overview(node, "no slide", [])
    unit = overview.frame.unit_um
    assert overview.picture is None
    path = overview.regions[0].path
    columns = {float(x) * unit for x in re.findall(r"[MH]([\d.]+)", path)}
    rows = {float(y) * unit for y in re.findall(r"(?:V|M[\d.]+ )([\d.]+)", path)}
    assert sorted(columns) == pytest.approx([400, 900, 1100, 1160], abs=unit)
    assert sorted(rows) == pytest.approx([300, 500, 800, 860], abs=unit)
    assert overview.regions[0].path.count("M") == len(node.regions)


@given(st.floats(0.01, 200), st.floats(0.05, 1))
def test_the_scale_bar_is_round_and_fits(width_mm: float, aspect: float) -> None:
    frame = frame_of(width_mm * 1000, width_mm * 1000 * aspect, PixelSize(0.5, 0.5))
    bar = scale_bar(frame)
    assert 0.08 < bar.length / frame.width <= 0.2201
    value, unit = bar.text.split()
    stated_um = float(value) * (1000 if unit == "mm" else 1)
    assert stated_um == pytest.approx(bar.length * frame.unit_um, rel=1e-6)
    assert f"{stated_um:e}"[0] in "125"


def test_pixels_that_are_not_square_are_drawn_true() -> None:
    frame = frame_of(1000, 2000, PixelSize(0.5, 1.0))
    assert (frame.width, frame.height) == (VIEW / 2, VIEW)
    assert frame.y == pytest.approx(2 * frame.x)


def test_path_data_keeps_every_corner() -> None:
    ring = np.array([[0, 0], [4, 0], [4, 2.5], [0, 2.5], [0, 0]], float)
    assert path_data([ring]) == "M0.0 0.0H4.0V2.5H0.0Z"


def test_likelier_is_darker_also_without_colour() -> None:
    grey = heat_colours(np.linspace(0, 1, 21)) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(grey) < 0).all()


def test_nothing_is_laid_where_nothing_was_inferred() -> None:
    pixels = np.full((2, 2, 3), 200, np.uint8)
    laid = over_grey(pixels, np.array([[0, 0], [0, 255]], np.uint8))
    assert len(np.unique(laid[0, 0])) == 1
    assert len(np.unique(laid[1, 1])) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.0425, "0.043 mm"),
        (1.169, "1.17 mm"),
        (2.0004, "2.0004 mm"),
        (1.9997, "1.9997 mm"),
        (2.0, "2.00 mm"),
        (0.2001, "0.2001 mm"),
    ],
)
def test_lengths_never_round_onto_a_limit(value: float | None, text: str) -> None:
    assert length_mm(value) == text


def test_areas_and_counts() -> None:
    assert area_mm2(0.00052) == "520 µm²"
    assert area_mm2(0.1) == "0.100 mm²"
    assert counted(1, "region") == "1 region"
    assert counted(1204, "region") == "1\u00a0204 regions"


@pytest.mark.parametrize(
    ("origin", "said"), [("WSInfer zoo", "not run by us: WSInfer zoo"), ("", None)]
)
def test_a_foreign_model_is_said_to_be_none_of_ours(
    node: Result, origin: str, said: str | None
) -> None:
    model = node.record["model"]
    other = Result(node.path, node.record | {"model": model | {"card": {"origin": origin}}})
    assert dict(model_rows(other)).get("Origin") == said
