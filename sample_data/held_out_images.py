"""Images that a training left out, as a model sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_breastpath.training.sources import Sample

Rgb: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]
Network: TypeAlias = Callable[[Rgb], Floats]


def read_whole(sample: Sample, mpp: float) -> Rgb:
    """Return an image, uint8 (y, x, 3), at some µm/px, as scanned."""
    slide = sample.slide
    rgb: Rgb = slide.read(0, 0, slide.width, slide.height, mpp=mpp)
    return rgb


def truth_over(sample: Sample, shape: tuple[int, int], mpp: float) -> NDArray[Any]:
    """Return what is true at the centres of an image's pixels at some µm/px, (y, x)."""
    own = sample.slide.mpp
    ys, xs = (np.arange(n, dtype=np.float64) + 0.5 for n in shape)
    return sample.truth.at(ys * (mpp / own.y), xs * (mpp / own.x))[0]


def by_source(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Return each source's images."""
    ordered = sorted(samples, key=lambda s: s.source.title)
    return {title: list(own) for title, own in groupby(ordered, lambda s: s.source.title)}


def extent(samples: Iterable[Sample]) -> dict[str, int]:
    """Return how many images and patients (or what stands for them) there are."""
    own = list(samples)
    return {"images": len(own), "patients": len({s.patient for s in own})}
