"""What deleting a region would change, against deleting it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_breastpath.measure import find_regions, merge_regions, summarise
from napari_breastpath.measure.effects import (
    EFFECT_COLUMNS,
    category_doubts,
    category_if_longer,
    effects_of_deleting,
    limit_near,
)

TUMOUR = {"tumour": "tumour"}
TWO = {"invasive": "invasive", "in situ": "in_situ"}
PX = 20.0  # µm


def drawn(*lengths_px, **options):
    """Return the table of bars of so many pixels, 4 high."""
    mask = np.zeros((10 * len(lengths_px) + 2, max(lengths_px) + 4), bool)
    for k, length in enumerate(lengths_px):
        mask[10 * k + 2 : 10 * k + 6, 2 : 2 + length] = True
    heat = np.full(mask.shape, 250, np.uint8)
    heat[-10:] = 140  # the last one is faint
    return find_regions(mask, PX, heat, specimen="node", **options).table


def test_the_region_that_decides_comes_first_with_the_reason_in_words():
    found = effects_of_deleting(drawn(120, 40, 9), "node", TUMOUR, 0.5)
    assert list(found.columns) == list(EFFECT_COLUMNS)
    assert found["region_id"].tolist() == [1, 3, 2]
    first, faint, plain = found["why"]
    assert "without it micro instead of macro" in first
    assert "2.4 mm longest extent would become 0.8 mm" in first
    assert "faint: highest probability 0.55" in faint
    assert "near the 0.2 mm limit" in faint
    assert plain == "0.064 mm², 24% of the tumour area"


def test_areas_of_a_few_pixels_are_in_square_micrometres():
    table = drawn(120, 40, 9)
    table.loc[table["region_id"] == 3, "area_mm2"] = 2.8e-5
    found = effects_of_deleting(table, "node", TUMOUR, 0.5).set_index("region_id")
    assert found["why"][3].endswith("28 µm², less than 1% of the tumour area")


@pytest.mark.parametrize(
    ("length", "limit"), [(0.19, 0.2), (0.2, 0.2), (2.1, 2.0), (1.85, 2.0), (0.25, None), (1, None)]
)
def test_lengths_within_a_tenth_of_a_limit_are_near_it(length, limit):
    assert limit_near(length) == limit


@settings(deadline=None, max_examples=50)
@given(arrays(bool, st.just((24, 60))), st.sampled_from(["node", "primary", "unspecified"]))
def test_effects_equal_summarising_without_each_region(mask, specimen):
    mask[12] = False
    halves = mask.copy(), mask.copy()
    halves[0][:12], halves[1][12:] = False, False
    parts = zip(TWO, halves, strict=True)
    table = merge_regions(find_regions(half, PX, class_name=name) for name, half in parts).table
    whole = summarise(table, specimen, TWO)
    found = effects_of_deleting(table, specimen, TWO).set_index("region_id")
    assert sorted(found.index) == table["region_id"].tolist()
    for row in table.index:
        after = summarise(table.drop(index=row), specimen, TWO)
        fate = found.loc[table["region_id"][row]]
        assert fate["longest_after_mm"] == after["longest_feret_mm"]
        assert fate["category_after"] == (after["category"] or "")
        area = after["total_area_mm2"] - whole["total_area_mm2"]
        assert fate["area_change_mm2"] == pytest.approx(area, abs=1e-12)
    order = found[["changes_category", "changes_longest"]].to_numpy() @ [2, 1]
    assert (np.diff(order) <= 0).all()


def test_no_regions_have_no_effects():
    table = find_regions(np.zeros((5, 5), bool), PX).table
    assert effects_of_deleting(table, "node", TUMOUR, 0.5).empty
    assert category_if_longer(table, TUMOUR, 1.0) == "negative"


def test_a_category_is_named_not_firm_with_what_would_change_it():
    table = drawn(100, 30)  # 100 × 4 px of 20 µm: 2.0016 mm
    shorter = category_if_longer(table, TUMOUR, -PX / 1e3)
    assert (summarise(table, "node", TUMOUR)["category"], shorter) == ("macro", "micro")
    line = category_doubts("macro", {"at threshold 0.3": "macro", "one pixel shorter": shorter})
    assert line == "Category macro is not firm: micro one pixel shorter"
    assert category_doubts("macro", {"at threshold 0.3": "macro"}) == ""
