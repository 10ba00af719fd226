"""napari's reader of annotation files: Shapes and Points layers in µm, on the slide that is open.

A hole is a shape of its own, marked so in the layer's features, since a napari polygon has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from napari_breastpath.core.errors import AnnotationError, BreastPathError
from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.exchange.annotation import Annotation, Vertices
from napari_breastpath.exchange.annotations import SUFFIXES, read_annotations
from napari_breastpath.exchange.painting import is_annotation_file
from napari_breastpath.viewer.coordinates import to_world, world_placement
from napari_breastpath.viewer.reader import Paths, Reader, refuse, single, viewer_with_window
from napari_breastpath.viewer.session import Session

if TYPE_CHECKING:
    from napari_breastpath.slides import Slide
    from napari_breastpath.viewer.layers import LayerData

MAX_SHAPES: Final = 10_000
"""More would stop napari's window for minutes."""
NAPARI_KINDS: Final = {"line": "path", "rectangle": "polygon"}
EDGE_RGB: Final = (200, 0, 0)
WIDTH_UM: Final = 8.0
POINT_UM: Final = 20.0


def get_reader(path: Paths) -> Reader | None:
    """Return the function that reads `path`, None when it is no annotation file; never raises."""
    one = single(path)
    if one is None or not one.name.lower().endswith(SUFFIXES) or not one.is_file():
        return None
    try:
        return read if is_annotation_file(one) else None
    except AnnotationError:
        return None


def read(path: Paths) -> list[Any]:
    """Return the layers of one annotation file; without a window, raise what is wrong with it."""
    file, viewer = single(path) or Path(), viewer_with_window()
    try:
        slide = None if viewer is None else Session.of(viewer).slide
        if slide is None:
            cause = "its coordinates are pixels of a slide, and none is open"
            raise AnnotationError(file, cause, "open the slide first")
        return read_for(file, slide)
    except BreastPathError as error:
        return refuse(error, viewer)


def read_for(file: Path, slide: Slide) -> list[LayerData]:
    """Return the layers of an annotation file over a slide.

    Raises
    ------
    AnnotationError
        Malformed, or more than `MAX_SHAPES` outlines.
    """
    return annotation_layers(read_annotations(file, slide.bounds_offset), slide.mpp, file.name)


def annotation_layers(
    annotations: Sequence[Annotation], mpp: PixelSize, name: str
) -> list[LayerData]:
    """Return a Shapes layer of areas and lines and a Points layer of points, in µm.

    Parameters
    ----------
    annotations : sequence of Annotation
    mpp : PixelSize
        Of the slide.
    name : str
        Of the layers.

    Raises
    ------
    AnnotationError
        There are more than `MAX_SHAPES` outlines.
    """
    shapes = [row for k, each in enumerate(annotations) for row in _rows(each, k)]
    drawn = [row for row in shapes if row["kind"] != "point"]
    points = [row for row in shapes if row["kind"] == "point"]
    if len(drawn) > MAX_SHAPES:
        cause = f"{len(drawn)} outlines are more than napari can draw ({MAX_SHAPES})"
        raise AnnotationError(name, cause, "bring it into a result with `breastpath import`")
    described = [(drawn, _shapes_layer), (points, _points_layer)]
    return [layer(rows, mpp, name) for rows, layer in described if rows]


def _rows(annotation: Annotation, number: int) -> Iterator[dict[str, Any]]:
    """Yield one row per ring, line or set of points; `object` tells which belong together."""
    for count, part in enumerate(annotation.parts):
        for k, ring in enumerate(part):
            yield {
                "ring": ring,
                "kind": annotation.kind,
                "color": annotation.color or EDGE_RGB,
                "class": annotation.class_name,
                "name": annotation.name,
                "id": annotation.id,
                "object": number,
                "part": count,
                "hole": k > 0,
                "excluded": annotation.exclusion,
            }


FEATURES: Final = ("class", "name", "id", "object", "part", "hole", "excluded")


def _features(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {key: [row[key] for row in rows] for key in FEATURES}


def _colors(rows: Sequence[dict[str, Any]]) -> Any:
    return np.array([(*np.divide(row["color"], 255), 1.0) for row in rows])


def _shapes_layer(rows: Sequence[dict[str, Any]], mpp: PixelSize, name: str) -> LayerData:
    arguments = {
        "name": name,
        "shape_type": [_napari_kind(row["kind"]) for row in rows],
        "edge_color": _colors(rows),
        "face_color": "transparent",
        "edge_width": WIDTH_UM,
        "features": _features(rows),
        "metadata": {"mpp_um": (mpp.x, mpp.y)},
        **world_placement(),
    }
    return [_outline(row, mpp) for row in rows], arguments, "shapes"


def _napari_kind(kind: str) -> str:
    return NAPARI_KINDS.get(kind, kind)


def _outline(row: dict[str, Any], mpp: PixelSize) -> Any:
    ring: Vertices = row["ring"]
    if row["kind"] == "ellipse":
        (x0, y0), (x1, y1) = ring.min(axis=0), ring.max(axis=0)
        ring = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    elif row["kind"] != "line" and len(ring) > 1 and (ring[0] == ring[-1]).all():
        ring = ring[:-1]
    return to_world(ring, mpp)


def _points_layer(rows: Sequence[dict[str, Any]], mpp: PixelSize, name: str) -> LayerData:
    each = [row for row in rows for _ in row["ring"]]
    arguments = {
        "name": f"{name} points",
        "size": POINT_UM,
        "face_color": _colors(each),
        "features": _features(each),
        "metadata": {"mpp_um": (mpp.x, mpp.y)},
        **world_placement(),
    }
    return to_world(np.concatenate([row["ring"] for row in rows]), mpp), arguments, "points"
