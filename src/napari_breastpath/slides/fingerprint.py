"""A slide's identity: quick to compute on a gigapixel file, and different for another slide."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

ENDS_BYTES = 2**20
MANY_FILES = 64


def fingerprint(files: Iterable[Path], identifiers: Iterable[str] = ()) -> str:
    """Return the SHA-256 of total size + first and last MiB of each file, sorted, in hex.

    DICOM: of the SOP instance UIDs instead. Folders of chunks (more than `MANY_FILES` files): of
    name and size of each file, since their ends would be all of their bytes.
    """
    digest = hashlib.sha256()
    if uids := sorted(identifiers):
        digest.update("\n".join(uids).encode())
        return digest.hexdigest()
    ordered = sorted(files)
    sizes = [path.stat().st_size for path in ordered]
    digest.update(str(sum(sizes)).encode())
    if len(ordered) > MANY_FILES:
        root = os.path.commonpath(ordered)
        names = (path.relative_to(root).as_posix() for path in ordered)
        digest.update("\n".join(f"{n} {s}" for n, s in zip(names, sizes, strict=True)).encode())
        return digest.hexdigest()
    for path, size in zip(ordered, sizes, strict=True):
        with path.open("rb") as file:
            digest.update(file.read(ENDS_BYTES))
            file.seek(max(0, size - ENDS_BYTES))
            digest.update(file.read(ENDS_BYTES))
    return digest.hexdigest()
