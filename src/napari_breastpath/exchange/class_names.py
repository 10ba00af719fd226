"""What a class of a foreign file means here: a class of the model, cut out, or left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from napari_breastpath.core.errors import UsageError
from napari_breastpath.exchange.annotation import Annotation
from napari_breastpath.results.maps import ERASED
from napari_breastpath.results.masks import scored_channels

LEAVE_OUT: Final = 0
# CAMELYON16 names its groups _0, _1 (tumour) and _2 (cut out), CAMELYON17 metastases and normal.
TUMOUR_NAMES: Final = frozenset(
    ("tumor", "tumour", "cancer", "carcinoma", "metastasis", "metastases", "_0", "_1")
)
EXCLUSION_NAMES: Final = frozenset(
    ("ignore*", "ignore", "exclusion", "exclude", "normal", "erased", "_2")
)
REGION_NAME: Final = "region*"
"""QuPath's class for areas that only say where to look."""
WORDS: Final = {"erase": ERASED, "ignore": LEAVE_OUT}


@dataclass(frozen=True)
class ClassNames:
    """The label value of every class name that a file may use.

    Attributes
    ----------
    classes : sequence of mapping
        The model's: `name` and `role`, in the order of their values from 1.
    given : mapping of str to str
        The user's own: name in the file → name of a class, `erase` or `ignore`.

    Raises
    ------
    UsageError
        `given` leads to no class.
    """

    classes: Sequence[Mapping[str, Any]]
    given: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {name.casefold() for name in self.names} | set(WORDS)
        for target in self.given.values():
            if target.casefold() not in known:
                advice = f"choose of {', '.join((*self.names, *WORDS))}"
                raise UsageError("--class", f"no class {target!r}", advice)

    @property
    def names(self) -> list[str]:
        """The model's class names."""
        return [str(each["name"]) for each in self.classes]

    def value(self, name: str) -> int | None:
        """Return k of class k, `ERASED`, `LEAVE_OUT`, or None for a name that means nothing here.

        Upper and lower case are one. Of a hierarchy (`Tumor: Positive`) the whole name counts
        first, then its first part.
        """
        wanted = {key.casefold(): target.casefold() for key, target in self.given.items()}
        key = name.casefold().strip()
        if key in wanted:
            word = wanted[key]
            return WORDS[word] if word in WORDS else self._named(word)
        found = self._known(key)
        return self._known(key.split(":")[0].strip()) if found is None else found

    def of(self, annotation: Annotation) -> int | None:
        """Return the value of an annotation; what the file cuts out is `ERASED`."""
        if annotation.exclusion:
            return ERASED
        return self.value(annotation.class_name)

    def _named(self, key: str) -> int | None:
        names = [name.casefold() for name in self.names]
        return names.index(key) + 1 if key in names else None

    def _known(self, key: str) -> int | None:
        named = self._named(key)
        if named is not None:
            return named
        if key in TUMOUR_NAMES:
            return scored_channels(self.classes)[0] + 1
        if key in EXCLUSION_NAMES:
            return ERASED
        return LEAVE_OUT if key == REGION_NAME else None


def unknown_class(subject: object, names: Iterable[str], known: ClassNames) -> UsageError:
    """Return the error for names that mean nothing here: which they are, and which there are."""
    unknown = sorted(set(names))
    listed = ", ".join(repr(name) if name else "objects without a class" for name in unknown)
    example = f"--class '{unknown[-1]}={known.names[0]}', or =erase, =ignore"
    advice = f"the classes are {', '.join(known.names)}; say what is meant: {example}"
    return UsageError(subject, f"unknown here: {listed}", advice)
