"""The whole slide at a glance: tissue, regions, caliper, scale bar and fields, as SVG shapes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import BreastPathError
from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.measure import region_polygons
from napari_breastpath.measure.outline import Ring
from napari_breastpath.report.fields import Field
from napari_breastpath.report.pictures import RGB, jpeg_uri, over_grey, shown_as_rgb
from napari_breastpath.report.wording import length_mm
from napari_breastpath.results import Result
from napari_breastpath.results.maps import pyramid_lattices
from napari_breastpath.results.masks import scored_channels
from napari_breastpath.slides import Slide

VIEW: Final = 1000.0
"""SVG units along the longer side of the slide; lines and letters keep their size in them."""
THUMBNAIL_PX, HEAT_PX = 1500, 900
TICK, LABEL_GAP, LETTER, CAPITAL = 13.0, 22.0, 17.0, 30.0
BAR_SHARE: Final = 0.22
TISSUE_UNITS, SMALL_TISSUE, SMALL_HOLE = 3.0, 150.0, 30.0
BLANK: Final = 244


@dataclass(frozen=True, slots=True)
class Frame:
    """The picture's coordinates: level-0 pixels times `x`, `y` are SVG units.

    Attributes
    ----------
    width, height : float
        Of the picture, in SVG units.
    x, y : float
        SVG units per level-0 pixel.
    unit_um : float
        µm per SVG unit along x.
    """

    width: float
    height: float
    x: float
    y: float
    unit_um: float


@dataclass(frozen=True, slots=True)
class Shape:
    """The outline of one class: SVG path data, name, colour."""

    path: str
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line between (x1, y1) and (x2, y2)."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Caliper:
    """The longest extent: its line, a tick at each end, its length and where that is written."""

    lines: tuple[Line, Line, Line]
    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of a round length: SVG units and what it stands for."""

    length: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a field lies, and its number."""

    number: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the two pictures of the whole slide show."""

    frame: Frame
    picture: str | None
    heat: str | None
    tissue: str
    regions: tuple[Shape, ...]
    caliper: Caliper | None
    bar: ScaleBar
    marks: tuple[Mark, ...]


def make_overview(result: Result, slide: Slide | str, fields: Sequence[Field]) -> Overview:
    """Return the overview of a result; without its slide, of the outlines alone."""
    frame = slide_frame(result)
    pixels = _thumbnail(slide)
    return Overview(
        frame,
        None if pixels is None else jpeg_uri(pixels),
        jpeg_uri(_heat_picture(result, frame, pixels)),
        _tissue_outline(result, frame),
        _class_outlines(result, frame),
        caliper_of(result, frame),
        scale_bar(frame),
        tuple(_mark(field, frame) for field in fields),
    )


def frame_of(width_um: float, height_um: float, mpp: PixelSize) -> Frame:
    """Return the coordinates of a picture of that size, pixels drawn with their true aspect."""
    unit_um = max(width_um, height_um) / VIEW
    return Frame(width_um / unit_um, height_um / unit_um, mpp.x / unit_um, mpp.y / unit_um, unit_um)


def slide_frame(result: Result) -> Frame:
    """Return the coordinates of a picture of the whole slide."""
    slide, mpp = result.record["slide"], result.slide_mpp
    return frame_of(slide["width"] * mpp.x, slide["height"] * mpp.y, mpp)


def _thumbnail(slide: Slide | str) -> RGB | None:
    if isinstance(slide, str):
        return None
    try:
        return shown_as_rgb(slide.thumbnail(THUMBNAIL_PX))
    except BreastPathError:
        return None


def _levels(result: Result) -> tuple[Lattice, ...]:
    return pyramid_lattices(result.lattice, len(result.map.probability.levels))


def _level_for(result: Result, pixel_um: float) -> int:
    """Return the coarsest level whose pixels are no larger than `pixel_um`, else the finest."""
    fine = (k for k, level in enumerate(_levels(result)) if max(level.mpp) <= pixel_um)
    return max(fine, default=0)


def _outlines(
    result: Result, label: str, frame: Frame, unit_px: float, small: Callable[[float], bool]
) -> dict[int, str]:
    """Return the SVG path of every value of a label.

    Parameters
    ----------
    unit_px : float
        How fine: at most so many SVG units a pixel, if the label is that fine.
    small : callable
        Whether a ring is left out, from its area in square units (holes negative).
    """
    level = _level_for(result, unit_px * frame.unit_um)
    values = result.map.label(label).read(slice(None), slice(None), level)
    lattice = _levels(result)[level]
    step = lattice.step_x * frame.x, lattice.step_y * frame.y
    return {
        value: path_data(ring for part in parts for ring in part if not small(_area(ring)))
        for value, parts in region_polygons(values, step).items()
    }


def _area(ring: Ring) -> float:
    """Return the signed area of a closed ring: positive for exteriors, with y down."""
    x, y = ring[:, 0], ring[:, 1]
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


def _tissue_outline(result: Result, frame: Frame) -> str:
    """Return the outline of tissue without the gaps and crumbs that only clutter an overview."""
    outlines = _outlines(
        result, "tissue", frame, TISSUE_UNITS, lambda area: abs(area) < SMALL_TISSUE
    )
    return outlines.get(1, "")


def path_data(rings: Iterable[Ring]) -> str:
    """Return closed rings as SVG path data, with one decimal."""
    return "".join(map(_ring_data, rings))


