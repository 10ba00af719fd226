"""Every kind of source gives images with patients, pixel sizes and truth where it belongs."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from training_images import blobs, config, source, stained, write_masks

from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.training.config import ClassConfig
from napari_breastpath.training.sources import Sample, read_samples
from napari_breastpath.training.truth import PointTruth, RasterTruth

CENTRES = np.arange(96) + 0.5


def _only(samples: list[Sample]) -> Sample:
    (sample,) = samples
    return sample


def _image(folder: Path, name: str = "P1-0_image.png", seed: int = 1) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    labels = blobs(seed)
    Image.fromarray(stained(labels, seed)).save(folder / name)
    return labels


def test_masks_lie_on_their_images_at_the_models_resolution(tmp_path: Path) -> None:
    write_masks(tmp_path, patients=2)
    first, second = read_samples(config(tmp_path, source(tmp_path), mpp=2.0))
    assert (first.patient, second.patient) == ("P1", "P2")
    values, weight = first.truth.at(CENTRES, CENTRES)
    wanted = blobs(100) > 0
    assert (values == wanted).mean() > 0.97
    assert weight.min() == 1
    assert not second.truth.at(CENTRES, CENTRES)[0].any()
    outside = first.truth.at(np.array([-1.0, 97.0]), CENTRES)[1]
    assert not outside.any()


def test_slides_with_geojson_and_without_labels(tmp_path: Path) -> None:
    _image(tmp_path)
    ring = [[10, 20], [50, 20], [50, 60], [10, 60], [10, 20]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"classification": {"name": "Tumor"}},
    }
    (tmp_path / "P1-0.geojson").write_text(json.dumps([feature]), encoding="utf-8")
    labelled = source(tmp_path, "slides", labels=str(tmp_path / "*.geojson"), tissue="none")
    values, _ = _only(read_samples(config(tmp_path, labelled, mpp=2.0))).truth.at(CENTRES, CENTRES)
    assert values[20:60, 10:50].all()
    assert values.sum() == 40 * 40
    normal = source(tmp_path, "slides", labels="")
    assert not _only(read_samples(config(tmp_path, normal))).truth.at(CENTRES, CENTRES)[0].any()


def test_instances_keep_their_numbers_and_merged_ones_are_unknown(tmp_path: Path) -> None:
    labels = _image(tmp_path)
    tifffile.imwrite(tmp_path / "P1-0_mask.tif", labels.astype(np.uint16))
    from_tiff = source(tmp_path, "instances", labels=str(tmp_path / "*_mask.tif"))
    asked = config(tmp_path, from_tiff, task="nuclei")
    values, weight = _only(read_samples(asked)).truth.at(CENTRES, CENTRES)
    assert np.array_equal(values, labels)
    assert weight.all()
    dumbbell = np.zeros((96, 96), np.uint8)
    dumbbell[20:40, 20:40] = dumbbell[29:31, 40:60] = dumbbell[20:40, 60:80] = 255
    dumbbell[60:70, 60:70] = 255
    Image.fromarray(dumbbell).save(tmp_path / "P1-0_mask.png")
    merged = dataclasses.replace(asked, sources=(source(tmp_path, "instances", merged=True),))
    values, weight = _only(read_samples(merged)).truth.at(CENTRES, CENTRES)
    assert len(np.unique(values)) == 3
    assert not weight[20:40, 20:40].any()
    assert weight[60:70, 60:70].all()
    assert weight[0, 0] == 1


def test_unknown_magnification_follows_from_the_nuclei(tmp_path: Path) -> None:
    labels = _image(tmp_path)
    tifffile.imwrite(tmp_path / "P1-0_mask.tif", labels.astype(np.uint16))
    asked = source(
        tmp_path, "instances", labels=str(tmp_path / "*_mask.tif"), mpp=(), nucleus_um=8.0
    )
    mpp = _only(read_samples(config(tmp_path, asked, task="nuclei"))).slide.mpp
    assert mpp.x == mpp.y == pytest.approx(0.5, rel=0.1)  # the discs are about 16 px across


def test_classes_come_from_folders_or_a_table(tmp_path: Path) -> None:
    classes = (ClassConfig("benign"), ClassConfig("malignant"))
    for k, name in enumerate(("benign", "malignant")):
        _image(tmp_path / name, f"P{k}-0_image.png", k)
    folders = source(tmp_path, "classes", images=str(tmp_path), labels="")
    asked = config(tmp_path, folders, task="classification", classes=classes)
    found = {s.patient: s.truth.at(CENTRES, CENTRES)[0][0, 0] for s in read_samples(asked)}
    assert found == {"P0": 1, "P1": 2}
    table = "file,who,what\nP0-0_image.png,Ann,malignant\n"
    (tmp_path / "t.csv").write_text(table, encoding="utf-8")
    tabled = source(
        tmp_path,
        "classes",
        images=str(tmp_path / "benign" / "*"),
        labels="",
        table=str(tmp_path / "t.csv"),
        patient_column="who",
        class_column="what",
    )
    sample = _only(read_samples(dataclasses.replace(asked, sources=(tabled,))))
    assert (sample.patient, sample.truth.at(CENTRES, CENTRES)[0][0, 0]) == ("Ann", 2)


def test_of_one_class_what_is_erased_is_not_it(tmp_path: Path) -> None:
    for k, name in enumerate(("benign", "malignant")):
        _image(tmp_path / name, f"P{k}-0_image.png", k)
    folders = source(tmp_path, "classes", images=str(tmp_path), labels="")
    asked = config(tmp_path, folders, task="classification", classes=(ClassConfig("malignant"),))
    with pytest.raises(BreastPathError, match=r"class benign, which the model has not.*`classes`"):
        read_samples(asked)
    mapped = dataclasses.replace(folders, classes={"benign": "erase"})
    samples = read_samples(dataclasses.replace(asked, sources=(mapped,)))
    found = {s.patient: s.truth.at(CENTRES, CENTRES) for s in samples}
    assert {name: values[0, 0] for name, (values, _) in found.items()} == {"P0": 0, "P1": 1}
    assert all(weight.all() for _, weight in found.values())


@pytest.mark.parametrize("kind", ["csv", "discs", "centred", "empty"])
def test_points_are_hills_of_heat(tmp_path: Path, kind: str) -> None:
    _image(tmp_path)
    (tmp_path / "P1-0.csv").write_text("x,y\n30,60\n", encoding="utf-8")
    discs = np.zeros((96, 96), np.uint8)
    discs[58:62, 28:32] = 255
    Image.fromarray(discs).save(tmp_path / "P1-0_discs.png")
    labels = {"csv": "*.csv", "discs": "*_discs.png"}.get(kind, "")
    given = source(
        tmp_path,
        "points",
        labels=str(tmp_path / labels) if labels else "",
        mpp=(0.5, 0.25),
        centred=kind == "centred",
        empty=kind == "empty",
    )
    sample = _only(read_samples(config(tmp_path, given, task="points", decay_per_um=0.5)))
    x, y = {"centred": (48, 48)}.get(kind, (30, 60))
    heat, weight = sample.truth.at(np.array([y, y + 8.0]), np.array([x, x + 4.0, 200.0]))
    assert weight[:, 2].sum() == 0
    expected = [[1, np.exp(-1)], [np.exp(-1), np.exp(-np.sqrt(2))]]  # both steps are 2 µm
    assert heat[:, :2] == pytest.approx(np.array(expected) * (kind != "empty"), abs=1e-3)


def test_heat_is_that_of_the_nearest_point() -> None:
    points = np.array([[10.0, 10.0], [12.0, 10.0]])
    truth = PointTruth(points, PixelSize(1, 1), 1.0, (50, 50))
    heat, _ = truth.at(np.array([10.0]), np.array([10.0, 11.0, 13.0]))
    assert heat[0] == pytest.approx([1, np.exp(-1), np.exp(-1)])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": "nothing/*.png"}, "matches no file of source masks"),
        ({"labels": "nothing/*.png"}, "its labels .* are not there"),
        ({"patient": "Q[0-9]"}, "no patient in its name"),
        ({"patient": "("}, "patient = .* is none"),
        ({"table": "no.csv"}, "no.csv: cannot be read"),
        ({"mpp": ()}, "pixel size|µm/px"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    write_masks(tmp_path, patients=1)
    with pytest.raises(BreastPathError, match=words):
        read_samples(config(tmp_path, source(tmp_path, **changes)))


def test_a_large_raster_is_packed_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values, weight = rng.integers(0, 3, (700, 900)), rng.random((700, 900)).astype(np.float32)
    plain = RasterTruth(values, (2.0, 3.0), weight)
    monkeypatch.setattr("napari_breastpath.training.truth.PACKED_PX", 1000)
    packed = pickle.loads(pickle.dumps(RasterTruth.packed(values, (2.0, 3.0), weight)))
    assert not isinstance(packed.values, np.ndarray)
    ys, xs = rng.uniform(-50, 2200, 40), rng.uniform(-50, 1900, 50)
    for ours, theirs in zip(plain.at(ys, xs), packed.at(ys, xs), strict=True):
        assert np.array_equal(ours, theirs)


def test_a_raster_is_asked_where_its_pixels_lie() -> None:
    truth = RasterTruth(np.arange(6).reshape(2, 3), (2.0, 4.0))
    values, weight = truth.at(np.array([0.1, 3.9, 4.0, 8.1]), np.array([1.9, 2.0, 5.9, 6.0]))
    assert values.tolist() == [[0, 1, 2, 0], [0, 1, 2, 0], [3, 4, 5, 0], [0, 0, 0, 0]]
    assert weight.tolist() == [[1, 1, 1, 0]] * 3 + [[0] * 4]
