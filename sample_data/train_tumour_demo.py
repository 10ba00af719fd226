"""Train or measure `tumour-demo`, the embedded demonstration model; on a CPU, in about 25 minutes.

``python sample_data/train_tumour_demo.py`` trains and writes the bundle;
``python sample_data/train_tumour_demo.py --evaluate`` prints the figures of its card.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch.nn import functional

import tumour_demo_data as data
from napari_breastpath.models import (
    Architecture,
    ClassInfo,
    ModelBundle,
    Normalization,
    Predictor,
    StainTarget,
    load_model,
    make_predictor,
    save_model,
)
from napari_breastpath.models.networks import empty_network
from napari_breastpath.models.saving import write_manifest
from napari_breastpath.preprocess import StainNormalizer, domain_statistics
from tumour_demo_data import MPP, RGB, Field, Mask

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
BUNDLE = ROOT / "src/napari_breastpath/models/embedded/tumour-demo"
ENCODER = "weights/mobilenet_v2_imagenet.safetensors"
TILE, STRIDE, MARGIN = 256, 2, 32
BATCH = 8
SHARES = {"synthetic": 4, "bcss": 2, "tcga": 2}
TRAINING_DATA = (
    f"Synthetic slides, seeds {data.TRAIN_SEEDS[0]}–{data.TRAIN_SEEDS[-1]}, two stains "
    f"(sample_data/synthetic_slide.py); a region of BCSS case {data.TRAIN_BCSS} (CC0); 19 patches "
    f"of patient {data.TRAIN_TCGA} (NuCLS/BCSS, CC0). Encoder first trained on ImageNet."
)
INTENDED_USE = (
    "Demonstration and tests of this software. Not validated on any patient cohort; not for "
    "diagnosis, research conclusions or any other use on patients."
)


def new_bundle(folder: Path, fields: list[Field]) -> ModelBundle:
    """Return the manifest of a model that is about to be trained on some fields."""
    tcga = data.pixels_of([field for field in fields if field.source == "tcga"])
    target = StainNormalizer("vahadane").fit(tcga).target
    assert target is not None
    arguments = {
        "encoder_name": "mobilenet_v2",
        "decoder_pyramid_channels": 128,
        "decoder_segmentation_channels": 64,
        "decoder_dropout": 0.2,
    }
    matrix, maxima = target.matrix.tolist(), target.max_concentration.tolist()
    return ModelBundle(
        folder=folder,
        name="tumour-demo",
        version="0.2",
        task="segmentation",
        architecture=Architecture("smp", "FPN", arguments),
        classes=(ClassInfo("tumour", (200, 0, 0), "tumour"),),
        mpp=MPP,
        tile_size=TILE,
        output_stride=STRIDE,
        normalization=Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        stain=StainTarget(method="vahadane", stain_matrix=matrix, max_concentration=maxima),
        threshold=0.5,
        training_data=TRAINING_DATA,
        metrics={},
        licence="CC0-1.0 (training data), Apache-2.0 (ImageNet encoder)",
        authors=("napari-breastpath developers",),
        intended_use=INTENDED_USE,
        sha256="0" * 64,
        training_domain=domain_statistics(_evenly(fields)),
    )


def stain_of(bundle: ModelBundle) -> StainTarget:
    """Return the stain target, which this model has."""
    assert bundle.stain is not None
    return bundle.stain


def _evenly(fields: list[Field]) -> RGB:
    """Return as many pixels of each source, so that none rules the colour statistics."""
    rng = np.random.default_rng(0)
    chosen = []
    for source in SHARES:
        pixels = data.pixels_of([field for field in fields if field.source == source])
        chosen.append(pixels[rng.choice(len(pixels), 50_000)])
    return np.concatenate(chosen)


class Crops:
    """Random 256 px crops of fields, half of them as scanned and half stain-normalised."""

    def __init__(self, fields: list[Field], bundle: ModelBundle, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        both = (fields, data.normalized(fields, stain_of(bundle)))
        self.pools = [
            {source: [f for f in pool if f.source == source] for source in SHARES} for pool in both
        ]
        self.sources = [source for source, share in SHARES.items() for _ in range(share)]

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return normalised float32 (N, 3, 256, 256) and the truth (N, 1, 256, 256)."""
        crops = [self._crop(source) for source in self.sources]
        images = torch.from_numpy(np.stack([self._recoloured(image) for image, _ in crops]))
        truth = torch.from_numpy(np.stack([mask for _, mask in crops])).float()[:, None]
        return images.permute(0, 3, 1, 2), truth

    def _crop(self, source: str) -> tuple[RGB, Mask]:
        pool = self.pools[self.rng.integers(2)][source]
        if source == "tcga":
            image, mask = self._mosaic(pool)
        else:
            image, mask = self._window(pool[self.rng.integers(len(pool))])
        turns = int(self.rng.integers(4))
        image, mask = np.rot90(image, turns), np.rot90(mask, turns)
        return (image, mask) if self.rng.random() < 0.5 else (image[:, ::-1], mask[:, ::-1])

    def _window(self, field: Field) -> tuple[RGB, Mask]:
        """Return a crop, two out of three around a tumour pixel, at 0.8–1.25 of its scale."""
        side = int(TILE * self.rng.uniform(0.8, 1.25))
        height, width = field.mask.shape
        centre = (self.rng.integers(height), self.rng.integers(width))
        if self.rng.random() < 0.67:
            rows, columns = np.nonzero(field.mask)
            pick = self.rng.integers(len(rows))
            centre = rows[pick] + self.rng.integers(-90, 90), columns[pick]
        top, left = (
            int(np.clip(c - side // 2, 0, s - side))
            for c, s in zip(centre, (height, width), strict=True)
        )
        window = np.s_[top : top + side, left : left + side]
        return _resized(field.image[window], field.mask[window])

    def _mosaic(self, pool: list[Field], count: int = 4) -> tuple[RGB, Mask]:
        """Return `count` × `count` patches side by side: none alone fills a tile."""
        side = TILE // count
        image, mask = np.zeros((TILE, TILE, 3), np.uint8), np.zeros((TILE, TILE), bool)
        for row in range(count):
            for column in range(count):
                field = pool[self.rng.integers(len(pool))]
                turns = int(self.rng.integers(4))
                place = np.s_[row * side : (row + 1) * side, column * side : (column + 1) * side]
                image[place] = np.rot90(field.image[:side, :side], turns)
                mask[place] = np.rot90(field.mask[:side, :side], turns)
        return image, mask

    def _recoloured(self, image: RGB) -> NDArray[np.float32]:
        """Return x / 127.5 − 1 after a random change of stain in optical density."""
        density = -np.log((image.astype(np.float32) + 1) / 256)
        mixing = np.eye(3) * self.rng.uniform(0.75, 1.3) + self.rng.normal(0, 0.06, (3, 3))
        light = self.rng.uniform(-0.06, 0.03, 3)
        changed = 256 * np.exp(-(density @ mixing.T) + light) - 1
        changed += self.rng.normal(0, self.rng.uniform(0, 5), image.shape)
        scaled: NDArray[np.float32] = (np.clip(changed, 0, 255) / 127.5 - 1).astype(np.float32)
        return scaled


def _resized(image: RGB, mask: Mask) -> tuple[RGB, Mask]:
    from PIL import Image

    size, bilinear = (TILE, TILE), Image.Resampling.BILINEAR
    return (
        np.asarray(Image.fromarray(image).resize(size, bilinear)),
        np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)),
    )


