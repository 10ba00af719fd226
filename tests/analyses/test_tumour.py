"""The tumour analysis on drawn slides: whole runs, broken runs, odd requests."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyses_helpers import heat, log, write_flat
from napari_breastpath import analyze, load_result, open_slide
from napari_breastpath.analyses import tumour
from napari_breastpath.core.errors import (
    ModelError,
    PixelSizeError,
    SlideError,
    UsageError,
)
from napari_breastpath.core.geometry import Box
from napari_breastpath.core.progress import Progress
from napari_breastpath.models import Predictor, make_predictor
from napari_breastpath.results import Result

FILES = {
    "result.json",
    "probability.ome.zarr",
    "regions.csv",
    "features.csv",
    "regions.geojson",
    "report.html",
    "run.log",
}


def test_a_run_leaves_a_complete_folder(whole: Result) -> None:
    assert {p.name for p in whole.path.iterdir()} == FILES
    record = json.loads((whole.path / "result.json").read_text())
    assert record["status"] == "complete"
    assert record["tiles"]["failed"] == 0
    assert record["tiles"]["done"] + record["tiles"]["skipped"] == record["tiles"]["total"]
    assert record["map_mpp"] == [2.0, 2.0]
    assert len(record["settings"]["stain_normalizer"]["source"]["stain_matrix"]) == 2
    assert record["regions"]["count"] == len(whole.regions)
    assert record["regions"]["category"] in {"negative", "ITC", "micro", "macro"}
    assert record["regions"]["longest_feret_mm"] == pytest.approx(whole.regions.feret_max_mm.max())
    assert list(whole.features.index) == ["model", "corrected"]
    assert record["score"]["model"]["value"] == pytest.approx(whole.features.loc["model", "16_max"])


def test_the_map_is_the_analysed_tissue(whole: Result) -> None:
    tissue = np.asarray(whole.map.label("tissue").levels[0][:]) > 0
    inferred = heat(whole)[0] > 0
    assert inferred[tissue].all()
    assert 0 < inferred.mean() < 1
    mask = np.asarray(whole.map.label("mask").levels[0][:])
    np.testing.assert_array_equal(mask > 0, heat(whole)[0] > 0.5 * 255)


def test_running_again_does_nothing(whole: Result, drawn: Path) -> None:
    before = heat(whole)
    again = analyze(drawn, whole.path.parent, specimen="node")
    assert again.path == whole.path
    assert "already complete" in log(again)
    np.testing.assert_array_equal(heat(again), before)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"threshold": 0.3}, "threshold: 0.5, asked for 0.3"),
        ({"stain": "none"}, "stain: vahadane, asked for none"),
        ({"tissue": "yen"}, "tissue"),
        ({"specimen": "primary"}, "specimen"),
        ({"region": Box(0, 0, 500, 500)}, "region"),
        ({"engine": "torch"}, "engine"),
    ],
)
def test_another_request_is_refused_and_the_difference_named(
    whole: Result, drawn: Path, change: dict[str, Any], named: str
) -> None:
    if change.get("engine") == whole.record["settings"]["engine"]:
        pytest.skip("that engine is the one in use")
    with pytest.raises(UsageError, match=named):
        analyze(drawn, whole.path.parent, **{"specimen": "node", **change})


def test_starting_anew_keeps_the_old_folder(drawn: Path, tmp_path: Path) -> None:
    region = Box(600, 600, 300, 300)
    first = analyze(drawn, tmp_path, region=region, stain="none")
    analyze(drawn, tmp_path, region=region, stain="none", threshold=0.4, resume=False)
    backup = load_result(first.path.with_name(f"{first.path.name}.bak-1"))
    assert backup.record["settings"]["threshold"] == 0.5


def test_two_slides_of_one_name_do_not_mix(drawn: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / drawn.name
    other.parent.mkdir()
    write_flat(other, np.full((600, 600, 3), 240, np.uint8), 0.5)
    first = analyze(drawn, tmp_path, region=Box(600, 600, 300, 300), stain="none")
    second = analyze(other, tmp_path, stain="none")
    assert second.path != first.path
    assert open_slide(other).fingerprint[:8] in second.path.name


def test_a_blank_slide_is_complete_with_nothing_found(tmp_path: Path) -> None:
    path = write_flat(tmp_path / "blank.tif", np.full((900, 900, 3), 243, np.uint8), 0.5)
    result = analyze(path, tmp_path, specimen="node")
    assert result.status == "complete"
    assert result.record["regions"]["category"] == "negative"
    assert any("no tissue" in text for text in result.record["warnings"])
    assert result.record["score"]["model"]["value"] == 0


@pytest.mark.parametrize(
    ("mpp", "error", "words"),
    [(0.02, PixelSizeError, "--mpp"), (25.0, PixelSizeError, "--mpp"), (1.8, ModelError, "coarse")],
)
def test_pixel_sizes_that_make_no_sense_are_refused(
    tmp_path: Path, mpp: float, error: type[Exception], words: str
) -> None:
    path = write_flat(tmp_path / "odd.tif", np.full((300, 300, 3), 200, np.uint8), 0.5)
    with pytest.raises(error, match=words):
        analyze(open_slide(path, mpp=mpp), tmp_path)


def test_a_slide_a_little_coarser_than_the_model_is_enlarged_with_a_warning(
    tmp_path: Path, drawn: Path
) -> None:
    result = analyze(open_slide(drawn, mpp=1.3), tmp_path, stain="none", region=Box(0, 0, 400, 400))
    assert any("enlarged 1.30×" in text for text in result.record["warnings"])


def test_anisotropic_pixels_give_lengths_in_micrometres(tmp_path: Path, drawn: Path) -> None:
    square = analyze(open_slide(drawn, mpp=0.5), tmp_path / "a", stain="none")
    wide = analyze(open_slide(drawn, mpp=(1.0, 0.5)), tmp_path / "b", stain="none")
    assert wide.lattice.width == pytest.approx(2 * square.lattice.width, abs=1)
    assert wide.lattice.height == square.lattice.height


@pytest.mark.parametrize("mpp", [0.5000002, 0.4999998])
def test_pixel_sizes_a_hair_from_round_ones(tmp_path: Path, mpp: float) -> None:
    path = write_flat(tmp_path / "hair.tif", np.full((64, 3200, 3), 243, np.uint8), 0.5)
    with open_slide(path, mpp=mpp) as slide:
        result = analyze(slide, tmp_path, stain="none", region=Box(0, 0, 3200, 64))
    assert result.status == "complete"


def test_a_tissue_file_and_polygons_bound_the_analysis(drawn: Path, tmp_path: Path) -> None:
    ring = [[500, 500], [1300, 500], [1300, 1100], [500, 1100], [500, 500]]
    outline = tmp_path / "tissue.geojson"
    outline.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    from_file = analyze(drawn, tmp_path / "a", stain="none", tissue=outline)
    assert from_file.record["tissue_area_mm2"] == pytest.approx(0.8 * 0.6 / 4, rel=0.03)
    whole = analyze(drawn, tmp_path / "b", stain="none", tissue="none", region=[ring])
    np.testing.assert_array_equal(heat(whole), heat(from_file))
    with pytest.raises(UsageError, match="outside the slide"):
        analyze(drawn, tmp_path / "c", region=Box(9000, 9000, 10, 10))


def test_the_staintools_way_runs_too(drawn: Path, tmp_path: Path) -> None:
    result = analyze(drawn, tmp_path, stain="staintools", region=Box(900, 900, 150, 150))
    assert result.status == "complete"
    assert heat(result).any()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="absent"):
        analyze(tmp_path / "absent.svs", tmp_path)


@pytest.mark.parametrize(
    "region", [Box(math.nan, 0, 9, 9), Box(0, 0, math.inf, 9), [[(0, 0), (9, 9), (0, math.nan)]]]
)
def test_places_that_are_no_numbers_are_refused(drawn: Path, tmp_path: Path, region: Any) -> None:
    with pytest.raises(UsageError, match="not a place"):
        analyze(drawn, tmp_path, region=region)


@pytest.mark.parametrize(
    "wrong", [{"stain": "blue"}, {"threshold": 1.5}, {"specimen": "liver"}, {"analysis": "moles"}]
)
def test_words_nobody_knows_are_refused(drawn: Path, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        analyze(drawn, tmp_path, **wrong)


def test_a_network_that_takes_longer_than_the_stain_is_what_one_waits_for(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited_for, stages = threading.Event(), list[str]()

    def slowly(*arguments: Any) -> Predictor:
        assert waited_for.wait(60)
        return make_predictor(*arguments)

    def heard(progress: Progress) -> None:
        stages.append(progress.stage)
        if stages.count("model") == 2:
            waited_for.set()

    monkeypatch.setattr(tumour, "make_predictor", slowly)
    analyze(drawn, tmp_path, specimen="node", progress=heard)
    assert stages[:5] == ["model", "tissue", "stain", "model", "inference"]
