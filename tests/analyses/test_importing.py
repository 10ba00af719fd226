"""Files brought into a result: what becomes of its mask, tissue, numbers and record."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analyses_helpers import heat, log, planned
from napari_breastpath import analyze
from napari_breastpath.analyses import measure_result
from napari_breastpath.analyses.importing import import_file
from napari_breastpath.cli import main
from napari_breastpath.core.errors import AnnotationError, BreastPathError, ResultError, UsageError
from napari_breastpath.core.geometry import Box, Lattice, PixelSize
from napari_breastpath.edits import Corrections
from napari_breastpath.exchange.export import export_result
from napari_breastpath.results import Result, create_result, load_result
from napari_breastpath.results.maps import DONE, ERASED

STEP = 8.0  # level-0 px per map pixel
TUMOUR = {"name": "tumour", "color": [200, 0, 0], "role": "tumour"}
STROMA = {"name": "stroma", "color": [0, 200, 0], "role": "other"}


def made(folder: Path, classes: list[dict], offset: tuple[float, float] = (0, 0)) -> Result:
    """A measured result of 60 × 80 map pixels; the model finds a block of the first class."""
    mpp, size = PixelSize(0.5, 0.5), (640, 480)
    lattice = Lattice.over(*size, mpp, 4.0)
    record = {
        "slide": {
            "path": "nowhere.svs",
            "width": size[0],
            "height": size[1],
            "mpp_x": 0.5,
            "mpp_y": 0.5,
            "mpp_source": "user",
            "bounds_offset": list(offset),
            "fingerprint": "0" * 64,
        },
        "analysis": "tumour",
        "specimen": "node",
        "model": {"name": "m", "version": "1", "sha256": "0", "mpp": 4.0, "classes": classes},
        "map_mpp": [4.0, 4.0],
        "settings": {"threshold": 0.5},
        "warnings": [],
        "tiles": {"total": 1, "done": 1, "skipped": 0, "failed": 0},
    }
    kinds = [(c["name"], tuple(c["color"])) for c in classes]
    arguments = {
        "lattice": lattice,
        "slide_mpp": mpp,
        "classes": kinds,
        "tiles": (1, 1),
        "at_least": 2,
    }
    result = create_result(folder / "a.tumour.breastpath", record, **arguments)
    values = np.ones((len(classes), *lattice.shape), np.uint8)
    values[0, 10:20, 10:30] = 250
    if len(classes) > 1:
        values[-1][values[0] == 1] = 200
    result.map.probability.write(0, 0, values)
    result.map.label("tissue").write(0, 0, np.ones(lattice.shape, np.uint8))
    result.map.block_state = np.ones_like(result.map.block_state)
    result.save(status="complete")
    return measure_result(result)


@pytest.fixture
def result(tmp_path: Path) -> Result:
    return made(tmp_path, [TUMOUR])


def label(result: Result, name: str) -> np.ndarray:
    return np.asarray(result.map.label(name).levels[0][:])


def square(row: int, column: int, height: int, width: int) -> list[list[float]]:
    """The corners, in level-0 px, of a window of the map."""
    top, left, bottom, right = row, column, row + height, column + width
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return [[x * STEP, y * STEP] for x, y in corners]


def write(folder: Path, *areas: tuple[list, str], name: str = "in.geojson") -> Path:
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"classification": kind},
        }
        for ring, kind in areas
    ]
    path = folder / name
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def snapshot(result: Result) -> dict[str, bytes]:
    return {
        str(p.relative_to(result.path)): p.read_bytes()
        for p in sorted(result.path.rglob("*"))
        if p.is_file()
    }


def test_regions_become_the_mask_whatever_the_model_found(result: Result, tmp_path: Path) -> None:
    path = write(tmp_path, (square(15, 25, 10, 20), "Tumor"), (square(17, 27, 3, 3), "Ignore*"))
    done = import_file(result, path)
    expected = np.zeros((60, 80), np.uint8)
    expected[15:25, 25:45] = 1
    expected[17:20, 27:30] = 0
    np.testing.assert_array_equal(label(result, "mask"), expected)
    edits = label(result, "edits")
    assert (edits[10:15, 10:30] == ERASED).all()
    assert not edits[30:].any()
    assert (done.what, done.count, done.notes) == ("regions", 2, ())
    (region,) = result.regions.to_dict("records")
    assert region["area_mm2"] == pytest.approx(191 * 16e-6)
    assert region["edited"]
    assert result.record["edits"]["pixels"] == np.count_nonzero(edits)


def test_edits_add_to_the_model_s_mask_and_to_earlier_edits(result: Result, tmp_path: Path) -> None:
    import_file(result, write(tmp_path, (square(40, 40, 5, 5), "tumour")), "edits")
    path = write(tmp_path, (square(30, 60, 4, 4), "TUMOUR"), (square(10, 10, 5, 5), "Ignore*"))
    done = import_file(result, path, "edits")
    expected = np.zeros((60, 80), np.uint8)
    expected[10:20, 10:30] = 1
    expected[10:15, 10:15] = 0
    expected[40:45, 40:45] = expected[30:34, 60:64] = 1
    np.testing.assert_array_equal(label(result, "mask"), expected)
    assert done.notes == ("undo in the viewer brings back the edits before it",)
    hands = Corrections.open(result)
    steps = [(e.tool, e.maker, e.detail["what"]) for e in hands.log]
    assert steps == [("import", "hand", "edits")] * 2
    assert result.record["edits"]["strokes"] == 2
    hands.undo()
    expected[10:15, 10:15] = 1
    expected[30:34, 60:64] = 0
    np.testing.assert_array_equal(label(result, "mask"), expected)


def test_a_reviewed_result_takes_no_file(result: Result, tmp_path: Path) -> None:
    Corrections.open(result, "A").note("review")
    before, path = snapshot(result), write(tmp_path, (square(1, 1, 5, 5), "Tumor"))
    for what in ("edits", "regions", "tissue"):
        with pytest.raises(ResultError, match="was reviewed by A"):
            import_file(result, path, what)
    assert snapshot(result) == before


def test_tissue_is_replaced_and_what_is_new_is_unread(result: Result, tmp_path: Path) -> None:
    import_file(result, write(tmp_path, (square(0, 0, 40, 60), "Anything")), "tissue")
    assert result.status == "complete"
    assert not heat(result)[:, 57:, :].any()  # beyond 50 µm around the tissue
    done = import_file(result, write(tmp_path, (square(0, 0, 60, 80), "Region*")), "tissue")
    assert label(result, "tissue").all()
    assert result.status == "incomplete"
    assert result.record["unread_tissue_fraction"] > 0.1
    assert "new and unread" in done.notes[-1]
    assert not result.map.block_state.any()


def test_imported_tissue_is_filled_in_by_analysing_again(drawn: Path, tmp_path: Path) -> None:
    small = analyze(drawn, tmp_path, stain="none", region=Box(400, 400, 500, 500))
    full = np.ones(small.map.lattice.coarser(2).shape, np.uint8) * 255
    Image.fromarray(full).save(tmp_path / "tissue.png")
    import_file(small, tmp_path / "tissue.png", "tissue")
    assert load_result(small.path).status == "incomplete"
    again = analyze(drawn, tmp_path, stain="none", region=Box(400, 400, 500, 500))
    assert again.status == "complete"
    assert (heat(again) > 0).all()
    assert (again.map.tile_state == DONE).all()
    assert again.record["unread_tissue_fraction"] == 0
    assert len(planned(again)) == 2


def test_of_several_classes_each_is_painted_as_itself(tmp_path: Path) -> None:
    result = made(tmp_path, [STROMA, TUMOUR])
    areas = [
        (square(0, 0, 6, 6), "Tumor: Positive"),
        (square(20, 20, 6, 6), "stroma"),
        (square(40, 40, 6, 6), "Necrosis"),
        (square(50, 60, 6, 6), "Immune"),
    ]
    import_file(result, write(tmp_path, *areas), None, {"necrosis": "TUMOUR", "Immune": "ignore"})
    mask = label(result, "mask")
    assert (mask[0:6, 0:6] == 2).all()
    assert (mask[20:26, 20:26] == 1).all()
    assert (mask[40:46, 40:46] == 2).all()
    assert np.count_nonzero(mask) == 3 * 36


def test_the_scanner_s_origin_is_taken_off_what_counts_from_it(tmp_path: Path) -> None:
    result = made(tmp_path, [TUMOUR], offset=(80, 160))
    ring = [[x + 80, y + 160] for x, y in square(5, 7, 4, 4)]
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"positive": [{"name": "p", "vertices": ring}], "negative": []}))
    import_file(result, path)
    assert label(result, "mask")[5:9, 7:11].all()
    assert label(result, "mask").sum() == 16


def test_every_import_is_recorded(result: Result, tmp_path: Path) -> None:
    path = write(tmp_path, (square(1, 1, 5, 5), "Tumor"))
    import_file(result, path)
    (entry,) = load_result(result.path).record["imports"]
    assert entry["file"] == "in.geojson"
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (entry["what"], entry["count"], entry["pixels"]) == ("regions", 1, 25)
    assert "imported 1 areas of in.geojson" in log(result)


@pytest.mark.parametrize("to", ["geojson", "geojson.gz", "asap-xml", "ome-zarr", "ome-tiff"])
def test_what_is_exported_comes_back_the_same(tmp_path: Path, to: str) -> None:
    result = made(tmp_path, [STROMA, TUMOUR], offset=(32, 8))
    rng = np.random.default_rng(3)
    coarse = rng.choice([0, 1, 2, ERASED], (12, 16)).astype(np.uint8)
    result.map.label("edits").write(0, 0, coarse.repeat(5, 0).repeat(5, 1))
    measure_result(result)
    before = label(result, "mask")
    path = tmp_path / f"out.{to.replace('-', '.')}"
    export_result(result, to, path)
    result.map.label("edits").write(0, 0, np.zeros_like(before))
    measure_result(result)
    assert not np.array_equal(label(result, "mask"), before)
    import_file(result, path, "regions")
    np.testing.assert_array_equal(label(result, "mask"), before)


REFUSED = {
    "unknown class": ([(square(1, 1, 5, 5), "Necrosis")], None, UsageError, "'Necrosis'.*tumour"),
    "no class": ([(square(1, 1, 5, 5), "")], None, UsageError, "without a class"),
    "off the slide": ([(square(900, 900, 5, 5), "Tumor")], None, AnnotationError, "none of its 1"),
    "nothing tumour": ([(square(1, 1, 5, 5), "Ignore*")], None, UsageError, "--as edits"),
    "second is bad": (
        [(square(1, 1, 5, 5), "Tumor"), ([[0, 0], [1, "x"]], "Tumor")],
        "edits",
        AnnotationError,
        "feature 2",
    ),
    "empty tissue": ([(square(1, 1, 5, 5), "Ignore*")], "tissue", AnnotationError, "nothing"),
    "no such way": ([(square(1, 1, 5, 5), "Tumor")], "mask", UsageError, "'mask'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_file_leaves_the_result_as_it_was(
    result: Result, tmp_path: Path, case: str
) -> None:
    areas, what, kind, words = REFUSED[case]
    before = snapshot(result)
    with pytest.raises(kind, match=words) as error:
        import_file(result, write(tmp_path, *areas), what)
    assert "\n" not in str(error.value)
    assert snapshot(result) == before


def test_only_measured_results_take_imports(result: Result, tmp_path: Path) -> None:
    result.save(status="partial")
    with pytest.raises(ResultError, match="partial"):
        import_file(result, write(tmp_path, (square(1, 1, 5, 5), "Tumor")))


@pytest.mark.parametrize("name", ["nowhere.json", "nowhere.zarr"])
def test_files_that_are_not_there(result: Result, tmp_path: Path, name: str) -> None:
    with pytest.raises(BreastPathError, match="nowhere"):
        import_file(result, tmp_path / name)


def test_the_command(result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, (square(1, 1, 5, 5), "Lesion"))
    assert main(["import", str(result.path), str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["import", str(result.path), str(path), "--class", "lesion=tumour"]) == 0
    assert "1 areas as regions, 25 map pixels" in capsys.readouterr().out
    assert main(["import", str(result.path), str(path), "--as", "tissue"]) == 0
    with pytest.raises(SystemExit):
        main(["import", str(result.path), str(path), "--class", "lesion"])


def test_real_annotations_in_a_real_result(
    shared_data: Path, tmp_path: Path, whole: Result
) -> None:
    """Files of other slides: refused as off this one, by class, or painted, never half."""
    copy = Result.load(shutil.copytree(whole.path, tmp_path / "r"))
    for path in sorted((shared_data / "annotations").rglob("*.*")):
        with pytest.raises(BreastPathError) as error:
            import_file(copy, path)
        assert "\n" not in str(error.value)
    assert "imports" not in copy.record
