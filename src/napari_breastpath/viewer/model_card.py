"""A model's card in a window of its own: what it is, how it was measured, what it is not for."""

from __future__ import annotations

from qtpy.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from napari_breastpath.models import ModelBundle
from napari_breastpath.models.cards import card_text


class ModelCard(QDialog):
    """The card of one model."""

    def __init__(self, bundle: ModelBundle, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Model card: {bundle.name}")
        self.resize(620, 560)
        browser = QTextBrowser()
        browser.setMarkdown(card_text(bundle))
        browser.setOpenExternalLinks(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(browser)
        layout.addWidget(buttons)
