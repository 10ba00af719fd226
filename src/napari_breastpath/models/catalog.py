"""Where models are: embedded in the package, installed by the user, or a folder somewhere."""

from __future__ import annotations

import logging
from pathlib import Path

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models.bundle import ModelBundle
from napari_breastpath.models.hashing import file_sha256
from napari_breastpath.models.networks import build_network
from napari_breastpath.models.places import EMBEDDED, models_folder
from napari_breastpath.models.reading import (
    PICKLES,
    folder_of_file,
    is_hash_given,
    is_model,
    read_bundle,
)
from napari_breastpath.models.second_stage import check_second_stage
from napari_breastpath.models.trust import is_trusted
from napari_breastpath.models.unpickling import refusal

__all__ = ["list_models", "load_model", "models_folder", "verify_model"]

log = logging.getLogger(__name__)


def load_model(name_or_path: str | Path) -> ModelBundle:
    """Return an embedded or installed model by name, or the one in a folder.

    The hash of the weights is compared with the manifest's. A model that is a program is described
    without being run; it runs only when it is trusted (`trust_model`).

    Parameters
    ----------
    name_or_path : str or Path
        For example ``tumour-demo`` or ``~/models/mine``.

    Raises
    ------
    ModelError
        Unknown, incomplete, malformed, changed since it was made, or a pickle.
    """
    return checked_bundle(_folder_of(name_or_path))


def list_models() -> tuple[ModelBundle, ...]:
    """Return every embedded and installed bundle, weights unread; broken ones are logged."""
    found = []
    for folder in _known().values():
        try:
            found.append(read_bundle(folder))
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
    compared = "matches" if is_hash_given(bundle) else "(none was published to compare with)"
    head = f"{bundle.name} {bundle.version}: SHA-256 {bundle.sha256} {compared}"
    if not is_trusted(bundle):
        return f"{head}; {bundle.format}, a program that is not trusted: not run"
    network = build_network(bundle)
    count = sum(parameter.numel() for parameter in network.parameters())
    architecture = bundle.architecture
    return f"{head}, {count} parameters fit {architecture.library} {architecture.name}"


def _known() -> dict[str, Path]:
    """Return name → folder; an installed model hides an embedded one of the same name."""
    return {
        folder.name: folder
        for root in (EMBEDDED, models_folder())
        if root.is_dir()
        for folder in sorted(root.iterdir())
        if not folder.name.startswith(".") and is_model(folder)
    }


def _folder_of(name_or_path: str | Path) -> Path:
    known = _known()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        return folder_of_file(path)
    if path.suffix.lower() in PICKLES:
        raise refusal(path)
    raise ModelError(name_or_path, "no such model", f"choose {', '.join(known)} or give a folder")


def checked_bundle(folder: Path) -> ModelBundle:
    """Return the model in a folder, its hashes compared; it is neither built nor run.

    Raises
    ------
    ModelError
        As `load_model`.
    """
    bundle = read_bundle(folder)
    if not bundle.weights.is_file():
        raise ModelError(folder, f"lacks {bundle.weights_name}", "get the model again")
    if file_sha256(bundle.weights) != bundle.sha256:
        cause = "is not the file that its description was written for (SHA-256 differs)"
        raise ModelError(bundle.weights, cause, "get the bundle again")
    check_second_stage(bundle)
    return bundle
