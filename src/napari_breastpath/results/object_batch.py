"""Some objects of one slide in memory: nuclei, mitoses or masses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ObjectBatch:
    """Some objects of one slide: columns of one length, n.

    Attributes
    ----------
    shapes : sequence of ndarray, float (m, 2), or ndarray, float (n, 2)
        Level-0 (x, y) px: one ring per object (closed or not, m ≥ 3) or one point (m = 1); or the
        points of all objects.
    class_index : ndarray of int, shape (n,)
        Which of the classes each belongs to.
    measurements : mapping of str to ndarray of float, shape (n,)
        By name, with its unit in the name where it has one. NaN is unknown.
    """

    shapes: Sequence[NDArray[np.floating]] | NDArray[np.floating]
    class_index: NDArray[np.integer]
    measurements: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = (self.class_index, *self.measurements.values())
        if any(len(column) != len(self.shapes) for column in columns):
            raise ValueError("the columns of a batch of objects are not of one length")

    def vertices(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the vertices (v, 2) of all objects, one after the other, and each one's number."""
        rings = [np.asarray(ring, np.float32).reshape(-1, 2) for ring in self.shapes]
        none = np.zeros((0, 2), np.float32)
        return np.concatenate([none, *rings]), np.array([len(ring) for ring in rings], np.int64)
