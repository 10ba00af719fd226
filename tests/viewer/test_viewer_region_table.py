"""The table of regions sorts numbers as numbers and makes only the cells that are looked at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_breastpath.viewer.region_table import COLUMNS, RegionModel

AREA, CATEGORY, REMARKS = (
    [c.name for c in COLUMNS].index(name) for name in ("area_mm2", "category", "remarks")
)
UP, DOWN = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
FLAGS = ("below_cell_size", "touches_edge", "touches_unread", "edited")


def regions(count: int) -> pd.DataFrame:
    number = np.arange(1, count + 1)
    table = {c.name: number / 7 for c in COLUMNS if c.name != "remarks"}
    table |= {"region_id": number, "area_mm2": (number * 7) % count + 1.0, "piece": number}
    words = {"class": ["tumour"] * count, "category": [("ITC", "macro")[k % 2] for k in number]}
    flags = {name: number % (k + 2) == 0 for k, name in enumerate(FLAGS)}
    return pd.DataFrame(table | words | flags)


@pytest.fixture
def model(qapp: object) -> RegionModel:
    model = RegionModel()
    model.show(regions(12))
    return model


def texts(model: RegionModel, column: int) -> list[str]:
    return [model.index(row, column).data() for row in range(model.rowCount())]


@pytest.mark.parametrize("order", [UP, DOWN])
def test_rows_are_sorted_as_numbers_and_stay_so(model: RegionModel, order: Qt.SortOrder) -> None:
    model.sort(AREA, order)
    for count in (12, 12, 5):
        table = regions(count)
        model.show(table)
        ranked = table.sort_values("area_mm2", ascending=order == UP, kind="stable")
        assert texts(model, 0) == [str(k) for k in ranked["region_id"]]
        assert model.region(0)["region_id"] == ranked["region_id"].iloc[0]


def test_flags_are_words_and_equal_words_keep_their_order(model: RegionModel) -> None:
    assert texts(model, REMARKS)[:3] == ["", "smaller than a cell", "at the slide's edge"]
    assert texts(model, REMARKS)[5] == "smaller than a cell, at the slide's edge"
    model.sort(CATEGORY, DOWN)
    assert texts(model, CATEGORY) == ["macro"] * 6 + ["ITC"] * 6
    assert texts(model, 0)[:3] == ["1", "3", "5"]


def test_without_regions_there_are_no_rows(model: RegionModel) -> None:
    model.show(None)
    assert (model.rowCount(), model.columnCount()) == (0, len(COLUMNS))
    model.sort(AREA, DOWN)
