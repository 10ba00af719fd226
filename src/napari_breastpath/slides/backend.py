"""What every file format gives: a header, levels, and the decoded chunks they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.core.errors import BreastPathError, SlideError
from napari_breastpath.core.geometry import Level

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
INCOMPLETE = "check that the file was copied completely, or export it again"


@dataclass(frozen=True, slots=True)
class Claim:
    """A pixel size as one part of a header states it, not yet believed.

    Attributes
    ----------
    origin : str
        Which part, in the words of the format ("Aperio MPP", "TIFF resolution tag").
    x, y : float
        µm/px.
    """

    origin: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself besides its pixels.

    Attributes
    ----------
    vendor : str
        Format family, named as OpenSlide names it (`aperio`, `hamamatsu`, `generic-tiff`, …).
    claims : tuple of Claim
        Pixel sizes stated, the most trustworthy first.
    objective_power : float or None
        Magnification of the objective.
    properties : dict of str
        Other facts worth showing.
    bounds_offset : tuple of float
        Level-0 (x, y) of this slide's origin in the scanner's own coordinates.
    """

    vendor: str
    claims: tuple[Claim, ...] = ()
    objective_power: float | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    bounds_offset: tuple[float, float] = (0.0, 0.0)


class Backend(Protocol):
    """One open file of one format family; every method may be called from many threads."""

    reader: str
    header: Header
    levels: tuple[Level, ...]
    chunks: tuple[tuple[int, int], ...]
    """(height, width) of the chunks of each level; the last ones are cut at the level's edge."""
    channels: int
    """3 (RGB uint8) or 1 (grey uint16)."""
    files: tuple[Path, ...]
    identifiers: tuple[str, ...]
    """Unique identifiers of the content (DICOM), else empty."""
    associated: Mapping[str, Callable[[], NDArray[np.uint8]]]

    def decode(self, level: int, row: int, column: int) -> Pixels | None:
        """Return the (h, w, channels) pixels of one chunk, None where the file has none."""

    def close(self) -> None:
        """Let go of the file."""


@contextmanager
def reading(path: Path, doing: str, advice: str = INCOMPLETE) -> Iterator[None]:
    """Turn whatever a format library raises into a `SlideError` of one line."""
    try:
        yield
    except BreastPathError:
        raise
    except Exception as error:
        cause = (str(error).strip().splitlines() or [""])[0][:160]
        # The text of a KeyError is a bare key: its name says more.
        cause = cause if " " in cause else f"{type(error).__name__} {cause}".strip()
        raise SlideError(path, f"{doing} ({cause})", advice) from error


def dtype_of(channels: int) -> np.dtype[Any]:
    """Return the dtype of a slide with that many channels."""
    return np.dtype(np.uint8 if channels == 3 else np.uint16)
