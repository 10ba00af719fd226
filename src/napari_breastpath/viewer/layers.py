"""Layers: how a slide, its probabilities and its masks look in napari, and how they are refreshed.

A layer is described by napari's layer data tuple, so that the reader (which must return tuples) and
the session (which adds layers) make the same ones. Every layer of ours says what it is in
`metadata["breastpath"]`: its `role`, and the `slide` or the path of the `result` it shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.geometry import Lattice, PixelSize
from napari_breastpath.results.masks import scored_channels
from napari_breastpath.viewer.coordinates import lattice_placement, slide_placement
from napari_breastpath.viewer.level_view import LevelView
from napari_breastpath.viewer.outlines import outlines
from napari_breastpath.viewer.palette import class_colours, paintable
from napari_breastpath.viewer.slide_levels import SlideLevel, SlideView, load_resampling

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils import Colormap

    from napari_breastpath.results import Result
    from napari_breastpath.slides import Slide

LayerData: TypeAlias = tuple[Any, dict[str, Any], str]
TAG = "breastpath"
"""Status of a result that has a mask."""
REFRESH_S, RELOAD_S = 0.25, 1.0
TISSUE_RGB, TISSUE_PX = (0, 160, 200), 1
# Position, red, green, blue, opacity: hues that H&E does not have, so heat reads as heat.
HEAT = np.array(
    [
        (0.00, 0.10, 0.45, 0.55, 0.00),
        (0.004, 0.10, 0.45, 0.55, 0.06),
        (0.25, 0.05, 0.60, 0.65, 0.20),
        (0.50, 0.25, 0.80, 0.30, 0.40),
        (0.75, 0.98, 0.90, 0.10, 0.55),
        (1.00, 1.00, 0.55, 0.00, 0.60),
    ]
)


@dataclass(frozen=True, slots=True)
class ChannelView(LevelView):
    """A 2-D view of some channels of a zarr array (c, y, x), summed; reads when it is indexed.

    Attributes
    ----------
    array : zarr.Array
        uint8 (c, y, x).
    channels : tuple of int
        Which to show; of several the sum, at most 255.
    """

    array: Any
    channels: tuple[int, ...]

    @property
    def source(self) -> Any:
        """`array`."""
        return self.array

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        window = key if isinstance(key, tuple) else (key,)
        planes = [np.asarray(self.array[(channel, *window)]) for channel in self.channels]
        if len(planes) == 1:
            return planes[0]
        return np.minimum(np.sum(planes, axis=0, dtype=np.uint16), 255).astype(np.uint8)


def tag(layer: Layer) -> dict[str, Any]:
    """Return what a layer says about itself: `role`, `slide` or `result`; {} when not ours."""
    return dict(layer.metadata.get(TAG, {}))


def slide_layer(slide: Slide) -> LayerData:
    """Describe the slide itself: levels that read when napari draws them, in µm."""
    load_resampling(slide.channels, slide.dtype)
    arguments = {
        "name": slide.path.name,
        "multiscale": True,
        "rgb": slide.channels == 3,
        "interpolation2d": "linear",
        "metadata": slide_metadata(slide),
        **slide_placement(slide.mpp),
    }
    return list(SlideView(slide).levels), arguments, "image"


def slide_metadata(slide: Slide) -> dict[str, Any]:
    """Return the facts that napari shows and other plugins may use."""
    return {
        "path": str(slide.path),
        "mpp_um": (slide.mpp.x, slide.mpp.y),
        "mpp_source": slide.mpp.source,
        "objective_power": slide.objective_power,
        "vendor": slide.vendor,
        TAG: {"role": "slide", "slide": slide},
    }


def heat_colormap() -> Colormap:
    """Return the probabilities' colours: 0 transparent, 1 clear to see and to see through."""
    from napari.utils import Colormap

    return Colormap(
        HEAT[:, 1:], name="tumour probability", controls=HEAT[:, 0], interpolation="linear"
    )


def probability_layer(result: Result) -> LayerData:
    """Describe the probability map: zarr-direct, so that it fills in while tiles are written.

    It is hidden once there is a mask, as both together hide the slide.
    """
    channels = scored_channels(result.classes)
    names = " + ".join(result.classes[channel]["name"] for channel in channels)
    arguments = {
        "name": f"Probability of {names}",
        "multiscale": True,
        "rgb": False,
        "colormap": heat_colormap(),
        "contrast_limits": (0, 255),
        "interpolation2d": "nearest",
        "visible": not result.is_measured,
        **_of_result(result, "probability"),
    }
    levels = [ChannelView(level, channels) for level in result.map.probability.levels]
    return levels, arguments, "image"


