"""How a coarser level of a pyramid comes from the finer one."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

UInt8Array: TypeAlias = NDArray[np.uint8]


def _even(values: UInt8Array) -> UInt8Array:
    """Pad odd ends of the last two axes by 0."""
    pad = [(0, 0)] * (values.ndim - 2) + [(0, n % 2) for n in values.shape[-2:]]
    return np.pad(values, pad) if any(end for _, end in pad) else values


def _sums(values: NDArray[np.integer]) -> NDArray[np.integer]:
    """Add 2 × 2 pixels of (…, y, x), both sizes even."""
    rows = values[..., ::2, :] + values[..., 1::2, :]  # first, as they lie together
    sums: NDArray[np.integer] = rows[..., ::2] + rows[..., 1::2]
    return sums


def halve_mean(values: UInt8Array) -> UInt8Array:
    """Average 2 × 2 pixels over those inferred (not 0); 0 where none is."""
    padded = _even(values)
    known = np.maximum(_sums((padded != 0).view(np.uint8)), 1)
    mean: UInt8Array = ((_sums(padded.astype(np.uint16)) + known // 2) // known).astype(np.uint8)
    return mean


def halve_max(values: UInt8Array) -> UInt8Array:
    """Keep the largest label of 2 × 2 pixels, so that a small focus stays visible from afar."""
    padded = _even(values)
    rows = np.maximum(padded[..., ::2, :], padded[..., 1::2, :])
    maximum: UInt8Array = np.maximum(rows[..., ::2], rows[..., 1::2])
    return maximum