def _ring_data(ring: Ring) -> str:
    """Return one ring, whose edges lie along x and y by turns, as horizontals and verticals."""
    texts = [(f"{x:.1f}", f"{y:.1f}") for x, y in ring[:-1].tolist()]
    pairs = itertools.pairwise(texts)
    steps = (f"H{x}" if y == before[1] else f"V{y}" for before, (x, y) in pairs)
    return f"M{texts[0][0]} {texts[0][1]}{''.join(steps)}Z"


def _class_outlines(result: Result, frame: Frame) -> tuple[Shape, ...]:
    # A region is never left out, however small; only small holes are.
    paths = _outlines(
        result, "mask", frame, VIEW / THUMBNAIL_PX, lambda area: -SMALL_HOLE < area < 0
    )
    return tuple(
        Shape(paths[k], str(kind["name"]), "#{:02x}{:02x}{:02x}".format(*kind["color"]))
        for k, kind in enumerate(result.classes, 1)
        if k in paths
    )


def caliper_of(result: Result, frame: Frame) -> Caliper | None:
    """Return the caliper of the region that the slide's longest extent comes from."""
    row = longest_region(result)
    if row is None:
        return None
    x1, x2 = row["feret_x1"] * frame.x, row["feret_x2"] * frame.x
    y1, y2 = row["feret_y1"] * frame.y, row["feret_y2"] * frame.y
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    across = -(y2 - y1) / length * TICK, (x2 - x1) / length * TICK
    lines = (
        Line(x1, y1, x2, y2),
        *(
            Line(x - across[0], y - across[1], x + across[0], y + across[1])
            for x, y in ((x1, y1), (x2, y2))
        ),
    )
    text = extent_text(row)
    return Caliper((lines[0], lines[1], lines[2]), text, *_label_place(lines[0], text, frame))


def _label_place(line: Line, text: str, frame: Frame) -> tuple[float, float]:
    """Return where a centred text stands clear of a line and inside the picture."""
    dx, dy = line.x2 - line.x1, line.y2 - line.y1  # dx ≥ 0: the left end of a Feret comes first
    length, half = math.hypot(dx, dy) or 1.0, len(text) * LETTER / 2
    away = LABEL_GAP + abs(dy) / length * half
    x = (line.x1 + line.x2) / 2 + dy / length * away
    y = (line.y1 + line.y2) / 2 - dx / length * away
    x = min(max(x, half + 8), max(frame.width - half - 8, half + 8))
    return x, min(max(y, CAPITAL + 8), frame.height - 8)


def longest_region(result: Result) -> dict[str, Any] | None:
    """Return the row of the region with the slide's longest extent, None where there is none."""
    regions, wanted = result.regions, result.record["regions"]["longest_feret_region"]
    found = regions[regions["region_id"] == wanted].head(1)
    rows: list[dict[str, Any]] = found.to_dict("records")
    return next(iter(rows), None)


def extent_text(row: dict[str, Any]) -> str:
    """Return a region's longest extent, with ≥ where it may go on beyond what was read."""
    open_ended = row["touches_edge"] or row["touches_unread"]
    return ("≥ " if open_ended else "") + length_mm(row["feret_max_mm"])


def scale_bar(frame: Frame) -> ScaleBar:
    """Return a bar of 1, 2 or 5 times a power of ten, about a fifth of the picture's width."""
    wanted_um = frame.width * frame.unit_um * BAR_SHARE
    power = 10 ** math.floor(math.log10(wanted_um))
    length_um = power * max(factor for factor in (1, 2, 5) if factor * power <= wanted_um)
    text = f"{length_um / 1000:g} mm" if length_um >= 1000 else f"{length_um:g} µm"
    return ScaleBar(length_um / frame.unit_um, text)


def _mark(field: Field, frame: Frame) -> Mark:
    box = field.box
    return Mark(
        field.number,
        box.x * frame.x,
        box.y * frame.y,
        box.width * frame.x,
        box.height * frame.y,
    )


def _heat_picture(result: Result, frame: Frame, pixels: RGB | None) -> RGB:
    """Return the probability of tumour over the pale slide, or over nothing, regions outlined."""
    from PIL import Image

    scale = HEAT_PX / VIEW
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    if pixels is None:
        pale = np.full((size[1], size[0], 3), BLANK, np.uint8)
    else:
        pale = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
    level = _level_for(result, VIEW / HEAT_PX * frame.unit_um)
    everything = slice(None), slice(None)
    heat = result.map.probability.read(*everything, level)[list(scored_channels(result.classes))]
    mask = result.map.label("mask").read(*everything, level)
    place = _places(result, level, size)
    tumour = np.minimum(heat.sum(axis=0, dtype=np.uint16), 255)[place].astype(np.uint8)
    return outlined(over_grey(pale, tumour), mask[place])


def _places(result: Result, level: int, size: tuple[int, int]) -> tuple[Any, ...]:
    """Return the index of a level's pixels that lie under those of a picture of the whole slide."""
    lattice, slide = _levels(result)[level], result.record["slide"]
    axes = (
        (size[1], slide["height"], lattice.step_y, lattice.height),
        (size[0], slide["width"], lattice.step_x, lattice.width),
    )
    return np.ix_(
        *(
            np.minimum((np.arange(count) + 0.5) * extent / count / step, last - 1).astype(int)
            for count, extent, step, last in axes
        )
    )


def outlined(pixels: RGB, mask: NDArray[np.uint8]) -> RGB:
    """Return a picture with the borders between the values of a mask (h, w) in black."""
    border = np.zeros(mask.shape, bool)
    border[1:] |= mask[1:] != mask[:-1]
    border[:, 1:] |= mask[:, 1:] != mask[:, :-1]
    return np.where(border[..., None], np.uint8(16), pixels)
