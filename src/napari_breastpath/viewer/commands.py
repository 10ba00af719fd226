"""What the menus, the command palette and the keys do. napari passes the viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info

from napari_breastpath.viewer import navigate
from napari_breastpath.viewer.our_layers import ROLES
from napari_breastpath.viewer.session import Session

if TYPE_CHECKING:
    from napari.viewer import Viewer

OVERLAYS = tuple(role for role in ROLES if role != "slide")
NAMES = {
    "probability": "probability map",
    "mask": "mask",
    "regions": "region outlines",
    "tissue": "tissue outline",
}


def open_slide(viewer: Viewer) -> None:
    """Choose a slide and open it."""
    from napari_breastpath.viewer.opening import choose_slide

    choose_slide(viewer)


def open_result(viewer: Viewer) -> None:
    """Choose a result folder and open it with its slide."""
    from napari_breastpath.viewer.opening import choose_result

    choose_result(viewer)


def show_identity(viewer: Viewer) -> None:
    """Show the label and the macro image of the open slide."""
    from napari_breastpath.viewer import identity

    slide = Session.of(viewer).slide
    if slide is None:
        show_info("No slide is open.")
        return
    identity.show_identity(slide)


def toggle(viewer: Viewer, role: str) -> Callable[[], None] | None:
    """Show or hide one of our layers.

    Returns
    -------
    callable or None
        Undoes it; napari calls it when the key was held, so holding is a look and tapping a switch.
    """
    layer = Session.of(viewer).layer(role)
    if layer is None:
        show_info(f"No {NAMES[role]} yet.")
        return None
    before = layer.visible
    layer.visible = not before
    return lambda: setattr(layer, "visible", before)


def toggle_overlays(viewer: Viewer) -> Callable[[], None] | None:
    """Show the bare slide, or bring back the overlays; as `toggle`, a held key only looks."""
    session = Session.of(viewer)
    layers = [layer for role in OVERLAYS if (layer := session.layer(role)) is not None]
    if not layers:
        show_info("No overlays yet.")
        return None
    before = {layer: layer.visible for layer in layers}
    shown = [layer for layer in layers if layer.visible]
    for layer in layers:
        layer.visible = not shown and layer in session.hidden
    session.hidden = shown
    return lambda: _restore(before)


def _restore(visible: dict) -> None:
    for layer, was in visible.items():
        layer.visible = was


def toggle_probability(viewer: Viewer) -> Callable[[], None] | None:
    """Show or hide the probability map."""
    return toggle(viewer, "probability")


def toggle_mask(viewer: Viewer) -> Callable[[], None] | None:
    """Show or hide the mask."""
    return toggle(viewer, "mask")


def toggle_regions(viewer: Viewer) -> Callable[[], None] | None:
    """Show or hide the region outlines."""
    return toggle(viewer, "regions")


def toggle_tissue(viewer: Viewer) -> Callable[[], None] | None:
    """Show or hide the tissue outline."""
    return toggle(viewer, "tissue")


def next_region(viewer: Viewer) -> None:
    """Go to the next region, in the order chosen in the Measurements dock."""
    _step_region(viewer, 1)


def previous_region(viewer: Viewer) -> None:
    """Go back to the region before."""
    _step_region(viewer, -1)


def _step_region(viewer: Viewer, step: int) -> None:
    from napari_breastpath.viewer.tour import Tour

    tour = Tour.of(Session.of(viewer))
    if not tour.step(step):
        nothing = tour.regions is None
        show_info("No regions yet." if nothing else "No regions above the threshold.")


def zoom(viewer: Viewer, power: float) -> None:
    """Zoom to an objective: at 10× one screen pixel is 1 µm."""
    viewer.scene.camera.zoom = navigate.zoom_of(power)


def zoom_1(viewer: Viewer) -> None:
    """Zoom to 1.25×."""
    zoom(viewer, 1.25)


def zoom_2(viewer: Viewer) -> None:
    """Zoom to 2.5×."""
    zoom(viewer, 2.5)


def zoom_5(viewer: Viewer) -> None:
    """Zoom to 5×."""
    zoom(viewer, 5)


def zoom_10(viewer: Viewer) -> None:
    """Zoom to 10×."""
    zoom(viewer, 10)


def zoom_20(viewer: Viewer) -> None:
    """Zoom to 20×."""
    zoom(viewer, 20)


def zoom_40(viewer: Viewer) -> None:
    """Zoom to 40×."""
    zoom(viewer, 40)


def ruler(viewer: Viewer) -> None:
    """Draw a ruler: two clicks or a drag."""
    _draw(viewer, "ruler")


def area(viewer: Viewer) -> None:
    """Outline an area: freehand or corner by corner."""
    _draw(viewer, "area")


def _draw(viewer: Viewer, kind: str) -> None:
    from napari_breastpath.viewer.pen import Pen

    if not Pen.of(Session.of(viewer)).take(kind):
        show_info("No slide is open.")


def save_view(viewer: Viewer) -> None:
    """Choose a file and write a picture of the view to it."""
    from napari_breastpath.viewer.saving import choose_picture

    choose_picture(viewer)
