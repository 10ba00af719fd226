"""Images with their truth, patients and pixel sizes, from every kind of source."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import UsageError
from napari_breastpath.core.geometry import Lattice, output_stride
from napari_breastpath.exchange.class_names import ClassNames, unknown_class
from napari_breastpath.exchange.label_image import read_label_image
from napari_breastpath.exchange.painting import Canvas, is_annotation_file, read_painting
from napari_breastpath.results import Result, load_result
from napari_breastpath.results.maps import ERASED
from napari_breastpath.results.masks import bands, measured_mask
from napari_breastpath.slides import Slide, open_slide
from napari_breastpath.training.config import Config
from napari_breastpath.training.files import Pair, class_of, find_pairs, patient_of
from napari_breastpath.training.points import read_points
from napari_breastpath.training.source_config import SourceConfig
from napari_breastpath.training.truth import ClassTruth, PointTruth, RasterTruth, Truth

Mpp = tuple[float, float] | float | None
ASSUMED_MPP = 0.5
# Larger images are told apart by a thumbnail.
WHOLE_PX = 4_000_000
THUMBNAIL_PX = 512


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its truth.

    Attributes
    ----------
    slide : Slide
    truth : Truth
    patient : str
        Samples of one patient are on one side of every split.
    source : SourceConfig
    """

    slide: Slide
    truth: Truth
    patient: str
    source: SourceConfig

    @property
    def path(self) -> Path:
        """The image."""
        return self.slide.path

    @property
    def tissue(self) -> str:
        """How its background is found: `none`, `otsu` or `yen`."""
        whole_slide = self.source.kind in ("slides", "results")
        return self.source.tissue or ("otsu" if whole_slide else "none")

    @cached_property
    def image_hash(self) -> str:
        """SHA-256 of the pixels, of a large image's thumbnail: the same in any file format."""
        slide = self.slide
        is_small = slide.width * slide.height <= WHOLE_PX
        pixels = slide.thumbnail(max(slide.width, slide.height) if is_small else THUMBNAIL_PX)
        size = f"{slide.width} {slide.height} ".encode()
        return hashlib.sha256(size + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def read_samples(config: Config) -> list[Sample]:
    """Open every image of a config's sources; patients held out are left out.

    Raises
    ------
    UsageError, SlideError, AnnotationError, ResultError
        Naming the file.
    """
    return read_sides(config)[0]


def read_sides(config: Config) -> tuple[list[Sample], list[Sample]]:
    """Return the images that may be used, and those of the patients held out.

    Raises
    ------
    UsageError, SlideError, AnnotationError, ResultError
        As `read_samples`.
    """
    sides: tuple[list[Sample], list[Sample]] = [], []
    for source in config.sources:
        for sample in _of_source(source, config):
            sides[sample.patient in config.held_out].append(sample)
    if not sides[0]:
        raise UsageError("sources", "hold no image that may be used", "correct `held_out`")
    return sides


def _of_source(source: SourceConfig, config: Config) -> list[Sample]:
    if source.kind == "results":
        samples = _result_samples(source, config)
    else:
        samples = [_sample(source, pair, config) for pair in _pairs(source)]
    return _colour_grouped(samples, source) if source.colour_groups else samples


def _colour_grouped(samples: list[Sample], source: SourceConfig) -> list[Sample]:
    """Return samples whose patients are groups of like mean and spread of colour (k-means)."""
    from sklearn.cluster import KMeans

    pixels = [sample.slide.thumbnail(THUMBNAIL_PX).reshape(-1, 3) for sample in samples]
    colours = np.array([(*one.mean(axis=0), *one.std(axis=0)) for one in pixels])
    groups = KMeans(min(source.colour_groups, len(samples)), n_init=4, random_state=0)
    names = [f"{source.title} colour {k + 1}" for k in groups.fit_predict(colours)]
    return [
        dataclasses.replace(sample, patient=name)
        for sample, name in zip(samples, names, strict=True)
    ]


def _pairs(source: SourceConfig) -> list[Pair]:
    folder = Path(source.images)
    if source.kind != "classes" or not folder.is_dir():
        return find_pairs(source)
    classes = sorted(each.name for each in folder.iterdir() if each.is_dir())
    inside = [dataclasses.replace(source, images=str(folder / c / "*")) for c in classes]
    return [pair for each in inside for pair in find_pairs(each)]


def _sample(source: SourceConfig, pair: Pair, config: Config) -> Sample:
    read, mpp = _READERS[source.kind], _mpp(source)
    if source.nucleus_um and mpp is None and pair.labels is not None:
        mpp = nucleus_mpp(_whole_labels(pair.labels, pair.image), source.nucleus_um)
    slide = open_slide(pair.image, mpp, source.magnification or None if mpp is None else None)
    if slide.channels != 3:
        raise UsageError(pair.image, "is a grey image", "give RGB, or narrow `images`")
    return Sample(slide, read(slide, pair, source, config), pair.patient, source)


def _mpp(source: SourceConfig) -> Mpp:
    return (source.mpp[0], source.mpp[-1]) if source.mpp else None


def _class_names(source: SourceConfig, config: Config) -> ClassNames:
    classes = [{"name": one.name, "role": one.role} for one in config.classes]
    return ClassNames(classes, dict(source.classes))


def _painted(slide: Slide, pair: Pair, source: SourceConfig, config: Config) -> Truth:
    """Return annotations of a slide, on the raster of the model's map (2 µm and coarser)."""
    return _painting(slide, pair, source, config, config.mpp * output_stride(config.mpp))


def _mask(slide: Slide, pair: Pair, source: SourceConfig, config: Config) -> Truth:
    """Return the mask of a picture at the model's own resolution."""
    return _painting(slide, pair, source, config, config.mpp)


def _painting(
    slide: Slide, pair: Pair, source: SourceConfig, config: Config, mpp: float
) -> RasterTruth:
    lattice, size = slide.lattice(mpp), (slide.width, slide.height)
    step = lattice.step_x, lattice.step_y
    if pair.labels is None:
        return RasterTruth.packed(np.zeros(lattice.shape, np.uint8), step)
    if _is_blank(pair.labels, lattice, size):
        return RasterTruth.packed(np.zeros(lattice.shape, np.uint8), step)
    canvas = Canvas(lattice, slide.mpp, size, slide.bounds_offset)
    painting = read_painting(pair.labels, canvas, _class_names(source, config))
    return RasterTruth.packed(painting.raster, step)


def _is_blank(path: Path, lattice: Lattice, size: tuple[int, int]) -> bool:
    """Tell whether a file is a label image of nothing: a normal image."""
    if path.is_dir() or is_annotation_file(path):
        return False
    return not read_label_image(path, lattice, size).values()


def _instances(slide: Slide, pair: Pair, source: SourceConfig, config: Config) -> Truth:
    """Return one number a nucleus; those of merged masks that cannot be one nucleus unknown."""
    from napari_breastpath.training.instances import separate

    values = _whole_labels(_required(pair), pair.image)
    weight = None
    if source.merged:
        values, weight = separate(values > 0)
    height, width = values.shape
    return RasterTruth(values, (slide.width / width, slide.height / height), weight)


def _points(slide: Slide, pair: Pair, source: SourceConfig, config: Config) -> Truth:
    size = slide.width, slide.height
    if source.centred:
        points = np.array([size], np.float64) / 2
    elif source.empty:
        points = np.empty((0, 2))
    else:
        points = read_points(_required(pair))
    return PointTruth(points, slide.mpp, config.decay_per_um, size)


def _class(slide: Slide, pair: Pair, source: SourceConfig, config: Config) -> Truth:
    """Return the class of an image; of a model of one class, what is erased is not it."""
    name, size = class_of(source, pair), (slide.width, slide.height)
    value = _class_names(source, config).value(name)
    if value == ERASED and len(config.classes) == 1:
        return ClassTruth(0, size)
    if value is None or not 0 < value <= len(config.classes):
        known = ", ".join(one.name for one in config.classes)
        advice = f"its classes are {known}; say what is meant in the source's `classes`"
        raise UsageError(pair.image, f"is of class {name}, which the model has not", advice)
    return ClassTruth(value, size)


_READERS: dict[str, Callable[[Slide, Pair, SourceConfig, Config], Truth]] = {
    "slides": _painted,
    "masks": _mask,
    "instances": _instances,
    "points": _points,
    "classes": _class,
}


def _required(pair: Pair) -> Path:
    if pair.labels is None:
        raise UsageError(pair.image, "its source names no `labels`", "add the key")
    return pair.labels


def _whole_labels(path: Path, image: Path) -> NDArray[Any]:
    """Return a label image as it is, int32 (y, x)."""
    with open_slide(image, ASSUMED_MPP) as slide:
        lattice = slide.lattice(slide.mpp.x)
        labels = read_label_image(path, lattice, (slide.width, slide.height))
    return np.concatenate([band for _, band in labels.bands()]).astype(np.int32)


def nucleus_mpp(labels: NDArray[Any], diameter_um: float) -> float:
    """Return the µm/px at which the median nucleus has a diameter (of a circle of its area)."""
    areas = np.bincount(labels.ravel())[1:]
    median = np.median(areas[areas > 0]) if areas.any() else np.nan
    if not median > 0:
        raise UsageError("nucleus_um", "an image has no nuclei to go by", "give its mpp")
    return float(diameter_um / np.sqrt(4 * median / np.pi))


def _result_samples(source: SourceConfig, config: Config) -> list[Sample]:
    names = _class_names(source, config)
    return [_result_sample(source, each.image, each.row, names) for each in find_pairs(source)]


def _result_sample(
    source: SourceConfig, path: Path, row: dict[str, str], names: ClassNames
) -> Sample:
    """Return a corrected result: the mask as measured, hands count more, beyond tissue nothing."""
    result = load_result(path)
    slide = open_slide(result.slide_path, (result.slide_mpp.x, result.slide_mpp.y))
    if slide.fingerprint != result.record["slide"]["fingerprint"]:
        raise UsageError(path, f"{slide.path} is no longer its slide", "bring the slide back")
    lattice = result.lattice
    values, weight = corrected(result, source.edited_weight)
    step = lattice.step_x, lattice.step_y
    truth = RasterTruth.packed(_renamed(result, names)[values], step, weight)
    named = slide.path if source.patient else path
    return Sample(slide, truth, patient_of(source, named, row), source)


def _renamed(result: Result, names: ClassNames) -> NDArray[np.uint8]:
    """Return the new model's class number of each class number of a result, from 0."""
    numbers = [names.value(str(one["name"])) for one in result.classes]
    unknown = [one["name"] for one, k in zip(result.classes, numbers, strict=True) if k is None]
    if unknown:
        raise unknown_class(result.path, unknown, names)
    return np.array([0, *(number or 0 for number in numbers)], np.uint8)


def corrected(result: Result, edited_weight: float) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the mask of a result with hands laid over it, and how much each pixel counts.

    Returns
    -------
    mask : ndarray, uint8 (y, x)
    weight : ndarray, float32 (y, x)
        0 where nothing was inferred nor painted, 1 where only the model spoke, `edited_weight`
        where a hand did.
    """
    threshold = float(result.record["settings"]["threshold"])
    masks, weights = [], []
    for band in bands(result):
        masks.append(measured_mask(band, result.classes, threshold))
        known = np.where(band.heat.max(axis=0) > 0, np.float32(1), np.float32(0))
        weights.append(np.where(band.edits > 0, np.float32(edited_weight), known))
    return np.concatenate(masks), np.concatenate(weights)
