"""`OurLayers`: the layers of ours that a viewer shows, by their roles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from weakref import ref

from napari_breastpath.viewer.layers import (
    LayerData,
    LiveLayer,
    make_layer,
    mask_layer,
    outline_layer,
    probability_layer,
    reload,
    tag,
    tissue_layer,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_breastpath.results import Result

ROLES = (
    "slide",
    "probability",
    "mask",
    "edit",
    "model",
    "differences",
    "reader A",
    "reader B",
    "tissue",
    "ellipse",
    "caliper",
    "regions",
    "labels of rulers",
    "rulers",
)
MAPS = {
    "probability": probability_layer,
    "tissue": tissue_layer,
    "mask": mask_layer,
    "regions": outline_layer,
}
"""Layers of a result, from the bottom up."""


class OurLayers:
    """Our layers in one viewer; iterating gives them from the bottom up.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        self._live: LiveLayer | None = None

    @property
    def viewer(self) -> ViewerModel:
        """The napari viewer; `ReferenceError` once it is closed."""
        viewer = self._viewer()
        if viewer is None:
            raise ReferenceError("the viewer is closed")
        return viewer

    def __iter__(self) -> Iterator[Layer]:
        return iter([layer for layer in self.viewer.layers if tag(layer)])

    def of_role(self, role: str) -> Layer | None:
        """Return the layer of that role (see `ROLES`), None when there is none (any more)."""
        return next((layer for layer in self if tag(layer).get("role") == role), None)

    def add(self, data: LayerData) -> None:
        """Add a layer, leaving active the one that hands are at."""
        layers = self.viewer.layers
        active = layers.selection.active
        self.viewer.add_layer(make_layer(data))
        if active is not None and active in layers:
            layers.selection.active = active

    def remove(self, layers: Iterable[Layer]) -> None:
        """Remove layers, with those that go with them."""
        for layer in list(layers):
            if layer in self.viewer.layers:  # taking the slide away takes the others with it
                self.viewer.layers.remove(layer)

    def remove_other_results(self, result: Result) -> None:
        """Remove the layers of any result but this one."""
        self.remove(x for x in self if tag(x).get("result", result.path) != result.path)

    def show(self, result: Result) -> None:
        """Show the maps of a result, read anew."""
        self._live = None
        is_measured = result.is_measured
        heat = self.of_role("probability")
        if is_measured and heat is not None and self.of_role("mask") is None:
            heat.visible = False
        for role, describe in MAPS.items():
            layer = self.of_role(role)
            if layer is not None:
                reload(layer)
            elif role == "probability" or is_measured:
                self.add(describe(result))

    def show_progress(self) -> None:
        """Let the heat layer follow, at most four times a second."""
        layer = self.of_role("probability")
        if layer is None:
            return
        if self._live is None or self._live.layer is not layer:
            self._live = LiveLayer(layer)
        self._live.tick()

    def reload_mask(self) -> None:
        """Read the mask and its outlines anew."""
        for role in ("mask", "regions"):
            layer = self.of_role(role)
            if layer is not None:
                reload(layer)
