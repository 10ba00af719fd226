"""Write the reference of TIAToolbox's own networks; run it where TIAToolbox is installed.

    python tests/models/tiatoolbox_reference.py tests/models/tiatoolbox_reference.json

Weights come from the names of the tensors, so that none has to be kept: see `seeded_tensor`, which
the test uses too. Kept are the names and shapes of all tensors and the answers to seeded images.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

IMAGE_SEED, IMAGE_SIZE = 7, 128
CLASSIFIERS = ("resnet18", "alexnet", "densenet121", "mobilenet_v3_small", "googlenet")
FCN = "fcn_resnet50_unet-bcss"


def seeded_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the values of a tensor: normal, from a seed that is the hash of its name.

    Scaled so that activations neither vanish nor blow up; variances are positive.
    """
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    values = np.random.default_rng(seed).standard_normal(shape)
    if name.endswith("running_var"):
        return (0.5 + np.abs(values)).astype(np.float32)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if len(shape) < 2:
        deep = name.startswith(("backbone", "uplist"))
        return (0.1 * values + (0.5 if deep else 0.85) * ("weight" in name)).astype(np.float32)
    return (values * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)


def images() -> np.ndarray:
    """Return two seeded images, uint8 (2, IMAGE_SIZE, IMAGE_SIZE, 3), smooth as tissue is."""
    coarse = np.random.default_rng(IMAGE_SEED).integers(0, 256, (2, 16, 16, 3))
    return coarse.repeat(IMAGE_SIZE // 16, 1).repeat(IMAGE_SIZE // 16, 2).astype(np.uint8)


def _filled(network: Any) -> Any:
    import torch

    tensors = {
        name: torch.from_numpy(seeded_tensor(name, tuple(t.shape))).to(t.dtype)
        for name, t in network.state_dict().items()
        if not name.startswith("upsample2x")
    }
    network.load_state_dict(tensors, strict=False)
    return network.eval()


def _reference(network: Any, answer: np.ndarray) -> dict[str, Any]:
    shapes = {name: list(t.shape) for name, t in network.state_dict().items()}
    values = [float(f"{v:.9g}") for v in answer.ravel()]
    return {"tensors": shapes, "shape": list(answer.shape), "values": values}


def _segmenter() -> dict[str, Any]:
    """Return the answer of `infer_batch`, every fourth pixel of it: softmax, enlarged, cropped."""
    import torch
    from tiatoolbox.models.architecture.unet import UNetModel

    network = _filled(UNetModel(3, 5, encoder="resnet50", decoder_block=[3, 3]))
    answer = UNetModel.infer_batch(network, torch.from_numpy(images()), device="cpu")
    return _reference(network, answer[:, ::4, ::4])


def _classifier(backbone: str) -> dict[str, Any]:
    """Return the answer of `infer_batch` to values in 0–1, as ToTensor gives them."""
    import torch
    from tiatoolbox.models.architecture.vanilla import CNNModel

    network = _filled(CNNModel(backbone, 2))
    pixels = torch.from_numpy(images().astype(np.float32) / 255)
    return _reference(network, CNNModel.infer_batch(network, pixels, device="cpu"))


def main(path: Path) -> None:
    """Write the reference as JSON."""
    import tiatoolbox

    networks = {FCN: _segmenter()} | {f"{n}-pcam": _classifier(n) for n in CLASSIFIERS}
    values = {"tiatoolbox": tiatoolbox.__version__, "networks": networks}
    path.write_text(json.dumps(values, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
