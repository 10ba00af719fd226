"""The map and the mask as one pyramidal OME-TIFF, for tools without Zarr."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.exchange.geojson import result_provenance
from napari_breastpath.results import Result
from napari_breastpath.results.files import whole
from napari_breastpath.results.maps import Pyramid

TILE: Final = 256
BIG_BYTES: Final = 2**31


def export_tiff(result: Result, path: Path) -> None:
    """Write two images into one OME-TIFF: `probability` (c, y, x), then `mask` (y, x), uint8.

    Probability: 0 not inferred, else max(1, round(255·p)). Mask: 0 nothing, k class k, named in the
    image's description. Coarser levels are SubIFDs; physical sizes are in µm; each plane's position
    is the centre of its first pixel, in µm from the centre of the slide's. Written by rows of
    tiles, so memory does not grow with the map's height.

    Source: OME-TIFF 2016-06, "Sub-resolutions".
    """
    import tifffile

    probability, mask = result.map.probability, result.map.label("mask")
    names = [kind["name"] for kind in result.classes]
    raw = sum(level.size for level in (*probability.levels, *mask.levels))
    with (
        whole(path) as draft,
        tifffile.TiffWriter(draft, bigtiff=raw > BIG_BYTES, ome=True) as file,
    ):
        _write(file, probability, _metadata(result, "probability", names))
        values = ", ".join(f"{k + 1} {name}" for k, name in enumerate(names))
        _write(file, mask, _metadata(result, "mask", [f"mask ({values})"]))


def _metadata(result: Result, name: str, channels: list[str]) -> dict[str, Any]:
    lattice, slide = result.lattice, result.slide_mpp
    position = {
        f"Position{axis}": [(coarse - fine) / 2] * len(channels)
        for axis, coarse, fine in zip("XY", lattice.mpp, slide, strict=True)
    }
    units = {f"Position{axis}Unit": ["µm"] * len(channels) for axis in "XY"}
    colors = [kind["color"] for kind in result.classes] if name == "probability" else []
    channel: dict[str, Any] = {"Name": channels}
    if colors:
        channel["Color"] = [_signed_rgba(*color) for color in colors]
    return {
        "axes": "CYX" if name == "probability" else "YX",
        "Name": name,
        "PhysicalSizeX": lattice.mpp_x,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": lattice.mpp_y,
        "PhysicalSizeYUnit": "µm",
        "Channel": channel,
        "Plane": position | units,
        "MapAnnotation": result_provenance(result),
    }


def _signed_rgba(red: int, green: int, blue: int) -> int:
    """Return a colour as OME writes it: RGBA as one signed 32-bit number."""
    return int.from_bytes(bytes((red, green, blue, 255)), "big", signed=True)


def _write(file: Any, pyramid: Pyramid, metadata: dict[str, Any]) -> None:
    """Write one image; its coarser levels become SubIFDs of its pages."""
    for k, level in enumerate(pyramid.levels):
        mpp_x, mpp_y = (metadata[f"PhysicalSize{axis}"] * 2**k for axis in "XY")
        options: dict[str, Any] = (
            {"subifds": len(pyramid.levels) - 1, "metadata": metadata}
            if k == 0
            else {"subfiletype": 1, "metadata": None}
        )
        file.write(
            _tiles(level),
            shape=level.shape,
            dtype=np.uint8,
            tile=(TILE, TILE),
            photometric="minisblack",
            compression="zlib",
            resolution=(1e4 / mpp_x, 1e4 / mpp_y),
            resolutionunit="CENTIMETER",
            **options,
        )


def _tiles(level: Any) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles of one level, plane by plane, edges padded by 0."""
    height, width = level.shape[-2:]
    for plane in np.ndindex(level.shape[:-2]):
        for top in range(0, height, TILE):
            band = np.asarray(level[(*plane, slice(top, top + TILE))])
            padded = np.zeros((TILE, -(-width // TILE) * TILE), np.uint8)
            padded[: band.shape[0], :width] = band
            for left in range(0, padded.shape[1], TILE):
                yield padded[:, left : left + TILE]
