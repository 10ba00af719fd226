"""The table of regions as CSV and Parquet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet

from napari_breastpath.exchange.export import export_result
from napari_breastpath.results import Result

PROVENANCE = {"slide", "mpp_x_um", "mpp_y_um", "mpp_source", "model_sha256", "slide_fingerprint"}


def test_parquet_and_csv_hold_the_regions_and_where_they_come_from(
    result: Result, out: Path
) -> None:
    for to in ("csv", "parquet"):
        export_result(result, to, out / f"r.{to}")
    packed = pyarrow.parquet.read_table(out / "r.parquet").to_pandas()
    plain = pd.read_csv(out / "r.csv").astype({"category": "str"})
    assert list(packed.columns) == list(plain.columns)
    for name in result.regions.select_dtypes("number"):
        column = f"{name}_level0_px" if name.startswith("feret_") and "max" not in name else name
        column = column.replace("min_mm_level0_px", "min_mm")
        for table in (packed, plain):
            np.testing.assert_allclose(table[column], result.regions[name], rtol=1e-12)
    assert set(plain.columns) >= PROVENANCE
    assert (packed["slide"] == "sägewerk.mrxs").all()
    assert (packed["category"] == result.regions["category"]).all()


def test_parquet_says_itself_what_it_rests_on(one: Result, out: Path) -> None:
    export_result(one, "parquet", out / "r.parquet")
    metadata = pyarrow.parquet.read_schema(out / "r.parquet").metadata
    assert json.loads(metadata[b"napari-breastpath"])["model_sha256"] == "ab" * 32
