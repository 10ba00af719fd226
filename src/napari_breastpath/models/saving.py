"""Write a network and its manifest as a bundle."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from napari_breastpath.models.bundle import MANIFEST, WEIGHTS, ModelBundle
from napari_breastpath.models.hashing import file_sha256
from napari_breastpath.models.manifest import manifest_json

if TYPE_CHECKING:
    import torch


def save_model(bundle: ModelBundle, network: torch.nn.Module, half: bool = False) -> ModelBundle:
    """Write `model.safetensors` and `model.json` into `bundle.folder`.

    Parameters
    ----------
    bundle : ModelBundle
        Its `sha256` is replaced by that of the file written.
    network : torch.nn.Module
    half : bool
        Store floating-point tensors in 16 bit; they are read back to 32.

    Returns
    -------
    ModelBundle
        With the new hash.
    """
    from safetensors.torch import save

    bundle.folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: (tensor.half() if half and tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in network.state_dict().items()
    }
    new = bundle.folder / f"{WEIGHTS}.new"
    new.write_bytes(save(tensors))
    os.replace(new, bundle.weights)
    written = dataclasses.replace(bundle, sha256=file_sha256(bundle.weights))
    write_manifest(written)
    return written


def write_manifest(bundle: ModelBundle) -> None:
    """Write `model.json` into `bundle.folder`, whole or not at all."""
    new = bundle.folder / f"{MANIFEST}.new"
    new.write_text(manifest_json(bundle), encoding="utf-8")
    os.replace(new, bundle.folder / MANIFEST)
