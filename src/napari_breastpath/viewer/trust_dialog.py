"""The question that a program of somebody else's model raises: may it run here?"""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_breastpath.models import ModelBundle, is_trusted, trust_model
from napari_breastpath.models.trust import source
from napari_breastpath.viewer.model_card import ModelCard


def question(bundle: ModelBundle) -> str:
    """Return what a person is asked, with the source and the SHA-256 of the program."""
    return (
        f"{bundle.name} is not run by us and holds a program ({bundle.format}). A program can do "
        "anything on this machine that you can.\n\n"
        f"Source: {source(bundle)}\n\n"
        f"SHA-256: {bundle.sha256}\n\n"
        f"Licence: {bundle.licence}\n\n"
        "Trust it, as it is now?"
    )


def may_run(bundle: ModelBundle, parent: QWidget | None = None) -> bool:
    """Return whether a model may run; asks, and remembers a yes, where it was not trusted yet."""
    if is_trusted(bundle):
        return True
    box = QMessageBox(parent)
    box.setWindowTitle("Trust this model?")
    box.setIcon(QMessageBox.Icon.Warning)
    box.setTextFormat(Qt.TextFormat.PlainText)  # what its maker wrote is not to be obeyed
    box.setText(question(bundle))
    box.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    trust = box.addButton("Trust and run", QMessageBox.ButtonRole.AcceptRole)
    card = box.addButton("Card…", QMessageBox.ButtonRole.HelpRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.exec()
    pressed = box.clickedButton()
    box.deleteLater()
    if pressed is card:
        ModelCard(bundle, parent).show()
    if pressed is trust:
        trust_model(bundle)
    return pressed is trust
