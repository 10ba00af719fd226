"""The tissue outline on screen: one editable Labels layer at about 8 µm/px."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.results import Result
from napari_breastpath.viewer.jobs import Tissue
from napari_breastpath.viewer.layers import make_layer, tissue_mask_layer
from napari_breastpath.viewer.session import Session


class TissueOutline:
    """Shows tissue on a session's slide and knows whether hands changed it.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shown: NDArray[np.bool_] | None = None

    def show(self, tissue: Tissue, result: Result | None = None, to_edit: bool = False) -> None:
        """Put a tissue mask on the slide, in place of the outline that is there.

        With `to_edit` it comes on top and is selected, ready for the brush.
        """
        session = self._session
        if session.slide is None:
            return
        layers, old = session.viewer.layers, session.layer("tissue")
        position = len(layers) if old is None or to_edit else layers.index(old)
        if old is not None:
            layers.remove(old)
            position = min(position, len(layers))
        data = tissue_mask_layer(tissue.mask, tissue.lattice, session.slide.mpp, result)
        active = layers.selection.active
        layer = make_layer(data)
        layers.insert(position, layer)
        layers.selection.active = layer if to_edit or active not in layers else active
        self._shown = tissue.mask.astype(bool)

    def bring_to_front(self) -> None:
        """Put the outline above all other layers and select it."""
        layers, layer = self._session.viewer.layers, self._session.layer("tissue")
        if layer is not None:
            layers.move(layers.index(layer), len(layers))
            layers.selection.active = layer

    @property
    def edited(self) -> NDArray[np.bool_] | None:
        """The mask as hands left it; None when there is no outline or nobody changed it."""
        layer = self._session.layer("tissue")
        if layer is None or self._shown is None or layer.multiscale:
            return None
        now = np.asarray(layer.data) > 0
        if now.shape != self._shown.shape or np.array_equal(now, self._shown):
            return None
        return now
