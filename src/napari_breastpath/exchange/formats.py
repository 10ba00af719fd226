"""What a result can be exported to; importing this loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Format:
    """One format of `breastpath export`.

    Attributes
    ----------
    suffix : str
        End of the file's (or folder's) name.
    title : str
        What it is, in a menu's words.
    writer : str
        `module:function` below this package that writes it.
    option : str
        The option of `export_result` that it knows, if any.
    """

    suffix: str
    title: str
    writer: str
    option: str = ""


FORMATS: Final = {
    "geojson": Format(".geojson", "Outlines for QuPath (GeoJSON)", "geojson_export:export_geojson"),
    "geojson.gz": Format(
        ".geojson.gz",
        "Outlines for QuPath (GeoJSON, compressed)",
        "geojson_export:export_geojson_gz",
    ),
    "csv": Format(".csv", "Table of regions (CSV)", "tables:export_csv", "objects"),
    "parquet": Format(".parquet", "Table of regions (Parquet)", "tables:export_parquet", "objects"),
    "ome-zarr": Format(".ome.zarr", "Probability and labels (OME-Zarr)", "ome_zarr:export_zarr"),
    "ome-tiff": Format(".ome.tif", "Probability and mask (OME-TIFF)", "ome_tiff:export_tiff"),
    "asap-xml": Format(".xml", "Outlines for ASAP (XML)", "asap_writer:export_asap"),
    "dicom-seg": Format(
        ".dcm", "Mask of a DICOM slide (DICOM SEG)", "dicom_seg:export_seg", "fractional"
    ),
    "dicom-sr": Format(".dcm", "Measurements of a DICOM slide (DICOM SR)", "dicom_sr:export_sr"),
    "wsinfer-csv": Format(
        ".csv", "Tile probabilities as WSInfer writes them (CSV)", "wsinfer:export_tiles"
    ),
}
