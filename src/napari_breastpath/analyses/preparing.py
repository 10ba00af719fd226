"""Before the first tile: tissue, region, stain and what is odd about the slide's colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.analyses.request import TISSUE_METHODS, Request
from napari_breastpath.core.errors import ModelError, ResultError, UsageError
from napari_breastpath.core.geometry import Box, Lattice
from napari_breastpath.exchange.painting import Canvas, read_area
from napari_breastpath.exchange.rasterise import polygons_mask
from napari_breastpath.inference.engine import Normalizer
from napari_breastpath.inference.writer import enlarged
from napari_breastpath.models import ModelBundle, StainTarget
from napari_breastpath.preprocess import (
    StainNormalizer,
    domain_warning,
    grow,
    sample_tissue_pixels,
    staintools_normalizer,
    tissue_mask,
)
from napari_breastpath.results import Result
from napari_breastpath.results.masks import PIXELS_AT_ONCE, row_slices
from napari_breastpath.slides import Slide

BoolArray = NDArray[np.bool_]
TISSUE_MPP = 8.0
MARGIN_UM = 50.0
MAX_UPSAMPLING = 1.5


def tissue_factor(map_mpp: float) -> int:
    """Return the power of two of map pixels per tissue pixel that comes nearest to 8 µm."""
    return int(2 ** max(0, round(np.log2(TISSUE_MPP / map_mpp))))


def check_slide(slide: Slide, bundle: ModelBundle) -> list[str]:
    """Return what is odd about a slide for a model; raise where it is too coarse for it.

    Raises
    ------
    ModelError
        The slide is more than 1.5 times coarser than the model's µm/px.
    """
    factor = max(slide.mpp.x, slide.mpp.y) / bundle.mpp
    if factor > MAX_UPSAMPLING:
        cause = f"{max(slide.mpp):g} µm/px is too coarse for {bundle.name} ({bundle.mpp:g} µm/px)"
        raise ModelError(slide.path, cause, "use a finer scan or another --model")
    warnings = [slide.properties["colours"]] if "colours" in slide.properties else []
    if factor > 1.001:
        warnings.append(f"slide enlarged {factor:.2f}× to the model's {bundle.mpp:g} µm/px")
    return warnings


def find_tissue(slide: Slide, request: Request, lattice: Lattice) -> BoolArray:
    """Return the tissue to analyse on `lattice`: by method or from a file, within the region."""
    if request.tissue in TISSUE_METHODS:
        mask = fitted(tissue_mask(slide, mpp=lattice.mpp_x, method=request.tissue), lattice)
    else:
        size = slide.width, slide.height
        canvas = Canvas(lattice, slide.mpp, size, slide.bounds_offset)
        mask = read_area(Path(request.tissue), canvas).raster > 0
    return mask & region_mask(request.region, lattice) if request.region is not None else mask


def fitted(mask: BoolArray, lattice: Lattice) -> BoolArray:
    """Return `mask` with the lattice's shape, its last row and column repeated or left out.

    A µm/px a hair from a round number (0.5000002) may give the slide's lattice a last pixel that
    the map's, made coarser, has not, or the other way round; less than 1 % of a pixel is in it.
    """
    rows, columns = (
        np.minimum(np.arange(n), m - 1) for n, m in zip(lattice.shape, mask.shape, strict=True)
    )
    return mask[np.ix_(rows, columns)]


def region_mask(region: Any, lattice: Lattice) -> BoolArray:
    """Return the lattice pixels that a `Box` touches, or whose centres lie in polygons."""
    if not isinstance(region, Box):
        return polygons_mask([np.asarray(polygon, float) for polygon in region], lattice)
    mask = np.zeros(lattice.shape, bool)
    mask[lattice.window(region)] = True
    if not mask.any():
        advice = "give x,y,width,height in level-0 pixels"
        raise UsageError("--region", "lies outside the slide", advice)
    return mask


def store_tissue(result: Result, tissue: BoolArray, factor: int) -> None:
    """Write the tissue label, `factor` times finer than `tissue`, by some rows of blocks."""
    label, columns = result.map.label("tissue"), slice(0, result.lattice.width)
    for rows in row_slices(result, PIXELS_AT_ONCE):
        window = enlarged(tissue, factor, rows, columns)
        label.write(rows.start, 0, window.view(np.uint8))


def stored_tissue(result: Result, factor: int) -> BoolArray:
    """Return the tissue label on the map lattice made `factor` times coarser."""
    level = int(np.log2(factor))
    return result.map.label("tissue").read(slice(None), slice(None), level) > 0


def finished_blocks(result: Result, tissue: BoolArray, factor: int) -> NDArray[np.uint8]:
    """Return the block states, 0 for those whose pixels were lost since, uint8 (rows, columns).

    A chunk that is not there reads as zeros; a finished block that holds tissue has other values.
    """
    states = result.map.block_state
    for row, column in np.argwhere(states):
        window = result.map.block_window(int(row), int(column))
        rows, columns = (slice(s.start // factor, -(-s.stop // factor)) for s in window)
        if tissue[rows, columns].any():
            states[row, column] = _holds_values(result, *window)
    return states


def _holds_values(result: Result, rows: slice, columns: slice) -> bool:
    try:
        return bool(result.map.probability.read(rows, columns).any())
    except ResultError:
        return False


def erase_map(result: Result, removed: BoolArray, factor: int) -> None:
    """Set the map to 0 where it is no longer analysed."""
    probability, columns = result.map.probability, slice(0, result.lattice.width)
    for rows in row_slices(result):
        gone = enlarged(removed, factor, rows, columns)
        if gone.any():
            values = probability.read(rows, columns)
            probability.write(rows.start, 0, np.where(gone, 0, values).astype(np.uint8))


def analysed_area(tissue: BoolArray, lattice: Lattice) -> BoolArray:
    """Return tissue grown by 50 µm: where the map may hold values."""
    return grow(tissue, MARGIN_UM, lattice.mpp)


def fit_stain(
    slide: Slide, request: Request, bundle: ModelBundle, tissue: BoolArray, lattice: Lattice
) -> tuple[dict[str, Any] | None, list[str]]:
    """Estimate the slide's stain once; return what to record and the warnings it raises."""
    if not tissue.any():
        return None, []
    pixels = sample_tissue_pixels(slide, tissue, lattice)
    odd = domain_warning(pixels, bundle.training_domain)
    warnings = [odd] if odd else []
    if request.stain in ("none", "staintools"):
        return None, warnings
    if bundle.stain is None:
        return None, [*warnings, f"stain not normalised: {bundle.name} names no stain of its own"]
    normalizer = target_normalizer(request.stain, bundle).fit_source(pixels)
    if normalizer.source_flag:
        warnings.append(f"stain not normalised: {normalizer.source_flag}")
    return normalizer.to_dict(), warnings


def stain_target(bundle: ModelBundle) -> StainTarget:
    """Return the stain that a model wants to see; `ModelError` where its bundle names none."""
    if bundle.stain is None:
        raise ModelError(bundle.folder, "names no stain target", "use --stain none")
    return bundle.stain


def target_normalizer(method: str, bundle: ModelBundle) -> StainNormalizer:
    """Return a normaliser towards the model's own stain."""
    target = stain_target(bundle)
    return StainNormalizer.from_target(method, target["stain_matrix"], target["max_concentration"])


def make_normalizer(
    request: Request, bundle: ModelBundle, recorded: dict[str, Any] | None
) -> Normalizer | None:
    """Return what the engine puts before the network, from the record and nothing else."""
    if request.stain == "staintools":
        target = stain_target(bundle)
        return staintools_normalizer(target["stain_matrix"], target["max_concentration"])
    return StainNormalizer.from_dict(recorded) if recorded else None
