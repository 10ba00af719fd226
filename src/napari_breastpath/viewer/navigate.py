"""Going places: to a region, to the next one, to an objective's magnification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import PixelSize
from napari_breastpath.slides.pixel_size import UM_TIMES_MAGNIFICATION
from napari_breastpath.viewer.coordinates import to_world

if TYPE_CHECKING:
    import pandas as pd
    from napari.components import ViewerModel

FERET = ["feret_x1", "feret_y1", "feret_x2", "feret_y2"]
MARGIN = 1.5
SMALLEST_VIEW_UM = 200.0


def zoom_of(power: float) -> float:
    """Return screen pixels per µm at an objective: one at 10×, four at 40×."""
    return power / UM_TIMES_MAGNIFICATION


def power_of(zoom: float) -> float:
    """Return the objective at a zoom (screen pixels per µm), the inverse of `zoom_of`."""
    return zoom * UM_TIMES_MAGNIFICATION


def feret_world(region: pd.Series, mpp: PixelSize) -> NDArray[np.float64]:
    """Return the two ends of a region's longest extent, (2, 2) world (y, x) in µm."""
    return to_world(region[FERET].to_numpy(float).reshape(2, 2), mpp)


def fitting_zoom(length_um: float, canvas_px: tuple[float, float]) -> float:
    """Return the zoom (screen pixels per µm) at which that length fits the canvas with a margin."""
    return float(min(canvas_px) / max(length_um * MARGIN, SMALLEST_VIEW_UM))


def go_to(viewer: ViewerModel, ends: NDArray[np.float64]) -> None:
    """Bring what lies between two points, (2, 2) world (y, x) in µm, to the middle and fit it."""
    height, width = viewer.canvas.size
    viewer.scene.camera.center = tuple(ends.mean(axis=0))
    viewer.scene.camera.zoom = fitting_zoom(
        float(np.linalg.norm(ends[1] - ends[0])), (height, width)
    )


def following(ids: Sequence[Any], current: Any, step: int) -> Any:
    """Return the id after (`step` 1) or before (−1) `current`.

    From nowhere the first; after the last the first again.
    """
    return ids[(ids.index(current) + step) % len(ids)] if current in ids else ids[0]
