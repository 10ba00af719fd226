"""XML read as events, without document types: no entity is ever expanded, nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol
from xml.parsers import expat


class XmlFault(ValueError):
    """XML that is not well-formed or not what the format asks for, with its line.

    Parameters
    ----------
    line : int
    cause : str
    """

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(f"line {line}: {cause}")


class XmlHandler(Protocol):
    """What takes the elements; a `ValueError` that it raises gets the line.

    Attributes
    ----------
    parents : mapping of str to tuple of str
        Of the tags that matter, where each may stand; an empty name is the document itself.
    """

    parents: Mapping[str, tuple[str, ...]]

    def start(self, tag: str, attributes: dict[str, str], line: int) -> None:
        """Take the beginning of an element that is in `parents`."""

    def end(self, tag: str) -> None:
        """Take its end."""


def read_xml(data: bytes, handler_of: Callable[[str], XmlHandler]) -> XmlHandler:
    """Walk through a document and return its handler.

    Parameters
    ----------
    data : bytes
    handler_of : callable
        Gives the handler for the name of the outermost element; `ValueError` when there is none.

    Raises
    ------
    XmlFault
        Not well-formed, a document type declaration, a tag in the wrong place, or what the handler
        found.
    """
    parser = expat.ParserCreate()
    path: list[str] = []
    handler: XmlHandler | None = None

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal handler
        above = path[-1] if path else ""
        path.append(tag)
        handler = handler_of(tag) if handler is None else handler
        if tag in handler.parents:
            if above not in handler.parents[tag]:
                raise ValueError(f"<{tag}> inside <{above}>")
            handler.start(tag, attributes, parser.CurrentLineNumber)

    def end(tag: str) -> None:
        path.pop()
        if handler is not None and tag in handler.parents:
            handler.end(tag)

    def refuse(*declaration: object) -> None:
        raise ValueError("a document type declaration (DOCTYPE) is not accepted")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = None
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise XmlFault(error.lineno, f"not well-formed ({expat.ErrorString(error.code)})") from None
    except (ValueError, LookupError) as error:  # LookupError: an encoding nobody knows
        raise XmlFault(parser.CurrentLineNumber, str(error)) from None
    if handler is None:
        raise XmlFault(1, "no element")
    return handler


def coordinate(attributes: Mapping[str, str], name: str) -> float:
    """Return a coordinate; a decimal comma, as some computers write it, is read as a point.

    Raises
    ------
    ValueError
        There is none, or it is no number.
    """
    text = attributes.get(name)
    if text is None:
        raise ValueError(f"no {name}")
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"{name} is {text[:20]!r}, no number") from None
