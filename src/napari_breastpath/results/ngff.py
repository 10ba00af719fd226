"""OME-NGFF 0.5 metadata of our pyramids (https://ngff.openmicroscopy.org/0.5/)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_breastpath.core.geometry import Lattice

VERSION = "0.5"


def axes(channels: bool) -> list[dict[str, str]]:
    """Return the NGFF axes, (c, y, x) or (y, x)."""
    space = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    return [{"name": "c", "type": "channel"}, *space] if channels else space


def transforms(
    lattice: Lattice, slide_mpp: tuple[float, float], channels: bool
) -> list[dict[str, Any]]:
    """Return the scale and translation of one level, in µm.

    NGFF puts the *centre* of pixel 0 at the translation and ours of level-0 pixel 0 at 0, so a
    raster of coarser pixels starts half a pixel difference further (NGFF 0.5, multiscales).
    """
    scale = [lattice.mpp_y, lattice.mpp_x]
    translation = [(lattice.mpp_y - slide_mpp[1]) / 2, (lattice.mpp_x - slide_mpp[0]) / 2]
    lead_scale, lead_translation = ([1.0], [0.0]) if channels else ([], [])
    return [
        {"type": "scale", "scale": lead_scale + scale},
        {"type": "translation", "translation": lead_translation + translation},
    ]


def multiscales(
    name: str, lattices: Sequence[Lattice], slide_mpp: tuple[float, float], channels: bool
) -> list[dict[str, Any]]:
    """Return the `multiscales` entry of a pyramid whose levels are named 0, 1, 2, …"""
    datasets = [
        {"path": str(k), "coordinateTransformations": transforms(lattice, slide_mpp, channels)}
        for k, lattice in enumerate(lattices)
    ]
    return [{"name": name, "axes": axes(channels), "datasets": datasets}]


def omero(names: Sequence[str], colors: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
    """Return rendering hints of a uint8 probability image, one channel a class."""
    return {
        "channels": [
            {
                "label": name,
                "color": "{:02X}{:02X}{:02X}".format(*color),
                "active": True,
                "window": {"min": 0, "max": 255, "start": 0, "end": 255},
            }
            for name, color in zip(names, colors, strict=True)
        ]
    }


def image_label(values: dict[int, tuple[str, tuple[int, int, int]]]) -> dict[str, Any]:
    """Return the `image-label` entry: value → (class name, RGB)."""
    return {
        "colors": [{"label-value": v, "rgba": [*rgb, 255]} for v, (_, rgb) in values.items()],
        "properties": [{"label-value": v, "name": name} for v, (name, _) in values.items()],
        "source": {"image": "../../"},
    }
