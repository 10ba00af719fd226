"""What menus and keys do to what hands measured and signed. napari passes the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.utils.notifications import show_info, show_warning

from napari_breastpath.viewer import reviewing
from napari_breastpath.viewer.ellipse import NOT_YET, MomentAxis
from napari_breastpath.viewer.session import Session

if TYPE_CHECKING:
    from napari.viewer import Viewer


def toggle_ellipse(viewer: Viewer) -> None:
    """Show or hide the ellipse of the longest moment axis."""
    if not MomentAxis.of(Session.of(viewer)).toggle():
        show_info(NOT_YET)


def review(viewer: Viewer) -> None:
    """Sign the shown result with the reader's name and lock it."""
    reviewing.sign(Session.of(viewer), show_warning)


def reopen(viewer: Viewer) -> None:
    """Open a reviewed result for changes again, once asked."""
    reviewing.reopen(Session.of(viewer), show_warning)


def reset_extent(viewer: Viewer) -> None:
    """Take the manual extent back; the journal keeps it."""
    reviewing.reset_extent(Session.of(viewer), show_warning)