def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return binary cross-entropy plus 1 − soft Dice over the batch."""
    cross = functional.binary_cross_entropy_with_logits(logits, truth)
    chance = logits.sigmoid()
    overlap = 2 * (chance * truth).sum() + 1
    return cross + 1 - overlap / (chance.sum() + truth.sum() + 1)


def train(bundle: ModelBundle, fields: list[Field], shared: Path, steps: int, seed: int) -> None:
    """Train for some steps, writing the bundle every minute."""
    torch.manual_seed(seed)
    crops = Crops(fields, bundle, seed)
    network: Any = empty_network(bundle.architecture, 1, bundle.folder)
    network.encoder.load_state_dict(load_file(shared / ENCODER))
    groups = [
        {"params": network.encoder.parameters(), "lr": 3e-4},
        {"params": [*network.decoder.parameters(), *network.segmentation_head.parameters()]},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1.5e-3, weight_decay=1e-4)
    rates = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps)
    network.to(memory_format=torch.channels_last)
    saved = time.monotonic()
    for step in range(1, steps + 1):
        network.train()
        # The encoder's batch norms are folded into its convolutions: their statistics must stay.
        network.encoder.eval()
        images, truth = crops.batch()
        value = loss(network(images), truth)
        optimizer.zero_grad()
        torch.autograd.backward(value)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            print(f"step {step}/{steps}  loss {value.item():.3f}", flush=True)
        if time.monotonic() - saved > 60 or step == steps:
            save_model(bundle, network, half=True)
            saved = time.monotonic()


def tumour_map(image: RGB, predictor: Predictor) -> NDArray[np.float32]:
    """Return probabilities at 2 µm/px, from overlapping tiles of which only the middle is kept."""
    height, width = image.shape[:2]
    inner = TILE - 2 * MARGIN
    rows, columns = -(-height // inner), -(-width // inner)
    ends = ((MARGIN, rows * inner - height + MARGIN), (MARGIN, columns * inner - width + MARGIN))
    padded = np.pad(image, (*ends, (0, 0)), mode="symmetric")
    found = np.zeros((rows * inner // STRIDE, columns * inner // STRIDE), np.float32)
    keep, step = slice(MARGIN // STRIDE, -MARGIN // STRIDE), inner // STRIDE
    for row in range(rows):
        strip = padded[row * inner : row * inner + TILE]
        tiles = np.stack([strip[:, c * inner : c * inner + TILE] for c in range(columns)])
        for column, value in enumerate(predictor.predict(torch.from_numpy(tiles))):
            place = np.s_[row * step : (row + 1) * step, column * step : (column + 1) * step]
            found[place] = value[0, keep, keep]
    return found[: height // STRIDE, : width // STRIDE]


def dice(fields: list[Field], predictor: Predictor, threshold: float) -> float:
    """Return Dice over all pixels of some fields together, at 2 µm/px."""
    both = found = true = 0
    for field in fields:
        truth = coarse_truth(field.mask)
        positive = tumour_map(field.image, predictor) > threshold
        both += int((positive & truth).sum())
        found, true = found + int(positive.sum()), true + int(truth.sum())
    return 2 * both / (found + true)


def coarse_truth(mask: Mask) -> Mask:
    """Return a mask at 2 µm/px: true where half of the pixel is."""
    height, width = (side // STRIDE * STRIDE for side in mask.shape)
    blocks = mask[:height, :width].reshape(height // STRIDE, STRIDE, -1, STRIDE)
    coarse: Mask = blocks.mean(axis=(1, 3)) >= 0.5
    return coarse


def dice_of_everything(fields: list[Field]) -> float:
    """Return Dice of calling all tissue tumour: what a figure has to be compared with."""
    truths = [coarse_truth(field.mask) for field in fields]
    tissues = [coarse_truth(field.tissue) for field in fields]
    true, found = (sum(int(m.sum()) for m in masks) for masks in (truths, tissues))
    both = sum(int((t & m).sum()) for t, m in zip(truths, tissues, strict=True))
    return 2 * both / (found + true)


def evaluate(bundle: ModelBundle, shared: Path) -> dict[str, Any]:
    """Return Dice on everything held out, stain-normalised and as it is."""
    predictor = make_predictor(bundle, "cpu", threads=2)
    figures: dict[str, Any] = {}
    for name, fields in data.held_out_fields(shared / "data"):
        versions = {
            "vahadane": data.normalized(fields, stain_of(bundle)),
            "none": fields,
        }
        figures[name] = {
            f"dice, stain {stain}": round(dice(own, predictor, bundle.threshold), 3)
            for stain, own in versions.items()
        }
        figures[name]["dice, all tissue called tumour"] = round(dice_of_everything(fields), 3)
    return figures


def write_card(bundle: ModelBundle) -> None:
    """Write the model card from the manifest."""
    rows = "\n".join(
        f"| {name} | " + " | ".join(f"{value:.3f}" for value in figures.values()) + " |"
        for name, figures in bundle.metrics.items()
    )
    template = Path(__file__).with_name("tumour_demo_card.md").read_text(encoding="utf-8")
    filled = template.format(
        version=bundle.version,
        training_data=bundle.training_data,
        intended_use=bundle.intended_use,
        licence=bundle.licence,
        rows=rows,
    )
    bundle.card.write_text(filled, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and measure, or only measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluate", action="store_true", help="only print the figures")
    parser.add_argument("--out", type=Path, default=BUNDLE, help="the bundle's folder")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of data and weights")
    parser.add_argument("--steps", type=int, default=320)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(chosen.threads)
    if not chosen.evaluate:
        fields = data.training_fields(chosen.shared / "data")
        train(new_bundle(chosen.out, fields), fields, chosen.shared, chosen.steps, chosen.seed)
    bundle = load_model(chosen.out)
    figures = evaluate(bundle, chosen.shared)
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    if not chosen.evaluate:
        bundle = dataclasses.replace(bundle, metrics=figures)
        write_manifest(bundle)
        write_card(bundle)


if __name__ == "__main__":
    main()
