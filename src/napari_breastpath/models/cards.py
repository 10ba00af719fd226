"""A model's card as Markdown: the facts of its description, then what its makers wrote."""

from __future__ import annotations

from napari_breastpath.models.bundle import ModelBundle
from napari_breastpath.models.second_stage import CLASSIFIER, REGRESSOR
from napari_breastpath.models.trust import is_trusted, source

MAX_CARD_CHARACTERS = 200_000


def card_text(bundle: ModelBundle) -> str:
    """Return the card as Markdown: the manifest's facts, then the bundle's README."""
    classes = ", ".join(f"{c.name} ({c.role})" for c in bundle.classes)
    facts = [
        *_foreign_facts(bundle),
        f"**Intended use:** {bundle.intended_use}",
        f"**Training data:** {bundle.training_data}",
        f"**Licence:** {bundle.licence}",
        f"**Authors:** {', '.join(bundle.authors)}",
        f"**Classes:** {classes}",
        f"**Input:** {bundle.mpp:g} µm/px; map at {bundle.map_mpp:g} µm/px",
        f"**Weights (SHA-256):** {bundle.sha256}",
        *_second_stage(bundle),
    ]
    return "\n\n".join([f"# {bundle.name} {bundle.version}", *facts, "---", _readme(bundle)])


def _foreign_facts(bundle: ModelBundle) -> list[str]:
    """Return what a reader must know of a model that is not of this project."""
    if not bundle.origin:
        return []
    facts = [f"**Somebody else's model, not run by us.** From {source(bundle)}"]
    if bundle.runs_code:
        state = "trusted" if is_trusted(bundle) else "not trusted, does not run"
        facts.append(f"**Holds a program** ({bundle.format}): {state}")
    return facts


def _second_stage(bundle: ModelBundle) -> list[str]:
    """Return what a bundle's second stage is and rests on, if it has one."""
    entry = bundle.second_stage or {}
    stages = {CLASSIFIER: "metastasis", REGRESSOR: "major axis"}
    names = [
        f"{what} by {entry[key].get('estimator', '?')}"
        for key, what in stages.items()
        if entry.get(key)
    ]
    if not names:
        return []
    rest = f"{entry.get('slides', '?')} slides of {entry.get('patients', '?')} patients"
    return [f"**Second stage:** {', '.join(names)}; fitted on {rest}"]


def _readme(bundle: ModelBundle) -> str:
    if not bundle.card.is_file():
        return ""
    return bundle.card.read_text(encoding="utf-8", errors="replace")[:MAX_CARD_CHARACTERS]