def mask_layer(result: Result) -> LayerData:
    """Describe the mask that is measured, filled: zarr-direct, one colour a class, not editable."""
    look = class_look(result.classes)
    arguments = {"name": "Mask", "opacity": 0.3, **look, **_of_result(result, "mask")}
    return list(result.map.label("mask").levels), arguments, "labels"


def outline_layer(result: Result) -> LayerData:
    """Describe the outlines of the regions.

    Of the mask as it is looked at: as many regions as there are, at once, in a width that stays
    the same on screen. (Thousands of polygons would stop the window for seconds.)
    """
    look = class_look(result.classes)
    arguments = {"name": "Region outlines", **look, **_of_result(result, "regions")}
    return outlines(result.map.label("mask").levels), arguments, "labels"


def tissue_layer(result: Result) -> LayerData:
    """Describe the outline of the tissue that was analysed, from the result."""
    levels = outlines(result.map.label("tissue").levels, TISSUE_PX)
    return levels, {**_tissue(), **_of_result(result, "tissue")}, "labels"


def tissue_mask_layer(
    tissue: NDArray[Any], lattice: Lattice, slide_mpp: PixelSize, result: Result | None = None
) -> LayerData:
    """Describe a tissue mask that hands may edit.

    Parameters
    ----------
    tissue : ndarray, bool or uint8 (y, x)
        1 is tissue; copied, as napari paints into it.
    lattice : Lattice
        Geometry of `tissue`.
    slide_mpp : PixelSize
    result : Result, optional
        What the tissue belongs to, once there is one.
    """
    whose = {"role": "tissue"} if result is None else {"role": "tissue", "result": result.path}
    arguments = {
        **_tissue(),
        "metadata": {TAG: whose},
        **lattice_placement(lattice, slide_mpp),
    }
    return tissue.astype(np.uint8), arguments, "labels"


def _tissue() -> dict[str, Any]:
    return {"name": "Tissue outline", **label_look({1: ("tissue", TISSUE_RGB)})}


def class_look(classes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return napari's colours and names of the label values of a mask."""
    names, colours = paintable(classes), class_colours(classes)
    return label_look({value: (names[value], colours[value]) for value in names})


def label_look(named: dict[int, tuple[str, tuple[int, ...]]]) -> dict[str, Any]:
    """Return colours and names of label values; 0 and unnamed values are transparent."""
    import pandas as pd
    from napari.utils import DirectLabelColormap

    colours: dict[int | None, Any] = {
        value: (*np.divide(rgb, 255), 1.0) for value, (_, rgb) in named.items()
    }
    colours |= {0: (0, 0, 0, 0), None: (0, 0, 0, 0)}
    names = {"index": [0, *named], "class": ["none", *(name for name, _ in named.values())]}
    return {
        "colormap": DirectLabelColormap(color_dict=colours),
        "features": pd.DataFrame(names),
    }


def _of_result(result: Result, role: str) -> dict[str, Any]:
    return {
        "metadata": {TAG: {"role": role, "result": result.path}},
        **lattice_placement(result.lattice, result.slide_mpp),
    }


def make_layer(data: LayerData) -> Layer:
    """Return the napari layer that `data` describes."""
    from napari.layers import Layer

    layer = Layer.create(*data)
    dress(layer)
    return layer


def dress(layer: Layer) -> None:
    """Set what napari takes no argument for: the outline of tissue that hands may paint, and the
    layer that a slide's levels read for."""
    if layer.multiscale and isinstance(layer.data[0], SlideLevel):
        layer.data[0].view.follow(layer)
    is_painted = tag(layer).get("role") == "tissue" and not layer.multiscale
    if is_painted and layer.contour != TISSUE_PX:
        layer.contour = TISSUE_PX


def reload(layer: Layer) -> None:
    """Show everything that was written since, zoomed out too.

    napari keeps the coarsest level in memory; only setting the data again drops it.
    """
    layer.data = list(layer.data) if layer.multiscale else layer.data


class LiveLayer:
    """Refreshes a layer whose file grows, not more often than the eye and the machine want.

    Parameters
    ----------
    layer : Layer
        A multiscale layer over zarr arrays.
    clock : callable, by default time.monotonic
        Seconds.
    """

    def __init__(self, layer: Layer, clock: Callable[[], float] = time.monotonic) -> None:
        self.layer = layer
        self._clock = clock
        self._refreshed = self._reloaded = clock()

    def tick(self) -> None:
        """Say that something was written; called in the main thread, as often as one likes."""
        now = self._clock()
        if now - self._reloaded >= RELOAD_S:
            self._reloaded = self._refreshed = now
            reload(self.layer)
        elif now - self._refreshed >= REFRESH_S:
            self._refreshed = now
            self.layer.refresh(extent=False)

    def finish(self) -> None:
        """Show the last of it."""
        reload(self.layer)
