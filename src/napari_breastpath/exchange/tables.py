"""The table of regions with its provenance in every row, as CSV and Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_breastpath.exchange.geojson import result_provenance
from napari_breastpath.exchange.optional import needed
from napari_breastpath.results import Result
from napari_breastpath.results.files import whole

if TYPE_CHECKING:
    import pandas as pd

UNITS: Final = {
    name: f"{name}_level0_px" for name in ("feret_x1", "feret_y1", "feret_x2", "feret_y2")
}


def export_table(result: Result) -> pd.DataFrame:
    """Return regions.csv with a unit in the name of every column that has one, and provenance.

    Returns
    -------
    DataFrame
        One row per region: the columns of regions.csv (the Feret's end points as
        `feret_x1_level0_px` …), then `slide`, `mpp_x_um`, `mpp_y_um`, `mpp_source`, `analysis`,
        `model`, `model_sha256`, `slide_fingerprint`, `map_mpp_um`, `threshold`, `specimen`.
    """
    slide = result.record["slide"]
    facts = {
        "slide": Path(slide["path"]).name,
        "mpp_x_um": slide["mpp_x"],
        "mpp_y_um": slide["mpp_y"],
        "mpp_source": slide["mpp_source"],
    } | result_provenance(result)
    return result.regions.rename(columns=UNITS).assign(**facts)


def export_csv(result: Result, path: Path) -> None:
    """Write `export_table` as CSV."""
    with whole(path) as draft:
        export_table(result).to_csv(draft, index=False)


def export_parquet(result: Result, path: Path) -> None:
    """Write `export_table` as Parquet; the file's metadata repeat the provenance as JSON."""
    arrow, parquet = needed("pyarrow", "tables"), needed("pyarrow.parquet", "tables")
    table = arrow.Table.from_pandas(export_table(result), preserve_index=False)
    provenance = {"napari-breastpath": json.dumps(result_provenance(result))}
    with whole(path) as draft:
        parquet.write_table(
            table.replace_schema_metadata(table.schema.metadata | provenance), draft
        )
