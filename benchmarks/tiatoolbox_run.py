"""A whole `tumour` run against TIAToolbox's `SemanticSegmentor`, without stain and with Vahadane.

The same slide, tissue mask, network (an FPN-ResNet34 of random weights, or that of `--model`),
tile, stride, batch and µm/px on the same processors; imports and the making of the network are
uncounted on both sides, all else is counted, down to the maps on disk and, with us, the
measurements and the report. TIAToolbox runs in an environment of its own, made at the first time.

    python benchmarks/tiatoolbox_run.py [--width 20000 --height 16000] [--rounds 3]
    python benchmarks/tiatoolbox_run.py --model tumour-demo
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from by_turns import options
from gigapixel import write_slide
from peers import Answer, Peer, compare, keep_to, peer, peer_parser, timed
from PIL import Image
from random_models import winner_like_model

from napari_breastpath import analyze, load_model, open_slide
from napari_breastpath.models import ModelBundle
from napari_breastpath.preprocess import tissue_mask

REQUIREMENTS = ("tiatoolbox==2.0.1", "segmentation-models-pytorch", "safetensors")
OVERLAP_PX, MASK_MPP = 32, 8.0


@dataclass(frozen=True)
class Work:
    """What both do: one slide with its tissue mask, one network."""

    slide: Path
    mask: Path
    model: ModelBundle
    arguments: argparse.Namespace


def main() -> None:
    """Write slides and model, run the rounds, print medians and ratios."""
    arguments = parse()
    keep_to(arguments.threads)
    with (
        tempfile.TemporaryDirectory() as name,
        peer("tiatoolbox", arguments.environment, REQUIREMENTS, arguments.threads) as theirs,
    ):
        folder, size = Path(name), (arguments.width, arguments.height)
        model = load_model(arguments.model or winner_like_model(folder / "model", arguments.mpp))
        one_round(prepared(folder / "first", (2000, 1600), model, arguments), theirs, "none")
        for stain, share in {"none": 1.0, "vahadane": arguments.stain_share}.items():
            sides = (round(side * share**0.5) for side in size)
            work = prepared(folder / stain, tuple(sides), model, arguments)
            print(f"stain {stain}")
            turns = range(arguments.rounds)
            compare("TIAToolbox", [one_round(work, theirs, stain) for _ in turns])


def parse() -> argparse.Namespace:
    """Return the command line."""
    parser = peer_parser(__doc__, "tiatoolbox", mpp=1.0, workers=0)
    parser.add_argument("--model", help="name or folder of an FPN for the same µm/px")
    parser.add_argument("--stain-share", type=float, default=0.25, help="area for Vahadane")
    return options(parser, width=6000, height=4800, rounds=1)


def prepared(
    folder: Path, size: tuple[int, ...], model: ModelBundle, arguments: argparse.Namespace
) -> Work:
    """Write a slide and its tissue mask."""
    folder.mkdir()
    path, mask = write_slide(folder / "slide.tif", *size), folder / "mask.png"
    with open_slide(path) as slide:
        tissue = tissue_mask(slide, mpp=MASK_MPP)
    Image.fromarray(tissue.astype(np.uint8) * 255).save(mask)
    return Work(path, mask, model, arguments)


def one_round(work: Work, theirs: Peer, stain: str) -> tuple[Answer, Answer]:
    """Return what our run and theirs took."""
    given, model = work.arguments, work.model
    mine = ours(work, stain)
    answer = theirs.ask(
        slide=work.slide,
        mask=work.mask,
        network=described(model),
        out=work.slide.with_name("theirs"),
        batch=given.batch,
        workers=given.workers,
        mpp=given.mpp,
        tile=model.tile_size,
        stride=model.tile_size - OVERLAP_PX,
        stain=None if stain == "none" else target(model),
    )
    return mine, answer


def described(model: ModelBundle) -> dict[str, object]:
    """Return an FPN's arguments, and what it wants to be given."""
    return {
        "arguments": {**model.architecture.arguments, "classes": len(model.classes)},
        "weights": str(model.folder / "model.safetensors"),
        "mean": model.normalization.mean,
        "std": model.normalization.std,
    }


def target(model: ModelBundle) -> dict[str, object]:
    """Return the stain matrix and greatest concentrations that a model was made for."""
    return {key: model.stain[key] for key in ("stain_matrix", "max_concentration")}


def ours(work: Work, stain: str) -> Answer:
    """Run our analysis."""
    given = work.arguments
    answer = timed(
        lambda: analyze(
            work.slide,
            work.slide.with_name("ours"),
            model=work.model.folder,
            stain=stain,
            tissue=work.mask,
            threshold=work.model.threshold,
            device="cpu",
            batch_size=given.batch,
            threads=given.threads,
            resume=False,
        )
    )
    return answer | {"seconds": answer["seconds"] - answer["model"]}


if __name__ == "__main__":
    main()
