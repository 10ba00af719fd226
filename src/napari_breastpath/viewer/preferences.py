"""What is remembered: our page in napari's Preferences, and the one question at the first slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_breastpath.viewer.dialogs import parent_window

if TYPE_CHECKING:
    from qtpy.QtWidgets import QMessageBox

PLUGIN = "napari-breastpath"
SLIDE_PATTERNS = (
    "*.svs", "*.tif", "*.tiff", "*.btf", "*.ndpi", "*.qptiff", "*.scn", "*.mrxs", "*.bif", "*.vms",
    "*.svslide",
)  # fmt: skip
RESULT_FOLDERS = "*.breastpath/"
QUESTION = "Always open slide files with Breast pathology?"
DETAILS = (
    "•  Slide files (.svs, .ndpi, .tif …) and results then open at once, in µm. Otherwise napari "
    "asks each time, and its own reader loads the whole file into memory. Small images that are no "
    "slides still open as usual.\n\n"
    "•  Tiles are then loaded in the background, so that the window never waits for them.\n\n"
    "Both can be changed in File ▸ Preferences."
)


def settings() -> Any:
    """Return our page of napari's Preferences (napari.yaml, `configurations`), saved on change."""
    from napari.settings import get_plugin_settings

    return get_plugin_settings(PLUGIN)


def reader_name() -> str:
    """Return the name that goes with what hands do, "" where none is given."""
    return str(getattr(getattr(settings(), "reader", None), "name", "")).strip()


def set_reader_name(name: str) -> None:
    """Keep the name for all that hands do from now on."""
    settings().reader.name = name


def should_ask() -> bool:
    """Tell whether the question was never answered."""
    return bool(settings().opening.ask)


def answer(yes: bool) -> None:
    """Do what the user chose, and never ask again."""
    settings().opening.ask = False
    if yes:
        prefer_our_reader()
        slice_in_background()


def prefer_our_reader() -> None:
    """Let napari open slide files and result folders with our reader; other choices stay."""
    from napari.settings import get_settings

    # napari compares these patterns as they are: scanners write .SVS too.
    patterns = [*SLIDE_PATTERNS, *(p.upper() for p in SLIDE_PATTERNS), RESULT_FOLDERS]
    plugins = get_settings().plugins
    plugins.extension2reader = {**plugins.extension2reader, **dict.fromkeys(patterns, PLUGIN)}


def slice_in_background() -> None:
    """Switch napari's asynchronous slicing on."""
    from napari.settings import get_settings

    get_settings().experimental.async_ = True


def ask_once() -> QMessageBox | None:
    """Ask the question unless it was answered; returns at once, the window stays usable.

    Returns
    -------
    QMessageBox or None
        The open question, None when there is nothing to ask or no window to ask in.
    """
    parent = parent_window()
    if parent is None or not should_ask():
        return None
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QMessageBox

    box = QMessageBox(parent)
    box.setWindowTitle("Breast pathology")
    box.setText(f"<b>{QUESTION}</b>")
    box.setInformativeText(DETAILS)
    yes = box.addButton("Yes", QMessageBox.ButtonRole.AcceptRole)
    no = box.addButton("No, leave as it is", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(yes)
    box.setEscapeButton(no)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.buttonClicked.connect(lambda button: answer(button is yes))
    box.open()
    return box
