"""A model's card in a window of its own: what it is, how it was measured, what it is not for."""

from __future__ import annotations

from qtpy.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from napari_breastpath.models import ModelBundle


def card_text(bundle: ModelBundle) -> str:
    """Return the card as Markdown: the manifest's facts, then the bundle's README."""
    classes = ", ".join(f"{c.name} ({c.role})" for c in bundle.classes)
    facts = [
        f"**Intended use:** {bundle.intended_use}",
        f"**Training data:** {bundle.training_data}",
        f"**Licence:** {bundle.licence}",
        f"**Authors:** {', '.join(bundle.authors)}",
        f"**Classes:** {classes}",
        f"**Input:** {bundle.mpp:g} µm/px; map at {bundle.map_mpp:g} µm/px",
        f"**Weights (SHA-256):** {bundle.sha256}",
    ]
    readme = bundle.card.read_text(encoding="utf-8") if bundle.card.is_file() else ""
    return "\n\n".join([f"# {bundle.name} {bundle.version}", *facts, "---", readme])


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
