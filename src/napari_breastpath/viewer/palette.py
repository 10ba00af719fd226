"""Colours of classes on screen: told apart by every kind of colour vision, seen on H&E.

Files and exports keep the model's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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


def class_colours(classes: Sequence[Mapping[str, Any]]) -> dict[int, Rgb]:
    """Return the colour of each label value."""
    return {value: SAFE[k % len(SAFE)] for k, value in enumerate(paintable(classes))}
