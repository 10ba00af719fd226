"""A level of a pyramid that napari indexes as it draws: never stale, as a Dask array would be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray


class LevelView(ABC):
    """Base of what is made of a level's zarr arrays when it is looked at, uint8 (y, x)."""

    __slots__ = ()

    @property
    @abstractmethod
    def source(self) -> Any:
        """A zarr array whose last axes, y and x, are the level's."""

    @abstractmethod
    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """Return a window."""

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.source.shape[-2:]
        return height, width

    @property
    def chunks(self) -> tuple[int, int]:
        """(height, width) of a chunk; napari reads whole ones."""
        height, width = self.source.chunks[-2:]
        return height, width

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        return np.dtype(np.uint8)

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        return self[:, :].astype(dtype or self.dtype, copy=bool(copy))
