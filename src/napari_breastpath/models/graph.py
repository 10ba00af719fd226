"""One network as one graph: uint8 tiles in, block-averaged probabilities out; and its ONNX form."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_breastpath.models.bundle import ModelBundle
from napari_breastpath.models.networks import build_network

if TYPE_CHECKING:
    import torch

ONNX_OPSET = 17
ONNX = f"opset{ONNX_OPSET}.onnx"


def tile_network(bundle: ModelBundle) -> torch.nn.Module:
    """Return the whole way from tiles to probabilities as one module, in eval mode.

    uint8 (N, h, w, 3), in the model's input space → normalise → network → logits / temperature →
    sigmoid (one class) or softmax, unless it gives probabilities → the tile without its margin →
    mean over `output_stride` squares → float32 (N, C, tile / stride, tile / stride); (N, C) when
    it classifies.
    """
    import torch

    class TileNetwork(torch.nn.Module):
        scale: torch.Tensor
        shift: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.network = with_plain_sums(build_network(bundle))
            std = torch.tensor(bundle.normalization.std)
            mean = torch.tensor(bundle.normalization.mean)
            self.register_buffer("scale", (1 / (255 * std)).view(1, 3, 1, 1))
            self.register_buffer("shift", (-mean / std).view(1, 3, 1, 1))

        def forward(self, tiles: torch.Tensor) -> torch.Tensor:
            return self.answer(tiles.permute(0, 3, 1, 2).float())

        def answer(self, pixels: torch.Tensor) -> torch.Tensor:
            """Return what `forward` does of float32 (N, 3, h, w), 0 to 255."""
            values = self.network(pixels * self.scale + self.shift).float()
            values = probabilities(values, bundle)
            if bundle.task == "classification":
                return values.flatten(1)
            values = without_margin(values, bundle.margin, bundle.tile_size)
            if bundle.output_stride == 1:
                return values
            return torch.nn.functional.avg_pool2d(values, bundle.output_stride)

    return TileNetwork().eval()


def with_plain_sums(network: torch.nn.Module) -> torch.nn.Module:
    """Return the network, no longer stacking what it adds, as smp's FPN does: the same bits.

    Less memory is written, in every engine; ncnn has no layer for stacks at all.
    """
    for module in network.modules():
        if type(module).__name__ == "MergeBlock" and module.policy == "add":
            module.forward = lambda tensors: sum(tensors[1:], start=tensors[0])
    return network


def probabilities(answer: torch.Tensor, bundle: ModelBundle) -> torch.Tensor:
    """Return a network's answer, (N, C, …), as probabilities of the bundle's classes."""
    if bundle.outputs == "probabilities":
        return answer
    logits = answer / bundle.temperature
    return logits.sigmoid() if len(bundle.classes) == 1 else logits.softmax(dim=1)


def without_margin(values: torch.Tensor, margin: int, tile: int) -> torch.Tensor:
    """Return the middle (tile, tile) of maps that a margin surrounds; some networks cut it off."""
    if not margin or values.shape[-1] == tile:
        return values
    return values[:, :, margin : margin + tile, margin : margin + tile]


def onnx_graph(bundle: ModelBundle) -> bytes:
    """Return `tile_network` as ONNX (input `tiles`, any batch size), kept in the user's cache."""
    return cached(bundle, ONNX, lambda: _export(bundle))


def cached(bundle: ModelBundle, kind: str, make: Callable[[], bytes]) -> bytes:
    """Return a form of a bundle's network from the user's cache, where `make` puts it at first."""
    path = _cache_path(bundle, kind)
    try:
        return path.read_bytes()
    except OSError:
        graph = make()
    _keep(path, graph)
    return graph


def forget_graph(bundle: ModelBundle, kind: str = ONNX) -> None:
    """Remove a kept form of the network, so that the next run makes it anew."""
    with contextlib.suppress(OSError):
        _cache_path(bundle, kind).unlink()


def _cache_path(bundle: ModelBundle, kind: str) -> Path:
    """Return the file of a graph, named after its weights and all else it is made of."""
    import torch

    network, scale = bundle.architecture, bundle.normalization
    parts = (
        (network.library, network.name, dict(network.arguments)),
        (scale.mean, scale.std),
        (bundle.task, len(bundle.classes), bundle.outputs, bundle.temperature),
        (bundle.tile_size, bundle.margin, bundle.output_stride),
    )
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return cache_folder() / f"{bundle.sha256}-{digest[:16]}-torch{torch.__version__}-{kind}"


def _export(bundle: ModelBundle) -> bytes:
    import torch

    tiles = torch.zeros((2, bundle.input_size, bundle.input_size, 3), dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        # The exporter that needs no further package announces its end; tracing warns of shapes.
        warnings.simplefilter("ignore")
        path = Path(folder) / "graph.onnx"
        torch.onnx.export(
            tile_network(bundle),
            (tiles,),
            path,
            dynamo=False,
            opset_version=ONNX_OPSET,
            input_names=["tiles"],
            output_names=["probabilities"],
            dynamic_axes={"tiles": {0: "batch"}, "probabilities": {0: "batch"}},
        )
        return path.read_bytes()


def _keep(path: Path, content: bytes) -> None:
    """Write a cache file, whole or not at all; a cache that cannot be written is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        return


def cache_folder() -> Path:
    """Return where exported graphs are kept; BREASTPATH_CACHE overrides the default."""
    chosen = os.environ.get("BREASTPATH_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        home = Path.home() / "Library/Caches"
    else:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "napari-breastpath" / "graphs"
