"""CAMELYON16-style JSON: `positive` polygons with `negative` ones cut out (NCRF's json_annotation).

Coordinates count from the scanner's origin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from napari_breastpath.exchange.annotation import Annotation, vertices

LISTS = ("positive", "negative")
CLASS = "Tumor"


def is_camelyon(document: Mapping[str, Any]) -> bool:
    """Tell whether a JSON object is such a file."""
    return "type" not in document and all(isinstance(document.get(k), list) for k in LISTS)


def read_camelyon(document: Mapping[str, Any]) -> Iterator[Annotation]:
    """Yield the polygons of a document, those to be cut out as exclusions.

    Raises
    ------
    ValueError
        A polygon is malformed; the message names it.
    """
    for key in LISTS:
        for number, polygon in enumerate(document[key], start=1):
            place = f"{key} polygon {number}"
            try:
                ring = vertices(polygon["vertices"])
            except (KeyError, TypeError):
                raise ValueError(f"{place}: no `vertices`") from None
            except ValueError as error:
                raise ValueError(f"{place}: {error}") from None
            name, excluded = str(polygon.get("name", "")), key == "negative"
            yield Annotation("polygon", ((ring,),), CLASS, name, exclusion=excluded, place=place)
