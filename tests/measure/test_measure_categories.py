"""Nodal categories at their boundaries, and the figures of a slide."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_breastpath.measure import (
    CELL_RULE_NOTE,
    find_regions,
    measure_regions,
    merge_regions,
    nodal_category,
    summarise,
)


@pytest.mark.parametrize(
    ("length_mm", "category"),
    [
        (0, "negative"),
        (0.001, "ITC"),
        (0.2, "ITC"),
        (0.2000001, "micro"),
        (2.0, "micro"),
        (2.0000001, "macro"),
        (40, "macro"),
    ],
)
def test_the_boundary_belongs_to_the_lower_category(length_mm, category):
    assert nodal_category(length_mm) == category


def test_a_feret_of_exactly_the_bound_stays_below_it():
    # 3-4-5 triangles: 40 × 30 pixels of 4 µm span 200 µm, 400 × 300 span 2 mm.
    for factor, category in ((1, "ITC"), (10, "micro")):
        mask = np.ones((30 * factor, 40 * factor), bool)
        assert measure_regions(mask, 4.0, specimen="node")["category"].tolist() == [category]


def lines(*lengths_px, shape=(40, 1300), thick=4):
    mask = np.zeros(shape, bool)
    for k, length in enumerate(lengths_px):
        mask[8 * k + 1 : 8 * k + 1 + thick, 1 : 1 + length] = True
    return mask


def test_the_longest_focus_sets_the_category_and_foci_are_not_added():
    summary = summarise(measure_regions(lines(900, 700, 600), 1.0, specimen="node"), "node")
    assert summary["count"] == 3
    assert summary["longest_feret_region"] == 1
    assert summary["longest_feret_mm"] == pytest.approx(np.hypot(900, 4) / 1000)
    assert summary["total_area_mm2"] == pytest.approx(2200 * 4 / 1e6)
    assert (summary["category"], summary["note"]) == ("micro", CELL_RULE_NOTE)
    assert json.loads(json.dumps(summary)) == summary


@pytest.mark.parametrize(
    ("lengths_px", "thick", "category"),
    [((), 4, "negative"), ((10,), 4, "negative"), ((250,), 1, "negative"), ((75,), 4, "ITC")],
)
def test_less_than_a_cell_sets_no_category(lengths_px, thick, category):
    table = measure_regions(lines(*lengths_px, thick=thick), 1.0)
    summary = summarise(table, "node")
    assert summary["category"] == category
    assert summary["count"] == len(lengths_px)


def test_a_thin_line_longer_than_the_longest_focus_leaves_the_category_to_it():
    mask = lines(100)
    mask[20, 1:291] = True  # 290 µm², 290 µm long
    summary = summarise(measure_regions(mask, 1.0), "node")
    assert (summary["longest_feret_region"], summary["category"]) == (1, "ITC")


@pytest.mark.parametrize("specimen", ["primary", "unspecified"])
def test_only_a_node_has_a_category(specimen):
    assert summarise(measure_regions(lines(900), 1.0), specimen)["category"] is None


def test_the_slides_major_axis_is_the_longest_moment_axis_of_any_region():
    mask = np.zeros((700, 700), bool)
    mask[100:600, 100] = mask[100:600, 600] = mask[100, 100:601] = mask[600, 100:601] = True
    mask[5, :690] = True
    table = measure_regions(mask, 1.0)
    summary = summarise(table)
    assert summary["longest_feret_region"] == 1
    assert summary["slide_major_axis_mm"] == table["major_axis_mm"].max()
    assert table["major_axis_mm"].idxmax() == 0
    frame = summarise(table[table["region_id"] == 2])
    assert frame["longest_feret_region"] == 2


ROLES = {"glass": "background", "inv": "invasive", "dcis": "in_situ", "any": "tumour"}


def test_a_primary_is_as_long_as_its_invasive_part():
    rows = {"inv": 300, "dcis": 1200, "any": 500}
    parts = []
    for k, (name, length) in enumerate(rows.items()):
        mask = np.zeros((40, 1300), bool)
        mask[8 * k + 1 : 8 * k + 5, :length] = True
        parts.append(find_regions(mask, 1.0, class_name=name))
    table = merge_regions(parts).table
    primary, whole = summarise(table, "primary", ROLES), summarise(table, "unspecified", ROLES)
    assert primary["longest_feret_mm"] == pytest.approx(np.hypot(300, 4) / 1000)
    assert table.set_index("region_id")["class"][primary["longest_feret_region"]] == "inv"
    assert whole["longest_feret_mm"] == pytest.approx(np.hypot(500, 4) / 1000)
    assert primary["count"] == whole["count"] == 2
    assert primary["areas_mm2"] == pytest.approx({"inv": 0.0012, "dcis": 0.0048, "any": 0.002})
    assert not primary["note"]
    assert "in situ" in summarise(table, "primary", {"any": "tumour"})["note"]


def test_the_summary_of_nothing():
    summary = summarise(measure_regions(np.zeros((9, 9)), 1.0), "node", ROLES)
    assert summary == {
        "count": 0,
        "longest_feret_mm": 0.0,
        "longest_feret_region": None,
        "slide_major_axis_mm": 0.0,
        "total_area_mm2": 0.0,
        "areas_mm2": {"inv": 0.0, "dcis": 0.0, "any": 0.0},
        "category": "negative",
        "note": CELL_RULE_NOTE,
    }
