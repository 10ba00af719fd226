"""The model's own mask in place of the corrected one, to see what hands changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.edits import Corrections
from napari_breastpath.results.masks import model_mask
from napari_breastpath.viewer.coordinates import lattice_placement
from napari_breastpath.viewer.layers import TAG, LayerData, class_look, make_layer, reload
from napari_breastpath.viewer.level_view import LevelView

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_breastpath.viewer.session import Session

ROLE, HIDDEN = "model", ("mask", "edit", "regions", "probability")
SHOWN = "Model's mask, before any hand · Shift+F: the corrected one"


@dataclass(frozen=True, slots=True)
class ModelLevel(LevelView):
    """The model's mask at one level of the map, made when it is looked at.

    Attributes
    ----------
    corrections : Corrections
        Whose threshold counts.
    level : int
        Of the pyramid; the threshold is applied to that level's probabilities.
    """

    corrections: Corrections
    level: int

    @property
    def source(self) -> Any:
        """The probabilities."""
        return self.corrections.result.map.probability.levels[self.level]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        window = key if isinstance(key, tuple) else (key,)
        classes = self.corrections.result.classes
        background = [k for k, kind in enumerate(classes) if kind["role"] == "background"]
        heat = np.asarray(self.source[(slice(None), *window)])
        return model_mask(heat, self.corrections.threshold, background)


def model_layer(corrections: Corrections) -> LayerData:
    """Describe the model's own mask at the threshold of the corrected one."""
    result = corrections.result
    arguments = {
        "name": "Model's mask",
        "opacity": 0.45,
        "metadata": {TAG: {"role": ROLE, "result": result.path}},
        **class_look(result.classes),
        **lattice_placement(result.lattice, result.slide_mpp),
    }
    count = len(result.map.probability.levels)
    return [ModelLevel(corrections, k) for k in range(count)], arguments, "labels"


def flip(session: Session) -> Callable[[], None] | None:
    """Show the model's mask instead of the corrected one, or the other way round.

    Returns
    -------
    callable or None
        Flips back; None where no mask is shown.
    """
    layer = session.layer(ROLE)
    if layer is not None and layer.visible:
        return _back(session, layer)
    if session.corrections is None:
        return None
    if layer is None:
        layer = _add(session, session.corrections)
    else:
        reload(layer)
        layer.visible = True
    shown = [x for role in HIDDEN if (x := session.layer(role)) is not None and x.visible]
    for other in shown:
        other.visible = False
    layer.metadata["hidden"] = shown
    _label(session, SHOWN)
    return lambda: _unflip(session, layer)


def _unflip(session: Session, layer: Layer) -> None:
    if layer.visible:
        _back(session, layer)


def _back(session: Session, layer: Layer) -> Callable[[], None]:
    layer.visible = False
    for other in layer.metadata.pop("hidden", []):
        other.visible = True
    _label(session, "")
    return lambda: (flip(session), None)[1]


def _add(session: Session, corrections: Corrections) -> Layer:
    layers = session.viewer.layers
    active, layer = layers.selection.active, make_layer(model_layer(corrections))
    mask = session.layer("mask")
    layers.insert(len(layers) if mask is None else layers.index(mask) + 1, layer)
    layers.selection.active = active
    return layer


def _label(session: Session, text: str) -> None:
    overlay = session.viewer.canvas.overlays.text
    overlay.text, overlay.visible = text, bool(text)
    overlay.font_size, overlay.box = 12, True
