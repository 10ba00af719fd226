"""Label images and OME-NGFF labels of every kind, laid on a slide's lattice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from napari_breastpath.core.errors import AnnotationError, BreastPathError, UsageError
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.exchange.class_names import ClassNames
from napari_breastpath.exchange.painting import Canvas, read_area, read_painting
from napari_breastpath.results.maps import MapStore

MPP = PixelSize(0.5, 0.25)
CLASSES = [
    {"name": "stroma", "color": (0, 200, 0), "role": "other"},
    {"name": "tumour", "color": (200, 0, 0), "role": "tumour"},
]
NAMES = ClassNames(CLASSES)
SIZE = (320, 480)
LATTICE = Lattice.over(*SIZE, MPP, 4.0)  # 40 × 30 pixels of 8 × 16 px
CANVAS = Canvas(LATTICE, MPP, SIZE)
LABELS = np.zeros(LATTICE.shape, np.uint8)
LABELS[3:9, 5:15] = 1
LABELS[5:7, 8:12] = 2
LABELS[20:24, 30:38] = 255


def saved(folder: Path, array: np.ndarray, name: str = "a.png", mode: str | None = None) -> Path:
    path = folder / name
    image = Image.fromarray(array)
    if mode == "P":
        image.putpalette([37, 99, 1] * 256)
    image.save(path)
    return path


def ngff(folder: Path, version: str, labels: np.ndarray, unit: str | None, **more: object) -> Path:
    """Write labels as other programs do: no pyramid beyond ×2, no `dimension_names` in 0.4."""
    path = folder / f"labels-{version}.zarr"
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    scale: list[float] = list(more.pop("scale", (4.0, 4.0)))
    shift = more.pop("translation", None)
    axes = [{"name": a, "type": "space"} | ({"unit": unit} if unit else {}) for a in "yx"]
    datasets = []
    for level, factor in enumerate((1, 2)):
        array = labels[::factor, ::factor]
        group.create_array(str(level), data=array, chunks=(8, 8))
        transforms: list[dict] = [{"type": "scale", "scale": [s * factor for s in scale]}]
        if shift is not None:
            transforms.append({"type": "translation", "translation": list(shift)})
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    ome = {"multiscales": [{"axes": axes, "datasets": datasets}], "image-label": more}
    group.attrs.update(ome if version == "0.4" else {"ome": {"version": version, **ome}})
    return path


@pytest.mark.parametrize("mode", [None, "P"])
@pytest.mark.parametrize("factor", [1, 3])
def test_png_of_classes(tmp_path: Path, mode: str | None, factor: int) -> None:
    path = saved(tmp_path, LABELS.repeat(factor, 0).repeat(factor, 1), mode=mode)
    found = read_painting(path, CANVAS, NAMES)
    np.testing.assert_array_equal(found.raster, LABELS)
    assert found.count == 3


def test_png_with_equal_colours_and_alpha_is_grey(tmp_path: Path) -> None:
    grey = np.stack([LABELS] * 3 + [np.full_like(LABELS, 7)], axis=-1)
    found = read_painting(saved(tmp_path, grey), CANVAS, NAMES)
    np.testing.assert_array_equal(found.raster, LABELS)


def test_a_mask_of_0_and_255_is_tumour(tmp_path: Path) -> None:
    mask = np.where(LABELS == 1, 255, 0).astype(np.uint8)
    for array in (mask, mask > 0):
        path = saved(tmp_path, array)
        painted = read_painting(path, CANVAS, NAMES) if array.dtype == np.uint8 else None
        assert painted is None or set(np.unique(painted.raster)) == {0, 2}
        np.testing.assert_array_equal(read_area(path, CANVAS).raster > 0, mask > 0)


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"compression": "zlib"}])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiffs(tmp_path: Path, options: dict, dtype: type) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, LABELS.astype(dtype), **options)
    np.testing.assert_array_equal(read_painting(path, CANVAS, NAMES).raster, LABELS)


def test_of_a_pyramid_the_level_of_the_lattice_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        wrong = np.full([n * 2 for n in LATTICE.shape], 1, np.uint8)
        file.write(wrong, subifds=2, tile=(16, 16))
        file.write(LABELS, subfiletype=1, tile=(16, 16))
        file.write(LABELS[::2, ::2] * 0 + 1, subfiletype=1, tile=(16, 16))
    np.testing.assert_array_equal(read_painting(path, CANVAS, NAMES).raster, LABELS)


def test_the_named_mask_of_several_images_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(np.full((2, *LATTICE.shape), 9, np.uint8), metadata={"axes": "CYX"})
        file.write(LABELS, metadata={"axes": "YX", "Name": "mask"})
    np.testing.assert_array_equal(read_painting(path, CANVAS, NAMES).raster, LABELS)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("unit", "scale", "translation"),
    [
        # Centres: level-0 pixel 0 is at 0, so label pixel 0 lies half the difference further.
        ("micrometer", (4.0, 4.0), ((4 - 0.25) / 2, (4 - 0.5) / 2)),
        ("millimeter", (0.004, 0.004), ((4 - 0.25) / 2000, (4 - 0.5) / 2000)),
        (None, (1.0, 1.0), None),
    ],
)
def test_ngff_labels_with_and_without_a_scale(
    tmp_path: Path, version: str, unit: str | None, scale: tuple, translation: tuple | None
) -> None:
    path = ngff(tmp_path, version, LABELS, unit, scale=scale, translation=translation)
    np.testing.assert_array_equal(read_painting(path, CANVAS, NAMES).raster, LABELS)


def test_ngff_labels_finer_than_the_map_and_of_a_part_of_the_slide(tmp_path: Path) -> None:
    part = LABELS[2:12, 4:20].repeat(4, 0).repeat(4, 1)
    start = (2 * 4 + (1 - 0.25) / 2, 4 * 4 + (1 - 0.5) / 2)
    path = ngff(tmp_path, "0.5", part, "micrometer", scale=(1.0, 1.0), translation=start)
    expected = np.zeros_like(LABELS)
    expected[2:12, 4:20] = LABELS[2:12, 4:20]
    np.testing.assert_array_equal(read_painting(path, CANVAS, NAMES).raster, expected)
    beyond = ngff(tmp_path / "b", "0.5", part, "micrometer", translation=(9e3, 9e3))
    with pytest.raises(AnnotationError, match="outside the slide"):
        read_painting(beyond, CANVAS, NAMES)


def test_names_of_ngff_values_count_more_than_the_values(tmp_path: Path) -> None:
    properties = [
        {"label-value": 1, "name": "Tumor"},
        {"label-value": 2, "class": "ignore*"},
        {"label-value": 255, "name": "Stroma"},
    ]
    path = ngff(tmp_path, "0.5", LABELS, "micrometer", properties=properties)
    found = read_painting(path, CANVAS, NAMES).raster
    for value, meant in ((1, 2), (2, 255), (255, 1)):
        assert set(np.unique(found[value == LABELS])) <= {meant, 0}
    assert {1, 2, 255} <= set(np.unique(found))


@settings(max_examples=20, deadline=None)
@given(arrays(np.uint8, (30, 40), elements=st.sampled_from([0, 1, 2, 255])))
def test_labels_to_our_ngff_to_labels(
    tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("map") / "a.ome.zarr"
    kinds = [(c["name"], c["color"]) for c in CLASSES]
    store = MapStore.create(path, LATTICE, MPP, kinds, tiles=(1, 1))
    store.label("edits").write(0, 0, labels)
    store.label("mask").write(0, 0, np.where(labels == 255, 0, labels).astype(np.uint8))
    if labels.any():
        found = read_painting(path / "labels" / "edits", CANVAS, NAMES)
        np.testing.assert_array_equal(found.raster, labels)
    if np.isin(labels, (1, 2)).any():
        found = read_painting(path, CANVAS, NAMES)
        np.testing.assert_array_equal(found.raster, np.where(labels == 255, 0, labels))


@pytest.mark.parametrize("allowed_elsewhere", [False, True])
def test_what_is_no_labels_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed_elsewhere: bool
) -> None:
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", allowed_elsewhere)
    colour = np.zeros((*LATTICE.shape, 3), np.uint8)
    colour[..., 0] = LABELS
    (tmp_path / "cut.png").write_bytes(saved(tmp_path, LABELS).read_bytes()[:60])
    (tmp_path / "nothing").mkdir()
    tifffile.imwrite(tmp_path / "f.tif", LABELS.astype(np.float32))
    tifffile.imwrite(tmp_path / "whole.tif", LABELS, tile=(16, 16))
    damaged = (tmp_path / "whole.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(damaged[: len(damaged) // 2])
    group = zarr.create_group(tmp_path / "two.zarr")
    group.create_group("labels").attrs["ome"] = {"labels": ["a", "b"]}
    bad = [
        saved(tmp_path, colour, "colour.png"),
        saved(tmp_path, LABELS[:, :10].copy(), "narrow.png"),
        saved(tmp_path, LABELS * 0 + 3, "unknown.png"),
        saved(tmp_path, LABELS * 0, "empty.png"),
        *(tmp_path / name for name in ("cut.png", "nothing", "f.tif", "cut.tif", "two.zarr")),
    ]
    for path in bad:
        with pytest.raises(BreastPathError) as error:
            read_painting(path, CANVAS, NAMES)
        assert isinstance(error.value, AnnotationError | UsageError), path
        assert "\n" not in str(error.value)


def test_unknown_values_say_which_classes_there_are(tmp_path: Path) -> None:
    path = saved(tmp_path, np.where(LABELS == 2, 9, LABELS).astype(np.uint8))
    with pytest.raises(UsageError, match=r"'value 9'.*stroma, tumour"):
        read_painting(path, CANVAS, NAMES)
    renamed = ClassNames(CLASSES, {"value 9": "tumour"})
    np.testing.assert_array_equal(read_painting(path, CANVAS, renamed).raster, LABELS)
