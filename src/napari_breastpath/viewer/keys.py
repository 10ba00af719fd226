"""Keys. napari's layers use the plain letters and digits, so ours are Shift+letter and F-keys.

They are bound to the viewer, and none is used by a layer of napari: it works whatever is selected.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_breastpath.viewer import commands, hand_commands
from napari_breastpath.viewer.edit_commands import EDIT_KEYS, UNDO_KEYS

if TYPE_CHECKING:
    from napari.components import ViewerModel

KEYS: dict[str, Callable[..., Any]] = {
    "Shift+H": commands.toggle_overlays,
    "Shift+D": commands.toggle_probability,
    "Shift+M": commands.toggle_mask,
    "Shift+R": commands.toggle_regions,
    "Shift+T": commands.toggle_tissue,
    "Shift+N": commands.next_region,
    "Shift+B": commands.previous_region,
    "F2": commands.zoom_1,
    "F3": commands.zoom_2,
    "F4": commands.zoom_5,
    "F5": commands.zoom_10,
    "F6": commands.zoom_20,
    "F7": commands.zoom_40,
    "F8": commands.ruler,
    "F9": commands.area,
    "Shift+O": hand_commands.toggle_ellipse,
    **EDIT_KEYS,
}


def bind_keys(viewer: ViewerModel) -> None:
    """Bind our keys to a viewer."""
    for key, command in (KEYS | UNDO_KEYS).items():
        viewer.bind_key(key, command, overwrite=True)
