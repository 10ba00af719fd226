"""Numbers out of `.pt`, `.pth` and `.bin` files, and out of nothing that could run.

A file that `torch.save` wrote is a pickle, and a pickle may hold any program. Only tensors are
taken out, by `torch.load(weights_only=True)` (safe from PyTorch 2.6 on, CVE-2025-32434), after a
look at the file that unpickles nothing.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_breastpath.core.errors import ModelError
from napari_breastpath.models.archives import DAMAGED, check_entries

if TYPE_CHECKING:
    import torch

STATE_DICTS = (".pt", ".pth", ".bin")
TORCHSCRIPT, STATE_DICT, EXPORTED, LEGACY = "torchscript", "state_dict", "pt2", "legacy"
# What those who train put around the tensors.
WRAPPERS = ("state_dict", "model_state_dict", "model", "desc")
MAX_BYTES = 8 << 30
ASK = "ask for model.safetensors instead"


def kind_of_file(path: Path) -> str:
    """Return what a PyTorch file is, from the names in its archive; nothing is unpickled.

    Returns
    -------
    str
        `torchscript`, `pt2` (torch.export), `state_dict`, or `legacy`: no archive at all.

    Raises
    ------
    ModelError
        It cannot be read, or its archive is not one that PyTorch writes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_entries(path, archive.infolist(), MAX_BYTES)
            names = {name.partition("/")[2] for name in archive.namelist()}
    except zipfile.BadZipFile:
        return LEGACY
    except DAMAGED as error:
        raise ModelError(path, f"cannot be read ({error})", "get the file again") from error
    if "archive_format" in names or any(name.startswith("models/") for name in names):
        return EXPORTED
    code = "constants.pkl" in names or any(name.startswith("code/") for name in names)
    return TORCHSCRIPT if code else STATE_DICT


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a state dict by name; anything else in the file is refused.

    Raises
    ------
    ModelError
        A program, objects that are no tensors, damaged, or too large.
    """
    kind = kind_of_file(path)
    if kind == TORCHSCRIPT:
        cause = "is TorchScript, a program, where a state dict is expected"
        raise ModelError(path, cause, 'declare it: architecture {"library": "torchscript"}')
    if path.suffix.lower() not in STATE_DICTS or kind == EXPORTED:
        raise refusal(path)
    return _tensors(path, _loaded(path))


def refusal(path: Path) -> ModelError:
    """Return why a file that may run programs is not read."""
    what = "torch.export archives" if path.suffix.lower() == ".pt2" else "pickled weights"
    return ModelError(path, f"{what} can run any program when they are read", ASK)


def _loaded(path: Path) -> Any:
    import torch

    if path.stat().st_size > MAX_BYTES:
        raise ModelError(path, f"is larger than {MAX_BYTES >> 30} GiB", ASK)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        cause = "holds more than tensors: a pickle that can run any program"
        raise ModelError(path, cause, ASK) from error
    except Exception as error:
        cause = f"is no state dict ({type(error).__name__})"
        raise ModelError(path, cause, "get the file again") from error


def _tensors(path: Path, content: Any) -> dict[str, torch.Tensor]:
    import torch

    if isinstance(content, Mapping):
        inner = next((content[w] for w in WRAPPERS if isinstance(content.get(w), Mapping)), content)
        if inner and all(isinstance(v, torch.Tensor) for v in inner.values()):
            return {str(name).removeprefix("module."): value for name, value in inner.items()}
    raise ModelError(path, "does not hold tensors by name", ASK)
