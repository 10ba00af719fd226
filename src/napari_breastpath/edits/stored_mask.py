"""The mask on disk: the model's at a threshold with the edits laid over it, at every level."""

from __future__ import annotations

import numpy as np

from napari_breastpath.core.errors import ResultError
from napari_breastpath.edits.entry import BoolArray, UInt8Array
from napari_breastpath.edits.journal import Journal, Marker, waited_for
from napari_breastpath.results import Result
from napari_breastpath.results.maps import Pyramid
from napari_breastpath.results.masks import PIXELS_AT_ONCE, band_at, measured_mask, row_slices


def rewrite_mask(result: Result, threshold: float) -> None:
    """Bring the whole mask on disk to a threshold, and to the edits as they are now.

    Goes by some rows of blocks and writes those that differ at any level. Edits may go on
    meanwhile: these rows are made from what is on disk, while nobody writes edits.

    Parameters
    ----------
    result : Result
    threshold : float
        One-class models: v/255 > threshold. Others take the likeliest class.
    """
    journal = Journal(result)
    with waited_for(result.path / "mask"):
        _mark(journal, threshold, is_whole=False)
        for rows in row_slices(result, PIXELS_AT_ONCE // len(result.classes)):
            with journal.alone():
                mask = measured_mask(band_at(result, rows), result.classes, threshold)
                _write_stale(result.map.label("mask"), rows, mask, result.map.chunk)
        _mark(journal, threshold, is_whole=True)


def _mark(journal: Journal, threshold: float, *, is_whole: bool) -> None:
    """Mark the mask's threshold, unless nobody edits, or edited at another since the beginning."""
    with journal.alone():
        marker = journal.marker
        if marker is not None and (not is_whole or marker.threshold == threshold):
            journal.mark(Marker(marker.applied, threshold, is_whole))


def _write_stale(label: Pyramid, rows: slice, mask: UInt8Array, chunk: int) -> None:
    """Write the blocks of a band that are not on disk already, neighbours at once."""
    stale = stale_blocks(label, rows, mask, chunk).astype(np.int8)
    edges = np.flatnonzero(np.diff(stale, prepend=0, append=0)) * chunk
    for left, right in edges.reshape(-1, 2).tolist():
        label.write(rows.start, left, mask[:, left:right])


def stale_blocks(label: Pyramid, rows: slice, mask: UInt8Array, chunk: int) -> BoolArray:
    """Tell which blocks of a band of `mask` differ from the stored label at any level.

    Parameters
    ----------
    label : Pyramid
    rows : slice
        Level-0 rows of the band, which start at a block.
    mask : ndarray of uint8, shape (rows, width)
    chunk : int
        Edge of a block in map px: a power of two, no less than the coarsest level's factor.
    """
    stale = np.zeros(-(-mask.shape[1] // chunk), dtype=bool)
    if not any(level.nchunks_initialized for level in label.levels):  # nothing was written yet
        stale[np.flatnonzero(mask.any(axis=0)) // chunk] = True
        return stale
    top, values = rows.start, mask
    for level in range(len(label.levels)):
        try:
            stored = label.read(slice(top, top + len(values)), slice(None), level)
        except ResultError:  # damaged: what is written now takes its place
            return np.ones_like(stale)
        differing = np.flatnonzero((stored != values).any(axis=0))
        stale[(differing << level) // chunk] = True
        top, values = top // 2, label.halve(values)
    return stale
