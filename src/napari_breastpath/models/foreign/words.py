"""What class names of other people's models mean, and colours for them."""

from __future__ import annotations

import re

from napari_breastpath.models.bundle import ClassInfo

TUMOUR = ("tumo", "cancer", "carcinoma", "malignan", "metast", "mets", "lymphnodemets")
NEGATIONS = ("no", "non", "not", "without")
BACKGROUND = ("background", "normal", "negative", "healthy", "glass")
COLORS = (
    (200, 0, 0),
    (0, 120, 200),
    (240, 160, 0),
    (110, 60, 170),
    (0, 150, 90),
    (120, 120, 120),
    (220, 90, 160),
    (90, 70, 40),
)
BACKGROUND_COLOR = (190, 190, 190)


def role_of(name: str) -> str:
    """Return the role of a class that carries none, from its name.

    A guess that the card shows: tumour, benign, in_situ, invasive, background (also for names that
    begin with a negation: noTumor, non-metastatic), else other.
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", " ", name).lower().strip()
    joined = words.replace(" ", "")
    if words.split(" ")[0] in NEGATIONS or any(joined.startswith(f"no{t}") for t in TUMOUR):
        return "background"
    if joined.startswith(BACKGROUND):
        return "background"
    if "insitu" in joined or "dcis" in joined:
        return "in_situ"
    if "invasive" in joined:
        return "invasive"
    if "benign" in joined:
        return "benign"
    return "tumour" if any(word in joined for word in TUMOUR) else "other"


def classes_of(names: list[str]) -> tuple[ClassInfo, ...]:
    """Return classes with roles and colours, in the order of their names."""
    roles = [role_of(name) for name in names]
    shown = iter(COLORS * (1 + len(names) // len(COLORS)))
    return tuple(
        ClassInfo(name, BACKGROUND_COLOR if role == "background" else next(shown), role)
        for name, role in zip(names, roles, strict=True)
    )
