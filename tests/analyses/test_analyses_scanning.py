"""Measuring a result by bands of runs equals measuring whole rasters, to the last bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from measured_results import ONE, THREE, level_0, make_result, plain_features, plain_regions

from napari_breastpath.analyses import measure_result, scanning
from napari_breastpath.measure import summarise


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("classes", [ONE, THREE], ids=["one class", "three classes"])
@pytest.mark.parametrize("threshold", [0.5, 0.3, 0.725])
def test_a_scan_gives_what_whole_rasters_give(tmp_path, classes, edited, threshold):
    result = make_result(tmp_path / "r", classes, edited=edited)
    found = scanning.scan(result, threshold)
    regions = scanning.scanned_regions(result, found, "node")
    expected = plain_regions(result, threshold)
    assert len(expected) > 5
    assert expected["touches_unread"].any()
    assert {1, 2} <= set(expected["piece"])
    pd.testing.assert_frame_equal(regions.table, expected, check_exact=True)
    features = scanning.scanned_features(found)
    pd.testing.assert_frame_equal(features, plain_features(result), check_exact=True)


def test_a_measured_result_says_the_same_in_all_its_files(tmp_path):
    result = make_result(tmp_path / "r", THREE)
    measure_result(result)
    table = plain_regions(result, 0.5)
    roles = {kind["name"]: kind["role"] for kind in THREE}
    summary = summarise(table, "node", roles)
    assert {name: result.record["regions"][name] for name in summary} == summary
    tissue = level_0(result.map.label("tissue")) > 0
    unread = tissue & (level_0(result.map.probability).max(axis=0) == 0)
    assert result.record["unread_tissue_fraction"] == unread.sum() / tissue.sum()
    assert result.record["edits"]["pixels"] == np.count_nonzero(level_0(result.map.label("edits")))


def test_bands_of_any_height_give_the_same(tmp_path):
    result = make_result(tmp_path / "r", shape=(600, 300))  # three rows of blocks of 256
    assert result.map.blocks[0] == 3
    table = scanning.scanned_regions(result, scanning.scan(result, 0.5), "node").table
    pd.testing.assert_frame_equal(table, plain_regions(result, 0.5), check_exact=True)
