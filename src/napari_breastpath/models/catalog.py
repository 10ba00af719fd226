"""Where models are: embedded in the package, installed by the user, or a folder somewhere."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from pathlib import Path

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models.bundle import MANIFEST, WEIGHTS, ModelBundle
from napari_breastpath.models.manifest import read_manifest
from napari_breastpath.models.networks import build_network

EMBEDDED = Path(__file__).with_name("embedded")
PICKLES = {".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt", ".pt2", ".joblib"}
APP = "napari-breastpath"

log = logging.getLogger(__name__)


def load_model(name_or_path: str | Path) -> ModelBundle:
    """Return an embedded or installed model by name, or the one in a folder.

    The hash of the weights is compared with the manifest's.

    Parameters
    ----------
    name_or_path : str or Path
        For example ``tumour-demo`` or ``~/models/mine``.

    Raises
    ------
    ModelError
        Unknown, incomplete, malformed, changed since it was made, or a pickle.
    """
    return _checked(_folder_of(name_or_path))


def list_models() -> tuple[ModelBundle, ...]:
    """Return every embedded and installed bundle, weights unread; broken ones are logged."""
    found = []
    for folder in _known().values():
        try:
            found.append(read_manifest(folder))
        except ModelError as error:
            log.warning("%s", error)
    return tuple(found)


def verify_model(name_or_path: str | Path) -> str:
    """Check hash and tensors of a model; return one line that says so.

    Raises
    ------
    ModelError
        Anything that `load_model` refuses, and tensors that do not fit the architecture.
    """
    bundle = load_model(name_or_path)
    network = build_network(bundle)
    count = sum(parameter.numel() for parameter in network.parameters())
    architecture = bundle.architecture
    return (
        f"{bundle.name} {bundle.version}: SHA-256 {bundle.sha256} matches, "
        f"{count} parameters fit {architecture.library} {architecture.name}"
    )


def models_folder() -> Path:
    """Return the folder of the user's own models; BREASTPATH_MODELS overrides the default."""
    chosen = os.environ.get("BREASTPATH_MODELS")
    return Path(chosen).expanduser() if chosen else _data_home() / APP / "models"


def _data_home() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")


def _known() -> dict[str, Path]:
    """Return name → folder; an installed model hides an embedded one of the same name."""
    return {
        folder.name: folder
        for root in (EMBEDDED, models_folder())
        if root.is_dir()
        for folder in sorted(root.iterdir())
        if (folder / MANIFEST).is_file()
    }


def _folder_of(name_or_path: str | Path) -> Path:
    known = _known()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() in PICKLES:
        raise _pickle_error(path)
    if path.is_dir():
        return path
    if path.is_file():
        raise ModelError(path, "is a file, not a model bundle", f"give the folder of {MANIFEST}")
    raise ModelError(name_or_path, "no such model", f"choose {', '.join(known)} or give a folder")


def _checked(folder: Path) -> ModelBundle:
    if not (folder / WEIGHTS).is_file():
        pickles = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICKLES)
        raise _pickle_error(pickles[0]) if pickles else _incomplete(folder)
    bundle = read_manifest(folder)
    if file_sha256(bundle.weights) != bundle.sha256:
        cause = "is not the file that model.json was written for (SHA-256 differs)"
        raise ModelError(bundle.weights, cause, "get the bundle again")
    return bundle


def _incomplete(folder: Path) -> ModelError:
    missing = [name for name in (MANIFEST, WEIGHTS) if not (folder / name).is_file()]
    return ModelError(folder, f"lacks {' and '.join(missing)}", "give a model bundle's folder")


def _pickle_error(path: Path) -> ModelError:
    cause = "pickled weights can run any program when they are read"
    return ModelError(path, cause, f"ask for {WEIGHTS} with {MANIFEST} instead")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
