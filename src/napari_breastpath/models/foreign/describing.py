"""What is the same of every foreign folder: its source, its licence, its hash, its fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from napari_breastpath.core.errors import ModelError
from napari_breastpath.core.geometry import MIN_MAP_MPP, output_stride
from napari_breastpath.models.hashing import file_sha256

T = TypeVar("T")
SOURCE = "source.json"
UNSTATED = "not stated by its makers; ask them before any use"
NOT_OURS = "somebody else's model, not run by us; read its own card"
MAX_DESCRIPTION_BYTES = 4 << 20
ADVICE = "correct it or get the model again"


def read_object(path: Path) -> dict[str, Any]:
    """Return a JSON object from a file.

    Raises
    ------
    ModelError
        Unreadable, too large, or something else than an object.
    """
    try:
        if path.stat().st_size > MAX_DESCRIPTION_BYTES:
            raise ModelError(path, "is too large for a description", ADVICE)
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(path, "cannot be read", "give a model's folder") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(path, f"is not JSON ({error})", ADVICE) from error
    if not isinstance(values, dict):
        raise ModelError(path, "does not hold a JSON object", ADVICE)
    return values


def field(
    path: Path, values: Mapping[str, Any], name: str, read: Callable[[Any], T], default: Any = ...
) -> T:
    """Return one field of a description; what is wrong with it is named.

    Raises
    ------
    ModelError
        Missing, without a default, or not what `read` takes.
    """
    value = values.get(name, default)
    if value is ...:
        raise ModelError(path, f"`{name}` is missing", ADVICE)
    try:
        return read(value)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(path, f"`{name}` is malformed ({error})", ADVICE) from error


def source_record(folder: Path) -> dict[str, Any]:
    """Return what was written when a model was installed; empty for a folder from elsewhere."""
    return read_object(folder / SOURCE) if (folder / SOURCE).is_file() else {}


def origin_of(folder: Path, kind: str) -> str:
    """Return where a model came from."""
    return str(source_record(folder).get("origin") or f"{kind} in {folder.absolute()}")


def stated_licence(card: Path) -> str:
    """Return the licence that a Hugging Face card names in its head, else that none is stated."""
    try:
        lines = card.read_text(encoding="utf-8", errors="replace").splitlines()[:60]
    except OSError:
        return UNSTATED
    head = lines[1 : lines.index("---", 1)] if lines[:1] == ["---"] and "---" in lines[1:] else []
    found = [line.partition(":")[2].strip(" '\"") for line in head if line.startswith("license:")]
    return found[0] if found and found[0] else UNSTATED


def hash_of(path: Path, folder: Path) -> str:
    """Return the SHA-256 that the weights in a model's folder should have.

    The one published, if it was kept when the model was installed; else the one that they have,
    read again only when the file has changed.

    Raises
    ------
    ModelError
        It cannot be read.
    """
    published = source_record(folder).get("sha256", {})
    name = path.relative_to(folder).as_posix()
    if isinstance(published, dict) and name in published:
        return str(published[name])
    try:
        facts = path.stat()
        return _hash(path, facts.st_size, facts.st_mtime_ns)
    except OSError as error:
        raise ModelError(path, f"cannot be read ({error})", "get the model again") from error


@lru_cache(maxsize=64)
def _hash(path: Path, size: int, changed_ns: int) -> str:
    return file_sha256(path)


def stride_of(tile: int, mpp: float) -> int:
    """Return how much coarser a classifier's map is than its input.

    The usual power of two where it divides the tile; else the smallest divisor of the tile that
    brings the map to at least 2 µm/px, at most the tile itself.
    """
    usual = output_stride(mpp)
    if tile % usual == 0:
        return usual
    divisors = [d for d in range(1, tile + 1) if tile % d == 0 and d * mpp >= MIN_MAP_MPP]
    return divisors[0] if divisors else tile
