"""The two layers of rulers and areas: figures that hands edit, and their labels underneath.

Every figure is one shape of a napari Shapes layer in world µm (scale 1), so that napari's own tools
select, move and delete it, and its own measurements are right too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_breastpath.viewer.caliper import DARK, HALO_PX, LIGHT, LINE_PX, TEXT_PT
from napari_breastpath.viewer.coordinates import world_placement
from napari_breastpath.viewer.layers import TAG
from napari_breastpath.viewer.ruler_shapes import (
    SHAPE_OF,
    Figure,
    apart,
    closed,
    end_ticks,
    figure_of,
    label_plate,
)

if TYPE_CHECKING:
    from napari.layers import Shapes

ROLE, LABELS_ROLE = "rulers", "labels of rulers"
NAME, LABELS_NAME = "Rulers and areas", "Lengths and areas"
KEY, LABEL = "key", "label"


def figures_layer(pixel_um: float) -> Shapes:
    """Return an empty layer for figures, at `pixel_um` µm per screen pixel."""
    from napari.layers import Shapes

    return Shapes(
        ndim=2,
        name=NAME,
        edge_color=LIGHT,
        face_color="transparent",
        edge_width=LINE_PX * pixel_um,
        opacity=1.0,
        features={KEY: np.zeros(0, int)},
        feature_defaults={KEY: 0},
        metadata={TAG: {"role": ROLE}},
        **world_placement(),
    )


def labels_layer() -> Shapes:
    """Return an empty layer for what is drawn under figures: dark lines, ticks, labels."""
    from napari.layers import Shapes

    layer = Shapes(
        ndim=2,
        name=LABELS_NAME,
        opacity=1.0,
        features={LABEL: np.zeros(0, str)},
        text={"string": "{label}", "size": TEXT_PT, "color": LIGHT, "anchor": "center"},
        metadata={TAG: {"role": LABELS_ROLE}},
        **world_placement(),
    )
    layer.editable = False
    return layer


def figures_in(layer: Shapes) -> list[Figure]:
    """Return what is drawn, in order."""
    pairs = zip(layer.shape_type, layer.data, strict=True)
    return [figure_of(str(kind), points) for kind, points in pairs]


def keyed(layer: Shapes, last: int) -> dict[int, Figure]:
    """Return figures by key; new shapes, and copies of others, get one after `last`."""
    keys = [int(key) for key in layer.features[KEY]]
    for index, key in enumerate(keys):
        if key == 0 or key in keys[:index]:
            last = keys[index] = last + 1
    layer.features[KEY] = np.array(keys, int)
    return dict(zip(keys, figures_in(layer), strict=True))


def show_figures(layer: Shapes, figures: Mapping[int, Figure]) -> None:
    """Draw these figures and no others."""
    layer.remove(list(range(len(layer.data))))
    for figure in figures.values():
        layer.add(figure.points, shape_type=SHAPE_OF[figure.kind])
    layer.features[KEY] = np.array(list(figures), int)
    layer.selected_data = set()


def fit_lines(layer: Shapes, pixel_um: float) -> None:
    """Give figures, also those drawn next, the width of their lines on screen back."""
    layer.current_edge_width = LINE_PX * pixel_um
    if len(layer.data):
        layer.edge_width = LINE_PX * pixel_um


def show_labels(
    layer: Shapes, figures: Sequence[Figure], pixel_um: float, draft: Figure | None = None
) -> None:
    """Draw dark lines, ticks and labels of figures; of a `draft` the bright line, too."""
    light = [tick for figure in figures for tick in end_ticks(figure, pixel_um)]
    dark = [*(closed(figure) for figure in figures), *light]
    light += [] if draft is None else [draft.points]
    plates = apart([label_plate(figure, pixel_um) for figure in figures], LINE_PX * pixel_um)
    layer.remove(list(range(len(layer.data))))
    if not figures:
        return
    layer.add(
        [*dark, *light, *plates],
        shape_type=["path"] * len(dark + light) + ["rectangle"] * len(plates),
        edge_width=[HALO_PX * pixel_um] * len(dark) + [LINE_PX * pixel_um] * len(light + plates),
        edge_color=[DARK] * len(dark) + [LIGHT] * len(light) + [DARK] * len(plates),
        face_color=DARK,
    )
    layer.features = {LABEL: [""] * len(dark + light) + [figure.text for figure in figures]}
