"""Hands on a result: journal, undo, mask operations in µm, comparison of readers."""

from napari_breastpath.edits.corrections import Corrections
from napari_breastpath.edits.entry import Change, Entry
from napari_breastpath.edits.history import hand_state
from napari_breastpath.edits.journal import applied_log, read_log
from napari_breastpath.edits.regions_at import RegionWindow, region_at
from napari_breastpath.edits.state import (
    HandState,
    ManualExtent,
    Review,
    Ruler,
    folded,
    hands_summary,
)
from napari_breastpath.edits.stored_mask import rewrite_mask

__all__ = [
    "Change",
    "Corrections",
    "Entry",
    "HandState",
    "ManualExtent",
    "RegionWindow",
    "Review",
    "Ruler",
    "applied_log",
    "folded",
    "hand_state",
    "hands_summary",
    "read_log",
    "region_at",
    "rewrite_mask",
]
