"""DICOM Segmentation and Structured Report of a real DICOM slide, read by highdicom and pydicom."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from exchange_results import ONE, THREE, heat, label, make_result, paint
from pydicom.sr.codedict import codes

from napari_breastpath import open_slide
from napari_breastpath.analyses.measuring import measure_result
from napari_breastpath.core.errors import ResultError
from napari_breastpath.edits import Corrections
from napari_breastpath.exchange.export import export_result
from napari_breastpath.results import Result

SLIDE = "slides/CMU-1-Small-Region-dicom"
# The slide's own header: no patient, no study date.
KNOWN = ("needed to build DICOMDIR", "<99BREASTPATH> for value 1 of attribute <Coding Scheme")


@pytest.fixture(scope="module", params=[ONE, THREE], ids=["one", "three"])
def dicom(
    request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Result:
    folder = tmp_path_factory.mktemp("dicom") / "r.breastpath"
    with open_slide(shared_data / SLIDE) as slide:
        return make_result(folder, request.param, slide=slide, grain_px=16)


def written(result: Result, to: str, path: Path, **options: bool) -> Path:
    export_result(result, to, path, **options)
    return path


@pytest.fixture(scope="module")
def report(dicom: Result, tmp_path_factory: pytest.TempPathFactory) -> hd.sr.Comprehensive3DSR:
    path = written(dicom, "dicom-sr", tmp_path_factory.mktemp("report") / "r.dcm")
    return hd.sr.srread(path)


def level_0(shared_data: Path) -> pydicom.Dataset:
    files = (pydicom.dcmread(path) for path in (shared_data / SLIDE).iterdir())
    return next(file for file in files if "VOLUME" in file.ImageType)


def segment_classes(result: Result) -> list[int]:
    return [k for k, kind in enumerate(result.classes) if kind["role"] != "background"]


def test_the_mask_comes_back_segment_by_segment(dicom: Result, tmp_path: Path) -> None:
    image = hd.seg.segread(written(dicom, "dicom-seg", tmp_path / "s.dcm"))
    assert image.segmentation_type == hd.seg.SegmentationTypeValues.BINARY
    found = image.get_total_pixel_matrix()
    assert found.shape[:2] == dicom.lattice.shape
    for number, k in enumerate(segment_classes(dicom), 1):
        described = image.get_segment_description(number)
        assert described.segment_label == dicom.classes[k]["name"]
        assert described.segmented_property_category.scheme_designator == "SCT"
        assert described.algorithm_identification.name == "drawn"
        assert described.algorithm_type.value == "AUTOMATIC"
        assert np.array_equal(found[..., number - 1], label(dicom, "mask") == k + 1)


def test_probabilities_come_back_bit_for_bit(dicom: Result, tmp_path: Path) -> None:
    path = written(dicom, "dicom-seg", tmp_path / "s.dcm", fractional=True)
    image = hd.seg.segread(path)
    assert (image.SegmentationType, image.SegmentationFractionalType) == (
        "FRACTIONAL",
        "PROBABILITY",
    )
    found = image.get_total_pixel_matrix(rescale_fractional=False)
    expected = np.moveaxis(heat(dicom)[segment_classes(dicom)], 0, -1)
    assert np.array_equal(found, expected)


def test_it_lies_on_the_slide(dicom: Result, shared_data: Path, tmp_path: Path) -> None:
    image = hd.seg.segread(written(dicom, "dicom-seg", tmp_path / "s.dcm"))
    source = level_0(shared_data)
    assert image.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert image.StudyInstanceUID == source.StudyInstanceUID
    assert next(iter(image.get_source_image_uids()))[2] == source.SOPInstanceUID
    ours, theirs = (
        hd.spatial.ImageToReferenceTransformer.for_image(each, for_total_pixel_matrix=True)
        for each in (image, source)
    )
    corners = np.array([[0, 0], [100, 0], [0, 100]], float)
    steps = np.array([dicom.lattice.step_x, dicom.lattice.step_y])
    np.testing.assert_allclose(ours(corners), theirs(corners * steps), atol=1e-6)


def test_hands_make_it_semiautomatic(dicom: Result, tmp_path: Path) -> None:
    copy = Result.load(shutil.copytree(dicom.path, tmp_path / "edited.breastpath"))
    paint(copy, segment_classes(copy)[-1] + 1)
    image = hd.seg.segread(written(copy, "dicom-seg", tmp_path / "s.dcm"))
    assert image.get_segment_description(1).algorithm_type.value == "SEMIAUTOMATIC"


def test_nothing_found_is_an_empty_segmentation(dicom: Result, tmp_path: Path) -> None:
    copy = Result.load(shutil.copytree(dicom.path, tmp_path / "none.breastpath"))
    copy.map.label("edits").write(0, 0, np.full(copy.lattice.shape, 255, np.uint8))
    measure_result(copy)
    image = hd.seg.segread(written(copy, "dicom-seg", tmp_path / "s.dcm"))
    assert not image.get_total_pixel_matrix().any()
    report = hd.sr.srread(written(copy, "dicom-sr", tmp_path / "r.dcm"))
    assert not report.content.get_planar_roi_measurement_groups()


def test_the_report_holds_every_region_of_a_cell_or_more(
    dicom: Result, report: hd.sr.Comprehensive3DSR, shared_data: Path
) -> None:
    groups = report.content.get_planar_roi_measurement_groups()
    table = dicom.regions[~dicom.regions["below_cell_size"]]
    assert len(groups) == len(table) > 3
    to_pixels = hd.spatial.ReferenceToImageTransformer.for_image(
        level_0(shared_data), for_total_pixel_matrix=True
    )
    wanted = {"area_mm2": "Area", "feret_max_mm": "LongAxis", "major_axis_mm": "MajorAxis"}
    for group, row in zip(groups, table.to_dict("records"), strict=True):
        assert group.tracking_identifier == f"{row['class']} {row['region_id']}"
        for column, word in wanted.items():
            (found,) = group.get_measurements(name=getattr(codes.SCT, word))
            assert found.value == pytest.approx(row[column], rel=1e-9)
            assert found.unit.value == ("mm2" if column == "area_mm2" else "mm")
        outline = to_pixels(group.roi.value)[:, :2]
        ends = np.array([[row["feret_x1"], row["feret_y1"]], [row["feret_x2"], row["feret_y2"]]])
        assert (outline.min(axis=0) <= ends.max(axis=0)).all()
        assert (outline.max(axis=0) >= ends.min(axis=0)).all()
    categories = {
        evaluation.value.meaning
        for group in groups
        for evaluation in group.get_qualitative_evaluations()
    }
    assert any("tumor cells" in meaning or "metastasis" in meaning for meaning in categories)


def test_the_slides_longest_feret_is_drawn(dicom: Result, report: hd.sr.Comprehensive3DSR) -> None:
    (slide,) = report.content.get_image_measurement_groups()
    (longest,) = slide.get_measurements(name=codes.SCT.LongAxis)
    assert longest.value == pytest.approx(dicom.record["regions"]["longest_feret_mm"])
    (line,) = longest.referenced_coordinates
    length_mm = np.linalg.norm(np.diff(line.value, axis=0))
    assert length_mm == pytest.approx(longest.value, rel=1e-3)
    areas = slide.get_measurements(name=codes.SCT.Area)
    assert areas[0].value == pytest.approx(dicom.record["regions"]["total_area_mm2"])


def test_a_manual_extent_stands_beside_the_automatic_one(dicom: Result, tmp_path: Path) -> None:
    copy = Result.load(shutil.copytree(dicom.path, tmp_path / "hand.breastpath"))
    (x, y), mpp = (200.0, 300.0), copy.slide_mpp
    extent = {"x1": x, "y1": y, "x2": x + 600, "y2": y + 800}
    length = float(np.hypot(600 * mpp.x, 800 * mpp.y)) / 1e3
    Corrections.open(copy, "A. Reader").note("extent", extent | {"length_mm": length})
    measure_result(copy)
    report = hd.sr.srread(written(copy, "dicom-sr", tmp_path / "r.dcm"))
    (slide,) = report.content.get_image_measurement_groups()
    automatic, manual = slide.get_measurements(name=codes.SCT.LongAxis)
    assert automatic.value == pytest.approx(copy.record["regions"]["longest_feret_mm"])
    assert manual.value == pytest.approx(length)
    assert "by hand" in manual.method.meaning
    (line,) = manual.referenced_coordinates
    assert np.linalg.norm(np.diff(line.value, axis=0)) == pytest.approx(length, rel=1e-3)


@pytest.mark.parametrize(
    ("to", "fractional"), [("dicom-seg", False), ("dicom-seg", True), ("dicom-sr", False)]
)
def test_a_validator_finds_no_fault(
    dicom: Result, tmp_path: Path, to: str, fractional: bool
) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    path = written(dicom, to, tmp_path / "x.dcm", fractional=fractional)
    found = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = [line for line in found.stderr.splitlines() if line.startswith(("Error", "Warning"))]
    assert [line for line in lines if not any(known in line for known in KNOWN)] == []


def test_a_slide_that_went_away_or_is_another_one(
    dicom: Result, shared_data: Path, tmp_path: Path
) -> None:
    moved = Result(dicom.path, dict(dicom.record))
    facts = dicom.record["slide"]
    for path, cause in ((tmp_path / "gone", "not there"), (shared_data / SLIDE, "not the slide")):
        moved.record["slide"] = facts | {"path": str(path), "fingerprint": "0" * 64}
        with pytest.raises(ResultError, match=cause):
            export_result(moved, "dicom-sr", tmp_path / "r.dcm")
    assert not list(tmp_path.iterdir())
