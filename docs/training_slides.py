"""Three drawn slides for the picture of the dock Train, analysed and corrected by a program."""

from __future__ import annotations

import sys
from pathlib import Path

SEEDS = (2, 3, 4)
PX = (2560, 1920)
GROWN_UM = 24.0


def corrected_slides(folder: Path) -> Path:
    """Return a folder with the results of slides on which every large region was made larger."""
    from napari_breastpath import analyze
    from napari_breastpath.slides import open_slide

    sys.path.append(str(Path(__file__).parents[1] / "sample_data"))
    from synthetic_slide import SyntheticSlide, write_slide

    folder.mkdir(parents=True)
    for seed in SEEDS:
        path = write_slide(SyntheticSlide(seed, *PX), folder / f"P{seed}.tif")
        grow_longest(analyze(open_slide(path), folder / "results").path)
    return folder / "results"


def grow_longest(path: Path) -> None:
    """Move the outline of a result's longest region outwards, as a reader would."""
    from napari_breastpath.edits import Corrections
    from napari_breastpath.edits.regions_at import region_at
    from napari_breastpath.edits.tools import grow_region
    from napari_breastpath.results import load_result

    corrections = Corrections.open(load_result(path), "Reader A")
    result = corrections.result
    longest = result.regions.loc[result.regions["feret_max_mm"].idxmax()]
    row, column = (
        int(longest[name] / step)
        for name, step in (("feret_y1", result.lattice.step_y), ("feret_x1", result.lattice.step_x))
    )
    region = region_at(corrections, row, column, within_px=4)
    corrections.apply(grow_region(corrections, region, GROWN_UM), "grow", detail={"um": GROWN_UM})
