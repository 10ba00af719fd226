"""Reading a JSON document member by member, so that a long list is never held as objects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

_DECODER: Final = json.JSONDecoder()
_SPACE: Final = re.compile(r"[ \t\n\r]*")


class JsonStream:
    """Walks through JSON text.

    Every method raises `json.JSONDecodeError` (a `ValueError` with the line) at a fault. Of equal
    keys the last one wins, as QuPath sometimes writes `metadata` twice.

    Parameters
    ----------
    text : str
    """

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def peek(self) -> str:
        """Return the next character that is no space; empty at the end."""
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]

    def take(self, character: str) -> None:
        """Go past a character that must come next."""
        if self.peek() != character:
            raise json.JSONDecodeError(f"Expecting {character!r}", self._text, self._at)
        self._at += 1

    def value(self) -> Any:
        """Return the value that comes next, whole."""
        self.peek()
        try:
            value, self._at = _DECODER.raw_decode(self._text, self._at)
        except RecursionError:
            raise json.JSONDecodeError("Nested too deeply", self._text, self._at) from None
        return value

    def items(self) -> Iterator[Any]:
        """Yield the elements of the array that comes next."""
        for _ in self._separated("[", "]"):
            yield self.value()

    def keys(self) -> Iterator[str]:
        """Yield the keys of the object that comes next; the caller takes each value."""
        for _ in self._separated("{", "}"):
            key = self.value()
            if not isinstance(key, str):
                raise json.JSONDecodeError("Expecting a name", self._text, self._at)
            self.take(":")
            yield key

    def end(self) -> None:
        """Make sure that nothing follows."""
        if self.peek():
            raise json.JSONDecodeError("Extra data", self._text, self._at)

    def _separated(self, opening: str, closing: str) -> Iterator[None]:
        self.take(opening)
        if self.peek() == closing:
            self.take(closing)
            return
        while True:
            yield
            if self.peek() == closing:
                self.take(closing)
                return
            self.take(",")


def read_document(text: str, streamed: str, each: Callable[[Any], object]) -> dict[str, Any]:
    """Read an object, or an array, handing the elements of one array over one by one.

    Parameters
    ----------
    text : str
    streamed : str
        Key of the array whose elements go to `each`; a document that is an array itself is it.
    each : callable

    Returns
    -------
    dict
        All other members.
    """
    stream, rest = JsonStream(text), dict[str, Any]()
    if stream.peek() == "[":
        for item in stream.items():
            each(item)
    else:
        for key in stream.keys():  # noqa: SIM118 (no dictionary)
            if key == streamed and stream.peek() == "[":
                for item in stream.items():
                    each(item)
            else:
                rest[key] = stream.value()
    stream.end()
    return rest
