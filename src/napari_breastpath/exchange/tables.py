"""The table of regions, or of objects, with its provenance in every row, as CSV and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_breastpath.exchange.object_tables import object_tables
from napari_breastpath.exchange.optional import needed
from napari_breastpath.exchange.provenance import export_provenance
from napari_breastpath.results import Result
from napari_breastpath.results.files import whole

if TYPE_CHECKING:
    import pandas as pd

UNITS: Final = {
    name: f"{name}_level0_px" for name in ("feret_x1", "feret_y1", "feret_x2", "feret_y2")
}


def provenance_columns(result: Result) -> dict[str, Any]:
    """Return the columns that say in every row where it comes from (see `export_table`)."""
    slide = result.record["slide"]
    return {
        "slide": Path(slide["path"]).name,
        "mpp_x_um": slide["mpp_x"],
        "mpp_y_um": slide["mpp_y"],
        "mpp_source": slide["mpp_source"],
    } | export_provenance(result)


def export_table(result: Result) -> pd.DataFrame:
    """Return regions.csv with a unit in the name of every column that has one, and provenance.

    Returns
    -------
    DataFrame
        One row per region: the columns of regions.csv (the Feret's end points as
        `feret_x1_level0_px` …), then `slide`, `mpp_x_um`, `mpp_y_um`, `mpp_source`, `analysis`,
        `model`, `model_sha256`, `slide_fingerprint`, `map_mpp_um`, `threshold`, `specimen`, and
        what `export_provenance` adds.
    """
    return result.regions.rename(columns=UNITS).assign(**provenance_columns(result))


def _parts(result: Result, objects: bool) -> Iterator[pd.DataFrame]:
    if objects:
        yield from object_tables(result, provenance_columns(result))
    else:
        yield export_table(result)


def export_csv(result: Result, path: Path, objects: bool = False) -> None:
    """Write `export_table`, or `object_tables`, as CSV."""
    with whole(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        for k, part in enumerate(_parts(result, objects)):
            part.to_csv(file, index=False, header=k == 0)


def export_parquet(result: Result, path: Path, objects: bool = False) -> None:
    """Write `export_table`, or `object_tables`, as Parquet; its metadata repeat the provenance."""
    arrow, parquet = needed("pyarrow", "tables"), needed("pyarrow.parquet", "tables")
    parts = (arrow.Table.from_pandas(p, preserve_index=False) for p in _parts(result, objects))
    first = next(parts)
    provenance = {"napari-breastpath": json.dumps(export_provenance(result))}
    schema = first.schema.with_metadata(first.schema.metadata | provenance)
    with whole(path) as draft, parquet.ParquetWriter(draft, schema) as writer:
        for part in chain([first], parts):
            writer.write_table(part)
