"""The small images that a scanner stores beside the slide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray


class AssociatedImages(Mapping[str, NDArray[np.uint8]]):
    """Name → (h, w, 3) uint8; read from the file on first access."""

    def __init__(self, readers: Mapping[str, Callable[[], NDArray[np.uint8]]]) -> None:
        self._readers = dict(readers)
        self._read: dict[str, NDArray[np.uint8]] = {}

    def __getitem__(self, name: str) -> NDArray[np.uint8]:
        if name not in self._read:
            self._read[name] = self._readers[name]()
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)
