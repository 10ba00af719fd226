"""Both models' maps as layers over a slide, beside what the session shows of its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_breastpath.results import load_result
from napari_breastpath.viewer.layers import TAG, make_layer, probability_layer, tag

if TYPE_CHECKING:
    from napari_breastpath.viewer.session import Session

ROLE = "compared"


def show_maps(session: Session, old: Path, new: Path) -> None:
    """Add the maps of two results of the open slide, under the outlines of the corrected mask.

    They go with the slide, and belong to no result that could be corrected. The old one and the
    filled mask are hidden, so that the new one is seen.
    """
    remove_maps(session)
    layers = session.viewer.layers
    for path, name, is_seen in ((old, "Old model", False), (new, "New model", True)):
        levels, arguments, kind = probability_layer(load_result(path))
        mine = {"name": name, "metadata": {TAG: {"role": ROLE}}, "visible": is_seen}
        layers.insert(_above_slide(session), make_layer((levels, arguments | mine, kind)))
    mask = session.layer("mask")
    if mask is not None:
        mask.visible = False


def _above_slide(session: Session) -> int:
    """Return the place under every outline, above slide and probabilities."""
    layers = session.viewer.layers
    low = [k for k, x in enumerate(layers) if tag(x).get("role") in ("slide", "probability", ROLE)]
    return max(low, default=-1) + 1


def remove_maps(session: Session) -> None:
    """Take the maps away."""
    for layer in [x for x in session.viewer.layers if tag(x).get("role") == ROLE]:
        session.viewer.layers.remove(layer)
