"""A measured result without a network: a map painted by hand, measured by the library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from viewer_results import make_result

from napari_breastpath.analyses import Request, measure_result
from napari_breastpath.models import list_models
from napari_breastpath.results import Result
from napari_breastpath.results.provenance import model_record, slide_record, software_versions
from napari_breastpath.slides import Slide


def measured_result(
    folder: Path, slide: Slide, specimen: str = "node", heat: np.ndarray | None = None
) -> Result:
    """Return a result at 4 µm/px with this heat, uint8 (y, x).

    By default two regions: 0.8 × 0.2 mm at p = 0.9, 0.2 × 0.2 mm at 0.6.
    """
    result = make_result(folder, slide=slide)
    (demo,) = [bundle for bundle in list_models() if bundle.name == "tumour-demo"]
    model = model_record(demo) | {"name": "painted", "version": "1", "sha256": "0" * 64}
    result.save(
        slide=slide_record(slide),
        specimen=specimen,
        settings=Request(specimen=specimen).settings(),
        model=model | {"classes": result.classes, "mpp": 4.0, "tile_size": 1024},
        edits={"strokes": 0, "pixels": 0, "seconds": 0, "readers": []},
        software=software_versions(),
        timing_s={},
        warnings=["colours far from H&E"],
        tiles={"total": 1, "done": 1, "skipped": 0, "failed": 0},
    )
    if heat is None:
        heat = two_regions(result.lattice.shape)
    result.map.probability.write(0, 0, heat[None])
    result.map.label("tissue").write(0, 0, (heat > 0).astype(np.uint8))
    measure_result(result)
    result.save(status="complete")
    return result


def two_regions(shape: tuple[int, int]) -> np.ndarray:
    """Return the heat of two regions, uint8 (y, x)."""
    heat = np.zeros(shape, np.uint8)
    heat[20:300, 20:300] = 1
    heat[100:150, 50:250] = round(0.9 * 255)
    heat[200:250, 50:100] = round(0.6 * 255)
    return heat
