"""A picture of the view for a report or a mail: what is on screen, a scale bar, and its provenance.

Pixels are those of the screen. The caption is part of the picture; the same facts, and more, are in
the PNG's text as JSON under `napari-breastpath`.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEventLoop, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter
from qtpy.QtWidgets import QApplication

from napari_breastpath.core.errors import UsageError
from napari_breastpath.report.wording import NOTHING, RESEARCH_ONLY, length_mm, pixel_size
from napari_breastpath.results.files import whole, written
from napari_breastpath.results.provenance import slide_record, software_versions
from napari_breastpath.viewer.navigate import power_of
from napari_breastpath.viewer.tracker import Tracker
from napari_breastpath.viewer.wording import magnification

if TYPE_CHECKING:
    from napari_breastpath.results import Result
    from napari_breastpath.viewer.session import Session

Rgb = NDArray[np.uint8]
KEY = "napari-breastpath"
LOADING_S = 5.0
MARGIN, LINE_HEIGHT, FONT_PX, BAR_SHARE = 10, 19, 13, 0.2
PAPER, INK = "#101018", "#ffffff"


def save_view(viewer: Any, session: Session, path: Path) -> Path:
    """Write a PNG of what is on screen, with a scale bar and a caption.

    Parameters
    ----------
    viewer : napari.Viewer
        With a window.
    session : Session
    path : Path
        `.png` is added where it has no such ending.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    UsageError
        There is no window, or no slide in it.
    ResultError
        The file cannot be written.
    """
    if not hasattr(viewer, "window"):
        raise UsageError("Picture of the view", "there is no window", "open the slide in napari")
    if session.slide is None:
        raise UsageError("Picture of the view", "no slide is open", "open one first")
    path = path if path.suffix.lower() == ".png" else path.with_name(f"{path.name}.png")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pixels = canvas_pixels(viewer)
    ratio = pixels.shape[1] / viewer.canvas.size[1]
    pixel_um = 1 / (viewer.scene.camera.zoom * ratio)
    picture = captioned(pixels, pixel_um, caption(session, viewer.scene.camera.zoom, now), ratio)
    write_png(path, picture, provenance(session, now))
    return path


def canvas_pixels(viewer: Any) -> Rgb:
    """Return the canvas without napari's own scale bar, once its tiles are there."""
    until = time.monotonic() + LOADING_S
    while not all(layer.loaded for layer in viewer.layers) and time.monotonic() < until:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents, 20)
    bar = viewer.canvas.overlays.scale_bar
    shown, bar.visible = bar.visible, False
    try:
        pixels: Rgb = viewer.screenshot(canvas_only=True, flash=False)
    finally:
        bar.visible = shown
    return np.ascontiguousarray(pixels[..., :3])


# ---------------------------------------------------------------------- facts
def caption(session: Session, zoom: float, now: str) -> list[str]:
    """Return the lines under a picture."""
    slide: Any = session.slide
    view = f"{slide.path.name} · {pixel_size(slide.mpp)} · seen at {magnification(power_of(zoom))}"
    return [view, *result_lines(session.result, hands(session)), f"{now} · {RESEARCH_ONLY}"]


def result_lines(result: Result | None, edited: str) -> list[str]:
    """Return what a picture says about the result that is shown."""
    if result is None:
        return ["No analysis shown"]
    record = result.record
    model, settings = record["model"], record["settings"]
    regions = record.get("regions") or {}
    longest = regions.get("longest_feret_mm")
    manual = regions.get("manual_longest_feret_mm")
    extents = [f"longest extent {length_mm(longest)} (automatic)"] if longest else []
    extents += [f"{length_mm(manual)} (manual)"] if manual else []
    made = f"{model.get('name', NOTHING)} {model.get('version', '')}".strip()
    threshold = settings.get("threshold")
    return [
        f"Model {made} · threshold {threshold if threshold is not None else NOTHING} · {edited}",
        " · ".join(extents) if extents else "No extent measured",
    ]


def hands(session: Session) -> str:
    """Return whether hands changed the shown result, as of now."""
    log = session.corrections.log if session.corrections else ()
    steps = {"edit": 1, "redo": 1, "undo": -1}
    in_force = sum(steps.get(entry.action, 0) for entry in log)
    recorded = (session.result.record.get("edits") or {}).get("pixels") if session.result else 0
    if in_force < 1 and (log or not recorded):
        return "not edited"
    readers = sorted({entry.reader for entry in log if entry.action == "edit" and entry.reader})
    return f"edited by {', '.join(readers)}" if readers else "edited"


