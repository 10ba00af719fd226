"""The map and its labels as an OME-Zarr of their own (OME-NGFF 0.5)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from napari_breastpath.core.errors import ResultError
from napari_breastpath.exchange.geojson import result_provenance
from napari_breastpath.results import Result

PRIVATE: Final = ("tile_state", "block_state")
ATTRIBUTE: Final = "napari-breastpath"


def export_zarr(result: Result, path: Path) -> None:
    """Copy the probabilities and the labels `mask`, `edits` and `tissue`, without what is private.

    Parameters
    ----------
    result : Result
    path : Path
        Folder to make, best named `….ome.zarr`; must not exist. Values, chunks and metadata are
        those of the result: uint8, 0 not inferred, else max(1, round(255·p)); provenance goes into
        the attribute `napari-breastpath`.

    Raises
    ------
    ResultError
        The folder exists.
    """
    import zarr

    if path.exists():
        raise ResultError(path, "exists already", "choose another --out")
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.mkdir()  # no parents: a folder that is not there is a slip of the pen
        ignored = shutil.ignore_patterns(*PRIVATE)
        shutil.copytree(result.map.path, draft, ignore=ignored, dirs_exist_ok=True)
        root = zarr.open_group(draft, mode="r+")
        ome = root.attrs["ome"]
        root.attrs.put({"ome": ome, ATTRIBUTE: dict(result_provenance(result))})
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
