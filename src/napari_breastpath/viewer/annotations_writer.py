"""napari's writer of QuPath GeoJSON: Shapes and Labels layers over a slide, in its pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import AnnotationError
from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.exchange.annotation import Annotation, Vertices
from napari_breastpath.exchange.annotation_features import write_annotations
from napari_breastpath.measure import region_polygons
from napari_breastpath.results import load_result
from napari_breastpath.viewer.coordinates import to_level0
from napari_breastpath.viewer.layers import tag
from napari_breastpath.viewer.session import Session
from napari_breastpath.viewer.where import ellipse_outline

if TYPE_CHECKING:
    from napari.layers import Labels, Layer, Shapes

    from napari_breastpath.viewer.layers import LayerData

LINES: Final = ("line", "path")
CLASS_KEYS: Final = ("class", "class_name", "classification")
EXCLUDED: Final = "Ignore*"
"""QuPath's class for what is cut out; it has no mark for it."""


def write_geojson(path: str, layer_data: Sequence[LayerData]) -> list[str]:
    """Write layers as one GeoJSON file, in level-0 pixels of the slide they lie on.

    Parameters
    ----------
    path : str
        `.geojson` or `.geojson.gz`.
    layer_data : sequence of LayerData
        Shapes (one object a shape; holes as `annotations_reader` marks them) and Labels (one
        object per 8-connected region of a value).

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    AnnotationError
        No slide says how large a pixel is, or there is nothing to write.
    """
    from napari.layers import Layer

    found: list[Annotation] = []
    classes: list[dict[str, Any]] = []
    for data in layer_data:
        layer = Layer.create(*data)
        mpp, known = _slide_of(layer, path)
        classes += known
        found += list(_from_labels(layer, mpp) if data[2] == "labels" else _from_shapes(layer, mpp))
    if not found:
        raise AnnotationError(path, "there is nothing to write", "draw something first")
    try:
        write_annotations(Path(path), found, classes)
    except OSError as error:
        raise AnnotationError(
            path, f"cannot be written ({error})", "choose another file"
        ) from error
    return [path]


def _slide_of(layer: Layer, path: str) -> tuple[PixelSize, list[dict[str, Any]]]:
    """Return the pixel size of the slide under a layer, and the classes of its result, if any."""
    from napari import current_viewer

    whose = tag(layer).get("result")
    if whose is not None:
        result = load_result(whose)
        return result.slide_mpp, result.classes
    if "mpp_um" in layer.metadata:
        return PixelSize(*layer.metadata["mpp_um"]), []
    viewer = current_viewer()
    slide = None if viewer is None else Session.of(viewer).slide
    if slide is None:
        cause = f"{layer.name!r} lies on no slide that is open"
        raise AnnotationError(path, cause, "open the slide first")
    return slide.mpp, []


def _from_shapes(layer: Shapes, mpp: PixelSize) -> Iterator[Annotation]:
    """Yield an annotation per object: the shapes of one `object` in the features, or each alone."""
    rows = [_row(layer, k, mpp) for k in range(len(layer.data))]
    groups: dict[Any, list[_Row]] = {}
    for k, row in enumerate(rows):
        groups.setdefault(row.facts.get("object", f"alone {k}"), []).append(row)
    for members in groups.values():
        yield _annotation(members)


@dataclass(frozen=True)
class _Row:
    """One shape: its outline in level-0 px and what the layer's features say of it."""

    ring: Vertices
    kind: str
    color: tuple[int, int, int]
    facts: dict[str, Any]


def _row(layer: Shapes, k: int, mpp: PixelSize) -> _Row:
    facts = {name: layer.features[name].iloc[k] for name in layer.features}
    # napari fills the features of a shape that was just drawn with NaN.
    known = {name: value for name, value in facts.items() if value is not None and value == value}
    red, green, blue = (round(255 * float(v)) for v in layer.edge_color[k][:3])
    return _Row(_ring(layer, k, mpp), _kind(layer, k), (red, green, blue), known)


def _annotation(members: Sequence[_Row]) -> Annotation:
    first = members[0]
    outer = [row for row in members if not row.facts.get("hole")] or [first]
    polygons = [[row.ring] for row in outer]
    homes = {row.facts.get("part"): polygon for row, polygon in zip(outer, polygons, strict=True)}
    for row in members:
        if row.facts.get("hole") and row is not first:
            homes.get(row.facts.get("part"), polygons[0]).append(row.ring)
    named = next((first.facts[key] for key in CLASS_KEYS if key in first.facts), "")
    return Annotation(
        first.kind if len(members) == 1 or first.kind == "line" else "polygon",
        tuple(tuple(polygon) for polygon in polygons),
        class_name=EXCLUDED if first.facts.get("excluded") else str(named),
        name=str(first.facts.get("name", "")),
        id=str(first.facts.get("id", "")),
        color=first.color,
    )


def _ring(layer: Shapes, k: int, mpp: PixelSize) -> Vertices:
    corners = np.asarray(layer.data[k], float)[:, -2:]
    if layer.shape_type[k] == "ellipse":
        corners = ellipse_outline(corners)
    return to_level0([layer.data_to_world(point)[-2:] for point in corners], mpp)


def _kind(layer: Shapes, k: int) -> str:
    """Return the kind of a shape; a tilted ellipse is a polygon, as QuPath knows upright ones."""
    kind = layer.shape_type[k]
    if kind != "ellipse":
        return "line" if kind in LINES else "polygon"
    corners = np.asarray(layer.data[k], float)[:, -2:]
    along = np.abs(corners[1] - corners[0])
    return "ellipse" if along.min() <= 1e-6 * along.max() else "polygon"


def _from_labels(layer: Labels, mpp: PixelSize) -> Iterator[Annotation]:
    """Yield one annotation per 8-connected region of a value."""
    from skimage.measure import label

    values: NDArray[Any] = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    names = _value_names(layer)
    regions = label(values, connectivity=2, background=0).astype(np.int64)
    scale = np.asarray(layer.scale, float)[-2:]
    (left, top), (right, bottom) = to_level0([_corner(layer, -0.5), _corner(layer, 0.5)], mpp)
    step = right - left, bottom - top
    if not (np.asarray(step) > 0).all():
        raise AnnotationError(layer.name, f"its scale {tuple(scale)} is no pixel size", "set it")
    numbers, first = np.unique(regions, return_index=True)
    value_of = dict(zip(numbers.tolist(), values.reshape(-1)[first].tolist(), strict=True))
    for number, polygons in region_polygons(regions, step, (left, top)).items():
        name = names.get(int(value_of[number]), f"label {value_of[number]}")
        yield Annotation(
            "polygon", tuple(tuple(part) for part in polygons), name, f"{name} {number}"
        )


def _corner(layer: Labels, at: float) -> NDArray[np.float64]:
    """Return where data coordinates (at, at) are in world µm."""
    return np.asarray(layer.data_to_world((at,) * 2), float)


def _value_names(layer: Labels) -> dict[int, str]:
    """Return the class of every value that the features name."""
    if "index" not in layer.features or "class" not in layer.features:
        return {}
    pairs = zip(layer.features["index"], layer.features["class"], strict=True)
    return {int(value): str(name) for value, name in pairs}
