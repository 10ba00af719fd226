"""Tissue added or taken away by hand, painted masks, other thresholds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analyses_helpers import heat, planned
from napari_breastpath import analyze, load_model, open_slide
from napari_breastpath.analyses import Request, Run, analyze_added_tissue, measure_result
from napari_breastpath.analyses.preparing import stored_tissue
from napari_breastpath.core.geometry import Box
from napari_breastpath.results.maps import DONE


def test_added_tissue_infers_new_tiles_only(drawn: Path, tmp_path: Path) -> None:
    settings = {"stain": "none", "region": Box(400, 400, 500, 500)}
    result = analyze(drawn, tmp_path, **settings)
    before, done = heat(result), result.map.tile_state == DONE
    with open_slide(drawn) as slide:
        request = Request(stain="none", region=settings["region"])
        run = Run(slide, load_model("tumour-demo"), request, lambda progress: None)
        tissue = stored_tissue(result, run.factor)
        tissue[90:100, 120:140] = True
        analyze_added_tissue(run, result, tissue)
    after, states = heat(result), result.map.tile_state
    np.testing.assert_array_equal(after[before > 0], before[before > 0])
    assert (after[0, 360:400, 480:560] > 0).all()
    added = int((states == DONE).sum() - done.sum())
    assert added > 0
    assert planned(result)[-1]["tiles"] == added
    assert result.status == "complete"
    fresh = np.asarray(result.map.label("tissue").levels[0][360:400, 480:560])
    assert fresh.all()


def test_removed_tissue_leaves_the_map(drawn: Path, tmp_path: Path) -> None:
    region = Box(400, 400, 900, 900)
    result = analyze(drawn, tmp_path, stain="none", region=region)
    with open_slide(drawn) as slide:
        request = Request(stain="none", region=region)
        run = Run(slide, load_model("tumour-demo"), request, lambda progress: None)
        analyze_added_tissue(run, result, np.zeros(run.tissue_lattice.shape, bool))
    assert not heat(result).any()
    assert len(result.regions) == 0


def test_hands_count_and_the_model_stays_known(drawn: Path, tmp_path: Path) -> None:
    result = analyze(drawn, tmp_path, stain="none")
    area = result.record["regions"]["total_area_mm2"]
    model_score = result.record["score"]["model"]
    painted = np.full((100, 100), 1, np.uint8)
    result.map.label("edits").write(0, 0, painted)
    result.map.label("edits").write(200, 200, np.full((200, 200), 255, np.uint8))
    measure_result(result)
    mask = np.asarray(result.map.label("mask").levels[0][:])
    assert mask[:100, :100].all()
    assert not mask[200:400, 200:400].any()
    assert result.record["regions"]["total_area_mm2"] != area
    assert result.record["score"]["model"] == model_score
    assert result.regions.edited.any()


def test_measuring_again_at_another_threshold(drawn: Path, tmp_path: Path) -> None:
    result = analyze(drawn, tmp_path, stain="none")
    at_half = result.record["regions"]["total_area_mm2"]
    measure_result(result, threshold=0.9, specimen="node")
    assert result.record["regions"]["total_area_mm2"] < at_half
    assert result.record["specimen"] == "node"
    measure_result(result, threshold=0.5)
    assert result.record["regions"]["total_area_mm2"] == at_half
