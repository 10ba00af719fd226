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
    """Add the maps of two results of the open slide; the old one is hidden at first.

    They go with the slide, and belong to no result that could be corrected.
    """
    remove_maps(session)
    for path, whose, is_seen in ((old, "Old", False), (new, "New", True)):
        levels, arguments, kind = probability_layer(load_result(path))
        arguments |= {
            "name": f"{whose} model: {arguments['name']}",
            "metadata": {TAG: {"role": ROLE}},
            "visible": is_seen,
        }
        session.viewer.add_layer(make_layer((levels, arguments, kind)))


def remove_maps(session: Session) -> None:
    """Take the maps away."""
    for layer in [x for x in session.viewer.layers if tag(x).get("role") == ROLE]:
        session.viewer.layers.remove(layer)