def provenance(session: Session, now: str) -> dict[str, Any]:
    """Return everything that the numbers in a picture rest on."""
    slide, result = session.slide, session.result
    tracker = Tracker.of(session)
    view = tracker.view()
    facts: dict[str, Any] = {
        "time": now,
        "note": RESEARCH_ONLY,
        "slide": slide_record(slide) | {"path": slide.path.name} if slide else None,
        "view_px": [view.x, view.y, view.width, view.height] if view else None,
        "magnification": tracker.power,
        "software": software_versions(),
    }
    if result is None:
        return facts
    record = result.record
    kept = ("analysis", "specimen", "map_mpp", "settings", "regions", "edits", "status")
    model = {k: v for k, v in record["model"].items() if k != "card"}
    return facts | {k: record.get(k) for k in kept} | {"model": model, "hands": hands(session)}


# ---------------------------------------------------------------------- the picture
def bar_um(width_px: float, pixel_um: float) -> float:
    """Return a round length (1, 2 or 5 × 10ⁿ µm), at most a fifth of the picture's width."""
    most = width_px * BAR_SHARE * pixel_um
    power = 10.0 ** np.floor(np.log10(most))
    return float(max(step * power for step in (1, 2, 5) if step * power <= most))


def bar_text(um: float) -> str:
    """Return a round length with its unit."""
    return f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"


def captioned(pixels: Rgb, pixel_um: float, lines: list[str], ratio: float = 1.0) -> QImage:
    """Return a picture with a dark band under it that holds the caption and a scale bar.

    Parameters
    ----------
    pixels : ndarray, uint8 (y, x, 3)
    pixel_um : float
        µm per pixel of `pixels`.
    lines : list of str
        Wrapped where they are too long.
    ratio : float
        Pixels of the picture per pixel of the text's sizes (2 on fine screens).
    """
    height, width = pixels.shape[:2]
    font = QFont()
    font.setPixelSize(round(FONT_PX * ratio))
    length = bar_um(width, pixel_um)
    room = width - length / pixel_um - 4 * MARGIN * ratio
    wrapped = [part for line in lines for part in broken(line, QFontMetricsF(font), room)]
    band = round((len(wrapped) * LINE_HEIGHT + 2 * MARGIN) * ratio)
    image = QImage(width, height + band, QImage.Format.Format_RGB888)
    image.fill(QColor(PAPER))
    painter = QPainter(image)
    data = np.ascontiguousarray(pixels)
    painter.drawImage(0, 0, QImage(data.data, width, height, 3 * width, image.format()))
    painter.setFont(font)
    painter.setPen(QColor(INK))
    for row, line in enumerate(wrapped):
        top = height + (MARGIN + row * LINE_HEIGHT) * ratio
        place = QRectF(MARGIN * ratio, top, room + MARGIN * ratio, LINE_HEIGHT * ratio)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, line)
    draw_bar(painter, QRectF(0, height, width, band), length, pixel_um, ratio)
    painter.end()
    return image


def draw_bar(painter: QPainter, band: QRectF, um: float, pixel_um: float, ratio: float) -> None:
    """Draw a scale bar of `um` µm at the right of the band, its length above it."""
    long, thick = um / pixel_um, 5 * ratio
    left, middle = band.right() - long - MARGIN * ratio, band.center().y()
    painter.fillRect(QRectF(left, middle + 4 * ratio, long, thick), QColor(INK))
    text = QRectF(left - 99, middle - LINE_HEIGHT * ratio, long + 198, LINE_HEIGHT * ratio)
    painter.drawText(text, Qt.AlignmentFlag.AlignCenter, bar_text(um))


def broken(line: str, metrics: QFontMetricsF, width: float) -> list[str]:
    """Return a line broken at its dots where it is longer than `width` pixels."""
    rows: list[str] = []
    for part in line.split(" · "):
        longer = f"{rows[-1]} · {part}" if rows else part
        if rows and metrics.horizontalAdvance(longer) <= width:
            rows[-1] = longer
        else:
            rows.append(part)
    return rows


def write_png(path: Path, image: QImage, facts: dict[str, Any]) -> None:
    """Write a picture with `facts` as JSON in its text; all or nothing."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    width, height = image.width(), image.height()
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(height, image.bytesPerLine())
    pixels = rows[:, : 3 * width].reshape(height, width, 3)
    text = PngInfo()
    text.add_itxt(KEY, json.dumps(facts, ensure_ascii=False, default=str))
    text.add_text("Software", "napari-breastpath")
    with written(path), whole(path) as draft:
        Image.fromarray(pixels).save(draft, format="PNG", pnginfo=text)
