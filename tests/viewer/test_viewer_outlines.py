"""Outlines of a mask are those that napari draws as contours, whatever window is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from napari_breastpath.viewer.outlines import Outlines, outlined

RNG = np.random.default_rng(0)
MASKS = {
    "two classes": ndimage.zoom(RNG.integers(0, 3, (9, 12)), 6, order=0).astype(np.uint8),
    "specks": (RNG.random((40, 50)) > 0.6).astype(np.uint8),
    "full": np.ones((20, 20), np.uint8),
    "a line": np.eye(12, dtype=np.uint8),
    "one pixel": np.ones((1, 1), np.uint8),
}
WINDOWS: dict[str, Any] = {
    "whole": (slice(None), slice(None)),
    "inside": (slice(7, 31), slice(11, 29)),
    "at the end": (slice(20, None), slice(0, 3)),
    "beyond it": (slice(30, 99), slice(2, 99)),
    "every third": (slice(1, 33, 3), slice(0, 40, 3)),
    "a pixel": (13, 17),
    "a row": (13, slice(4, 9)),
    "rows": slice(3, 17),
    "nothing": (slice(5, 5), slice(0, 9)),
}


def contours(mask: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    """Return what napari's Labels layer draws for `contour = width_px`."""
    cross = ndimage.generate_binary_structure(2, 1)
    lowest = ndimage.grey_erosion(mask, footprint=ndimage.iterate_structure(cross, width_px))
    return np.where(ndimage.grey_dilation(mask, footprint=cross) == lowest, 0, mask)


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("width_px", [1, 2, 3])
def test_outlines_are_napari_s_contours(name: str, width_px: int) -> None:
    mask = MASKS[name]
    np.testing.assert_array_equal(outlined(mask, width_px), contours(mask, width_px))


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_of_outlines_is_that_of_the_whole(window: str) -> None:
    view, key = Outlines(MASKS["two classes"]), WINDOWS[window]
    np.testing.assert_array_equal(view[key], np.asarray(view)[key])
    assert (view.ndim, view.size) == (2, np.asarray(view).size)
