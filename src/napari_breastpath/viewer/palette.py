"""Colours of classes under the brush: told apart by every kind of colour vision, seen on H&E."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_breastpath.viewer.layers import label_look

Rgb = tuple[int, int, int]
# Okabe & Ito (2008) without what eosin and haematoxylin have: vermilion, reddish purple.
SAFE: tuple[Rgb, ...] = (
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (86, 180, 233),
    (230, 159, 0),
    (0, 0, 0),
)
ERASE_RGB: Rgb = (255, 255, 255)


def paintable(classes: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Return the classes that hands may paint, label value to name: all but background."""
    return {k: c["name"] for k, c in enumerate(classes, start=1) if c["role"] != "background"}


def hand_colours(classes: Sequence[Mapping[str, Any]]) -> dict[int, Rgb]:
    """Return the colour of each label value while hands are at it."""
    return {value: SAFE[k % len(SAFE)] for k, value in enumerate(paintable(classes))}


def hand_look(classes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return napari's colours and names of the label values that hands paint."""
    names, colours = paintable(classes), hand_colours(classes)
    return label_look({value: (names[value], colours[value]) for value in names})
