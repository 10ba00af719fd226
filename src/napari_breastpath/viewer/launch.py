"""Starting napari with our docks: `breastpath view`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

from napari_breastpath.viewer.preferences import PLUGIN

if TYPE_CHECKING:
    from napari import Viewer

DOCKS = ("Breast analysis", "Measurements", "Correct", "Navigator")


def view(path: Path | str | None = None, block: bool = True) -> Viewer:
    """Open napari with our docks, and a slide or a result in it.

    Parameters
    ----------
    path : Path or str, optional
        A slide or a `….breastpath` folder.
    block : bool, by default True
        Return when the window is closed; False returns at once (notebooks, tests).

    Returns
    -------
    napari.Viewer
    """
    import napari

    from napari_breastpath.viewer.opening import open_path
    from napari_breastpath.viewer.session import Session
    from napari_breastpath.viewer.tracker import Tracker

    viewer = napari.Viewer(title="Breast pathology")
    dock(viewer)
    if path is not None:
        open_path(viewer, Path(path))
        if not Tracker.of(Session.of(viewer)).restored:
            # The canvas gets its size once the window is laid out.
            QTimer.singleShot(0, viewer.reset_view)
    if block:
        napari.run()
    return viewer


def dock(viewer: Viewer) -> None:
    """Add our docks, the first in front."""
    front, _ = viewer.window.add_plugin_dock_widget(PLUGIN, DOCKS[0])
    for name in DOCKS[1:]:
        viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    QTimer.singleShot(0, front.raise_)
