"""Tile probabilities in WSInfer's columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from exchange_results import OVERLAP, STRIDE, TILE, heat, make_result

from napari_breastpath.core.errors import ResultError
from napari_breastpath.exchange.export import export_result
from napari_breastpath.results import Result
from napari_breastpath.results.maps import DONE


def test_every_inferred_tile_has_the_mean_of_its_map(result: Result, out: Path) -> None:
    export_result(result, "wsinfer-csv", out / "t.csv")
    table = pd.read_csv(out / "t.csv")
    names = [f"prob_{kind['name']}" for kind in result.classes]
    assert list(table.columns) == ["minx", "miny", "width", "height", *names]
    expected, values, offset = [], heat(result), result.record["slide"]["bounds_offset"]
    pitch, size, step = (TILE - OVERLAP) // STRIDE, TILE // STRIDE, result.lattice.step_x
    for row, column in np.argwhere(result.map.tile_state == DONE):
        top, left = row * pitch, column * pitch
        window = values[:, top : top + size, left : left + size].reshape(len(values), -1)
        if window.any():
            means = [channel[channel > 0].mean() / 255 for channel in window]
            corner = [round(left * step + offset[0]), round(top * step + offset[1])]
            expected.append([*corner, size * step, size * step, *means])
    assert len(expected) > 50
    np.testing.assert_allclose(table, expected, atol=1e-6)
    assert (table[["minx", "miny", "width", "height"]].dtypes == np.int64).all()


def test_a_result_that_does_not_know_its_tiles(tmp_path: Path) -> None:
    old = make_result(tmp_path / "old.breastpath")
    del old.record["model"]["tile_size"]
    with pytest.raises(ResultError, match="how large its tiles"):
        export_result(old, "wsinfer-csv", tmp_path / "t.csv")
