"""From TOML to a frozen dataclass; whatever does not fit is named by its key, in one line."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from napari_breastpath.core.errors import UsageError

T = TypeVar("T")
_WORDS: Final = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
}


def read_toml(path: Path, advice: str) -> dict[str, Any]:
    """Return a TOML file's values; `UsageError` where it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(path, f"cannot be read ({error.strerror})", "give a TOML file") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(path, f"is no TOML ({error})", advice) from error


def build(kind: type[T], values: Any, path: Path, advice: str, prefix: str = "") -> T:
    """Return a dataclass of TOML's values, dataclasses in it too.

    Parameters
    ----------
    kind : type
        A dataclass; its type hints say what each key must hold.
    values : mapping
    path : Path
        Of the file, for errors.
    advice : str
        What to do about an error.
    prefix : str
        Of the keys, with its dot.

    Raises
    ------
    UsageError
        A key that is unknown, missing, or holds something of another type.
    """
    if not isinstance(values, Mapping):
        raise UsageError(path, f"`{prefix.rstrip('.')}` must be a table", advice)
    hints = get_type_hints(kind)
    for key in values:
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1)
            hint = f" (`{near[0]}`?)" if near else ""
            raise UsageError(path, f"`{prefix}{key}` is unknown{hint}", advice)
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]
        required = each.default is each.default_factory is dataclasses.MISSING
        if required and each.name not in values:
            raise UsageError(path, f"`{prefix}{each.name}` is missing", advice)
    return kind(**{k: _value(hints[k], v, path, advice, prefix + k) for k, v in values.items()})


def _value(kind: Any, value: Any, path: Path, advice: str, key: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return build(kind, value, path, advice, f"{key}.")  # type: ignore[arg-type]
    if get_origin(kind) is tuple:
        values = value if isinstance(value, list) else [value]
        return tuple(_value(get_args(kind)[0], each, path, advice, key) for each in values)
    if get_args(kind) == (str, str):
        table = _value(dict, value, path, advice, key)
        return {k: _value(str, v, path, advice, f"{key}.{k}") for k, v in table.items()}
    plain = get_origin(kind) or kind
    if plain is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool):
        words = _WORDS.get(plain, "a table")
        raise UsageError(path, f"`{key}` must be {words}, not {value!r}", advice)
    return value
