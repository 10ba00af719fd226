"""TIAToolbox's `SemanticSegmentor` with an FPN, in an environment of its own.

A question names slide, mask, network (its arguments, weights, and the mean and std of its input),
out, batch, workers, mpp, tile, stride and stain (null or the target's stain matrix and greatest
concentrations); the answer says the seconds of `run`, wall clock and processor's, how many of them
in the network and in reading and normalising patches (in this process), and how many patches.
"""

import functools
import json
import os
import shutil
import time
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch
from answering import serve
from safetensors.torch import load_file
from tiatoolbox.models.dataset.dataset_abc import WSIPatchDataset
from tiatoolbox.models.engine.io_config import IOSegmentorConfig
from tiatoolbox.models.engine.semantic_segmentor import SemanticSegmentor
from tiatoolbox.models.models_abc import ModelABC
from tiatoolbox.tools.stainnorm import VahadaneNormalizer

spent = {"network": 0.0, "patches": 0.0, "count": 0}


class Network(ModelABC):
    """FPN of one class."""

    def __init__(self, arguments: dict[str, Any], mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.network = smp.FPN(**{**arguments, "encoder_weights": None})
        self.mean, self.std = (torch.tensor(each).view(1, 3, 1, 1) for each in (mean, std))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return probabilities of (N, 3, h, w) from 0 to 1."""
        return torch.sigmoid(self.network((images - self.mean) / self.std))

    @staticmethod
    def infer_batch(model: Any, batch_data: Any, *, device: str) -> np.ndarray:
        """Return the probabilities (N, h, w, 1) of a batch (N, h, w, 3)."""
        started = time.perf_counter()
        images = batch_data.to(device).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            answer = model(images).permute(0, 2, 3, 1).cpu().numpy()
        spent["network"] += time.perf_counter() - started
        spent["count"] += len(answer)
        return answer

    @staticmethod
    def postproc(image: np.ndarray) -> np.ndarray:
        """Return the mask of probabilities (h, w, 1)."""
        return (image[..., 0] > 0.5).astype(np.uint8)


def timed_patches() -> None:
    """Let the reading and normalising of patches in this process be timed."""
    read = WSIPatchDataset.__getitem__

    def timed(self: WSIPatchDataset, index: int) -> dict:
        started = time.perf_counter()
        try:
            return read(self, index)
        finally:
            spent["patches"] += time.perf_counter() - started

    WSIPatchDataset.__getitem__ = timed


@functools.cache
def segmentor(network: str, batch: int, workers: int) -> SemanticSegmentor:
    """Return the engine, made once, as its making is not what is compared."""
    described = json.loads(network)
    model = Network(described["arguments"], described["mean"], described["std"])
    model.network.load_state_dict(load_file(described["weights"]))
    model.eval()
    return SemanticSegmentor(
        model, batch_size=batch, num_workers=workers, device="cpu", verbose=False
    )


def vahadane(stain_matrix: list, max_concentration: list) -> Any:
    """Return what normalises a patch to a target, its own stain matrix estimated each time."""
    normalizer = VahadaneNormalizer()
    normalizer.stain_matrix_target = np.array(stain_matrix)
    normalizer.maxC_target = np.array([max_concentration])

    def normalized(patch: np.ndarray) -> np.ndarray:
        try:
            return normalizer.transform(patch)
        except ValueError:  # it stops at a patch without tissue
            return patch

    return normalized


def run(
    slide: str, mask: str, network: dict, out: str, batch: int, workers: int, mpp: float,
    tile: int, stride: int, stain: dict | None,
) -> dict[str, Any]:  # fmt: skip
    """Run one slide."""
    engine = segmentor(json.dumps(network), batch, workers)
    engine.model.preproc_func = vahadane(**stain) if stain else None
    here = [{"units": "mpp", "resolution": mpp}]
    config = IOSegmentorConfig(
        input_resolutions=here,
        output_resolutions=here,
        patch_input_shape=(tile, tile),
        patch_output_shape=(tile, tile),
        stride_shape=(stride, stride),
        save_resolution=here[0],
    )
    shutil.rmtree(out, ignore_errors=True)
    spent.update(network=0.0, patches=0.0, count=0)
    started, before = time.perf_counter(), processor_s()
    engine.run(
        images=[slide], masks=[mask], patch_mode=False, ioconfig=config, save_dir=out,
        output_type="zarr", return_probabilities=True,
    )  # fmt: skip
    seconds, processor = time.perf_counter() - started, processor_s() - before
    return {"seconds": seconds, "processor": processor, **spent}


def processor_s() -> float:
    """Return the processor's seconds of this process and of its ended workers."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    timed_patches()
    serve(run)
