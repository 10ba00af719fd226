"""Which programs somebody else's model may run: those a person has said yes to, by their hash.

TorchScript and ONNX files are programs (PyTorch's SECURITY.md: to be treated as locally executable
code). They run only when their SHA-256 stands in `trusted.json`, and the bytes that run are the
bytes that were hashed.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models.bundle import ModelBundle
from napari_breastpath.models.places import models_folder

TRUSTED = "trusted.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Trust:
    """One yes: the model's name and source as they were shown, its SHA-256, and when (UTC)."""

    name: str
    source: str
    sha256: str
    when: str


def trusted_models() -> tuple[Trust, ...]:
    """Return what is trusted on this machine.

    Raises
    ------
    ModelError
        `trusted.json` is damaged.
    """
    path = _path()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return tuple(Trust(**{k: str(v) for k, v in one.items()}) for one in values["models"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(path, f"cannot be read ({error})", "remove it and trust again") from error


def trust_model(bundle: ModelBundle) -> Trust:
    """Say yes to the program in a bundle, as it is now; it is kept in `trusted.json`."""
    given = Trust(
        bundle.name, source(bundle), bundle.sha256, datetime.now(UTC).isoformat(timespec="seconds")
    )
    others = tuple(t for t in trusted_models() if t.sha256 != given.sha256)
    _write((*others, given))
    return given


def source(bundle: ModelBundle) -> str:
    """Return where a model came from, for a person who is to trust it.

    What was installed here was recorded here; any other folder may claim what it likes.
    """
    folder = str(bundle.folder.absolute())
    if bundle.folder.parent == models_folder() or not bundle.origin or folder in bundle.origin:
        return bundle.origin or folder
    return f"{folder}; it says of itself: {bundle.origin}"


def is_trusted(bundle: ModelBundle) -> bool:
    """Return whether a bundle may run: it holds numbers only, or its program is trusted."""
    return not bundle.runs_code or any(t.sha256 == bundle.sha256 for t in trusted_models())


def check_trusted(bundle: ModelBundle) -> None:
    """Refuse a bundle whose program nobody said yes to.

    Raises
    ------
    ModelError
        Naming the SHA-256 and the command that trusts it.
    """
    if not is_trusted(bundle):
        cause = (
            f"holds a program ({bundle.format}) from {source(bundle)} that is not trusted, "
            f"SHA-256 {bundle.sha256}"
        )
        advice = f"if you trust its maker: breastpath models trust {_quoted(bundle)}"
        raise ModelError(bundle.weights, cause, advice)


def _quoted(bundle: ModelBundle) -> str:
    installed = bundle.folder.parent == models_folder()
    return bundle.folder.name if installed else f'"{bundle.folder}"'


def trusted_program(bundle: ModelBundle) -> bytes:
    """Return the bytes of a trusted program: the very ones that were hashed.

    Raises
    ------
    ModelError
        Not trusted, unreadable, or changed since.
    """
    check_trusted(bundle)
    try:
        content = bundle.weights.read_bytes()
    except OSError as error:
        raise ModelError(bundle.weights, f"cannot be read ({error})", "get it again") from error
    if hashlib.sha256(content).hexdigest() != bundle.sha256:
        cause = "has changed since it was trusted (SHA-256 differs)"
        raise ModelError(bundle.weights, cause, "get the model again")
    return content


def _path() -> Path:
    return models_folder() / TRUSTED


def _write(models: tuple[Trust, ...]) -> None:
    path, new = _path(), _path().with_suffix(".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"schema_version": SCHEMA_VERSION, "models": [asdict(one) for one in models]}
    new.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(new, path)
